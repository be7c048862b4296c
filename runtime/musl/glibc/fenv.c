/* fenv.h: which floating-point exceptions raise SIGFPE (feenableexcept(3)). The x87's control word and SSE's MXCSR both
 * have a bit that masks each exception. */
#define _GNU_SOURCE
#include <fenv.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC && defined __x86_64__

#define EACH 0x3d /* FE_ALL_EXCEPT */
#define IN_MXCSR 7

static int set_masked(unsigned set, unsigned clear)
{
	unsigned short word, before;
	unsigned csr;
	__asm__ volatile ("fnstcw %0" : "=m"(word));
	before = word;
	word = (word | (set & EACH)) & ~(clear & EACH);
	__asm__ volatile ("fldcw %0" : : "m"(word));
	__asm__ volatile ("stmxcsr %0" : "=m"(csr));
	csr = (csr | (set & EACH) << IN_MXCSR) & ~((clear & EACH) << IN_MXCSR);
	__asm__ volatile ("ldmxcsr %0" : : "m"(csr));
	return ~before & EACH;
}

/* They return what was enabled before. */
int G(feenableexcept)(int which) { return set_masked(0, which); }
int G(fedisableexcept)(int which) { return set_masked(which, 0); }
int G(fegetexcept)(void) { return set_masked(0, 0); }
#endif
