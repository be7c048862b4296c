/* ucontext.h (SUSv2): getcontext and setcontext are in context.s. The struct is the kernel's in both. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC && defined __x86_64__

__attribute__((__returns_twice__)) int G(getcontext)(ucontext_t *);
int G(setcontext)(const ucontext_t *);
hidden void __context_returned(void);

/* The function returns to __context_returned, with the stack as the ABI requires it at a call. uc_link is above it; a
 * callee-saved register (rbx) holds its place. Arguments are ints by the standard, and words by custom. */
void G(makecontext)(ucontext_t *u, void (*f)(void), int argc, ...)
{
	static const int reg[] = { REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_R8, REG_R9 };
	greg_t *regs = u->uc_mcontext.gregs;
	size_t more = argc > 6 ? argc-6 : 0;
	uintptr_t *sp = (void *)(((uintptr_t)u->uc_stack.ss_sp + u->uc_stack.ss_size - (more+1)*sizeof *sp & -16) - sizeof *sp);
	va_list ap;

	sp[0] = (uintptr_t)__context_returned;
	sp[more+1] = (uintptr_t)u->uc_link;
	regs[REG_RIP] = (uintptr_t)f;
	regs[REG_RSP] = (uintptr_t)sp;
	regs[REG_RBX] = (uintptr_t)(sp+more+1);
	va_start(ap, argc);
	for (int i=0; i<argc; i++) {
		greg_t x = va_arg(ap, greg_t);
		if (i < 6) regs[reg[i]] = x;
		else sp[1+i-6] = x;
	}
	va_end(ap);
}

int G(swapcontext)(ucontext_t *from, const ucontext_t *to)
{
	volatile int back = 0;
	if (G(getcontext)(from)) return -1;
	if (back) return 0;
	back = 1;
	return G(setcontext)(to);
}
#endif
