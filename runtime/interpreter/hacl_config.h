/* Which vectors HACL's files may count on: CPython's configure knows. Each file that is compiled for a CPU with them is
 * told by its command; Hacl_Streaming_HMAC.c, which chooses between those files, reads this, as libintvector-shim.h says.
 * Without it _hmac took the vectors where there are any and was refused them. */
#include "pyconfig.h"

#if defined(_Py_HACL_CAN_COMPILE_VEC128) && !defined(HACL_CAN_COMPILE_VEC128)
#define HACL_CAN_COMPILE_VEC128 1
#endif
#if defined(_Py_HACL_CAN_COMPILE_VEC256) && !defined(HACL_CAN_COMPILE_VEC256)
#define HACL_CAN_COMPILE_VEC256 1
#endif
