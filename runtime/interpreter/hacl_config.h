/* Which vectors HACL's files may use, as CPython's configure found out. The files that use them get this on the command
 * line. Hacl_Streaming_HMAC.c, which chooses between those files, reads this file, as libintvector-shim.h says. Without
 * it, _hmac chose the vectors on CPUs that have them, and failed. */
#include "pyconfig.h"

#if defined(_Py_HACL_CAN_COMPILE_VEC128) && !defined(HACL_CAN_COMPILE_VEC128)
#define HACL_CAN_COMPILE_VEC128 1
#endif
#if defined(_Py_HACL_CAN_COMPILE_VEC256) && !defined(HACL_CAN_COMPILE_VEC256)
#define HACL_CAN_COMPILE_VEC256 1
#endif
