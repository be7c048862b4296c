/* Needed by libmain.so, and found through its $ORIGIN. */
#include <stdio.h>

static __thread int counter = 100;
_Thread_local char wide[64] __attribute__((aligned(256))) = "wide";

__attribute__((constructor)) static void init(void) { puts("dep ctor"); }
__attribute__((destructor)) static void fini(void) { puts("dep dtor"); }

int dep_count(void) { return counter++; }
/* Weak, so that the compiler does not bind the call below by itself. */
__attribute__((weak)) int whose(void) { return 2; }
int dep_only(void) { return 22; }
int dep_sees(void) { return whose(); }
