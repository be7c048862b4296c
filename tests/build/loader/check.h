/* A failed check prints its place and ends the program with status 1. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x))

static inline void check_failed(const char *file, int line, const char *what)
{
	const char *e = dlerror();
	printf("%s:%d: failed: %s (%s)\n", file, line, what, e ? e : "no dlerror");
	fflush(stdout);
	_Exit(1);
}

static inline void *load(const char *name, int mode)
{
	void *h = dlopen(name, mode);
	if (!h) {
		printf("%s\n", dlerror());
		fflush(stdout);
		_Exit(1);
	}
	return h;
}
