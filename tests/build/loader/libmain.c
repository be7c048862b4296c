/* Thread-local storage of each kind, constructors, calls to other libraries and to the program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int dep_count(void);
extern _Thread_local char wide[64];
extern __thread int program_tls;

__thread int shared_tls = 7;       /* general dynamic, or a descriptor */
static __thread int local_tls = 8; /* local dynamic */
static __thread int local_zero;

__attribute__((constructor)) static void init(void) { puts("main ctor"); }
__attribute__((destructor)) static void fini(void) { puts("main dtor"); }

int tls_sum(void)
{
	errno = 0;
	return shared_tls++ + local_tls++ + local_zero++ + dep_count() + program_tls + errno;
}
void *tls_wide(void) { return wide; }
__attribute__((weak)) int whose(void) { return 1; }
int main_sees(void) { return whose(); }

/* dlsym with RTLD_NEXT starts at its caller's library, so there must be no tail call. */
static void *next(const char *name)
{
	void *volatile p = dlsym(RTLD_NEXT, name);
	return p;
}
void *next_getpid(void) { return next("getpid"); }
void *next_nothing(void) { return next("no_such_symbol"); }
pid_t pid_of_libc(void) { return getpid(); }
