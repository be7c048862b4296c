/* Functions that call back, for C++ code that throws out of what is called: compiled with tables to unwind (so are
 * some of musl's, see Makefile), which is why these are not musl's own. */
#define _GNU_SOURCE
#include <errno.h>
#include <ftw.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pthread_impl.h"
#include "table.h"
#if LOADS_GLIBC

/* glibc sorts stably while it gets memory, and programs have come to rely on that. */

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
	/* What is left of the right half is in its place. */
	memcpy(out, a, left*w);
	memcpy(start, spare, (n-right)*w);
}

/* The memory of a sort that is thrown out of is lost, as glibc's is. */
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

/* An exception out of pthread_once's function leaves it undone, as std::call_once wants. No attribute `cleanup`: that
 * would need libgcc's personality routine. __call_guarded (guard.s) has this one. */

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

/* ftw.h: the types are numbered from 0, not from 1. The one function is called by all that a thread walks at a time:
 * walks nest. */

typedef int (*ftw_fn)(const char *, const struct stat *, int);
typedef int (*nftw_fn)(const char *, const struct stat *, int, struct FTW *);

static _Thread_local nftw_fn walker;

static int renumber(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return walker(path, st, type-1, at);
}

/* A flag of glibc's: the function says whom to skip, with numbers of its own. */
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

/* Plain ftw calls a link a file, and one that leads nowhere what stat failed for; it follows links, musl's does not. */
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
