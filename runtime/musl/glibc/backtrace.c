/* execinfo.h. As in glibc, the unwinder of libgcc_s.so.1 finds the frames (backtrace(3)); C++ libraries have loaded it
 * already. A backtrace ends at the first function without an unwind table, such as most functions of this program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "atomic.h"
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

struct context;
typedef int (*each_fn)(struct context *, void *);
enum { GO_ON = 0, END_OF_STACK = 5 }; /* unwind.h */

static int (*walk)(each_fn, void *);
static uintptr_t (*ip_of)(struct context *);

static int have_unwinder(void)
{
	void *library, *first, *second;
	if (walk) {
		a_barrier();
		return 1;
	}
	if (!(library = dlopen("libgcc_s.so.1", RTLD_NOW))) return 0;
	first = dlsym(library, "_Unwind_GetIP");
	second = dlsym(library, "_Unwind_Backtrace");
	if (!first || !second) return 0;
	ip_of = (uintptr_t (*)(struct context *))first;
	a_barrier();
	walk = (int (*)(each_fn, void *))second;
	return 1;
}

struct frames {
	void **to;
	int n, room;
};

static int add(struct context *context, void *arg)
{
	struct frames *f = arg;
	if (f->n >= 0) f->to[f->n] = (void *)ip_of(context);
	return ++f->n == f->room ? END_OF_STACK : GO_ON;
}

/* The first frame is this function's own. */
int G(backtrace)(void **to, int room)
{
	struct frames f = { to, -1, room };
	if (room <= 0 || !have_unwinder()) return 0;
	walk(add, &f);
	if (f.n > 1 && !to[f.n-1]) f.n--;
	return f.n < 0 ? 0 : f.n;
}

static int describe(char *buf, size_t size, const char *gap, void *address)
{
	Dl_info i;
	const char *base;
	if (!dladdr(address, &i) || !i.dli_fname || !*i.dli_fname)
		return snprintf(buf, size, "[%p]", address);
	base = i.dli_sname ? i.dli_saddr : i.dli_fbase;
	return snprintf(buf, size, "%s(%s%c%#tx)%s[%p]", i.dli_fname, i.dli_sname ? i.dli_sname : "",
		(char *)address < base ? '-' : '+',
		(char *)address < base ? base - (char *)address : (char *)address - base, gap, address);
}

/* The caller frees one block: the pointers, followed by the texts. */
char **G(backtrace_symbols)(void *const *from, int n)
{
	size_t size = n*sizeof(char *);
	char **texts, *at;
	int i;
	for (i=0; i<n; i++) size += describe(0, 0, " ", from[i]) + 1;
	if (!(texts = malloc(size ? size : 1))) return 0;
	at = (char *)(texts + n);
	for (i=0; i<n; i++) {
		texts[i] = at;
		at += describe(at, (char *)texts + size - at, " ", from[i]) + 1;
	}
	return texts;
}

/* This allocates no memory, because programs call it after a crash. */
void G(backtrace_symbols_fd)(void *const *from, int n, int fd)
{
	char line[512];
	int i;
	for (i=0; i<n; i++) {
		describe(line, sizeof line, "", from[i]);
		dprintf(fd, "%s\n", line);
	}
}
#endif
