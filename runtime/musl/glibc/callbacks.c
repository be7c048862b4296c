/* Functions that call back, for C++ code whose callback throws: compiled with unwind tables (as some of musl's are, see
 * Makefile). That is why these are not musl's own. */
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pthread_impl.h"
#include "table.h"
#if LOADS_GLIBC

/* glibc's qsort is stable as long as it gets memory, and programs rely on that. */

typedef int (*compare_fn)(const void *, const void *, void *);

struct sort {
	size_t width;
	compare_fn compare;
	void *arg;
};

static void merge_sort(const struct sort *s, char *a, size_t n, char *spare)
{
	size_t w = s->width, left = n/2, right = n - left;
	char *b = a + left*w, *out = spare, *start = a;
	if (n < 2) return;
	merge_sort(s, a, left, spare);
	merge_sort(s, b, right, spare);
	for (; left && right; out += w) {
		char **from = s->compare(a, b, s->arg) <= 0 ? &a : &b;
		memcpy(out, *from, w);
		if (from == &a) left--;
		else right--;
		*from += w;
	}
	/* The rest of the right half is in its place already. */
	memcpy(out, a, left*w);
	memcpy(start, spare, (n-right)*w);
}

/* If an exception leaves a sort, its memory is lost, as in glibc. */
void G(qsort_r)(void *base, size_t n, size_t width, compare_fn compare, void *arg)
{
	struct sort s = { width, compare, arg };
	char few[1024], *spare = few;
	if (n < 2 || !width) return;
	if (n > sizeof few/width) spare = n > SIZE_MAX/width ? 0 : malloc(n*width);
	if (!spare) {
		qsort_r(base, n, width, compare, arg);
		return;
	}
	merge_sort(&s, base, n, spare);
	if (spare != few) free(spare);
}

static int compare_without(const void *a, const void *b, void *compare)
{
	return ((int (*)(const void *, const void *))compare)(a, b);
}

void G(qsort)(void *base, size_t n, size_t width, int (*compare)(const void *, const void *))
{
	G(qsort_r)(base, n, width, compare_without, (void *)compare);
}

/* If pthread_once's function throws, it counts as not done, as std::call_once requires. The attribute `cleanup` would
 * need libgcc's personality routine; __call_guarded (guard.s) has this one. */

struct once {
	pthread_once_t *control;
	struct once *outer;
};
static _Thread_local struct once *onces;

enum { UA_CLEANUP_PHASE = 2, URC_CONTINUE_UNWIND = 8 }; /* unwind.h */

hidden void __call_guarded(void (*)(void));

static void undo(void *control)
{
	if (a_swap(control, 0) == 3) __wake(control, -1, 1);
}

hidden int __guard_personality(int version, int actions, uint64_t class, void *exception, void *context)
{
	if (actions & UA_CLEANUP_PHASE) {
		struct once *once = onces;
		onces = once->outer;
		undo(once->control);
	}
	return URC_CONTINUE_UNWIND;
}

/* The states are those of musl's pthread_once, which may be called for the same control. */
int G(pthread_once)(pthread_once_t *control, void (*init)(void))
{
	struct once once = { control, onces };
	for (;;) switch (a_cas(control, 0, 1)) {
	case 0:
		onces = &once;
		pthread_cleanup_push(undo, control);
		__call_guarded(init);
		pthread_cleanup_pop(0);
		onces = once.outer;
		if (a_swap(control, 2) == 3) __wake(control, -1, 1);
		return 0;
	case 1:
		a_cas(control, 1, 3);
	case 3:
		__wait(control, 0, 3, 1);
		continue;
	default:
		return 0;
	}
}

/* ftw.h: the types are numbered from 0, not from 1. A thread's walks may nest, but all of them call this one
 * function. */

typedef int (*ftw_fn)(const char *, const struct stat *, int);
typedef int (*nftw_fn)(const char *, const struct stat *, int, struct FTW *);

static _Thread_local nftw_fn walker;

static int renumber(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return walker(path, st, type-1, at);
}

/* A flag of glibc: the function returns what to skip, with numbers of its own. */
#define FTW_ACTIONRETVAL 16

static int walk(const char *path, nftw_fn fn, nftw_fn between, int fds, int flags)
{
	nftw_fn outer = walker;
	int r;
	walker = fn;
	r = nftw(path, between, fds, flags);
	walker = outer;
	return r;
}

int G(nftw)(const char *path, nftw_fn fn, int fds, int flags)
{
	if (!(flags & FTW_ACTIONRETVAL)) return walk(path, fn, renumber, fds, flags);
	errno = EINVAL;
	return -1;
}

/* Plain ftw follows links, which musl's does not. It reports a link as a file, and a broken link as a failed stat. */
static int renumber_plain(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (type == FTW_SL) type = FTW_F;
	if (type == FTW_SLN) type = FTW_NS;
	return ((ftw_fn)walker)(path, st, type-1);
}

int G(ftw)(const char *path, ftw_fn fn, int fds)
{
	return walk(path, (nftw_fn)fn, renumber_plain, fds, 0);
}
#endif
