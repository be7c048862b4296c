/* Compiled before Python/ceval.c for the training's second run (train_again in configs/series): CPython's loop instead
   of a function for each instruction, for the CPUs and compilers that use the loop. */
#include "pyconfig.h"
#undef Py_TAIL_CALL_INTERP
