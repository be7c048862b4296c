/* dlfcn.h: glibc's additions. _dl_find_object is in src/ldso/glibc.h. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include "dynlink.h"
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* There is one version of each name here. */
void *G(dlvsym)(void *handle, const char *name, const char *version)
{
	return __dlsym(handle, name, __builtin_return_address(0));
}

/* There is one namespace, LM_ID_BASE. */
void *G(dlmopen)(long namespace, const char *file, int mode)
{
	if (!namespace) return dlopen(file, mode);
	__dl_seterr("%s: a static program has one namespace of libraries only", file);
	return 0;
}
#endif
