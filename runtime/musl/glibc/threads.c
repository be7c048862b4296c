/* Threads: glibc's static initializers, clocks of waits, affinity, destructors of thread_local. The sizes of all types
 * are the same on x86_64, and zeros are their first state in both. */
#define _GNU_SOURCE
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include "pthread_impl.h"
#include "table.h"
#if LOADS_GLIBC

/* PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP and similar have the kind in the fifth int (bits/struct_mutex.h), which musl
 * does not use; musl's is the first. So it is moved before the first lock. Two threads would write the same. */
_Static_assert(sizeof(long) == 8, "the place of __kind");
#define GLIBC_KIND 4
#define ADAPTIVE 3 /* spins before it waits; otherwise as a normal one */

static pthread_mutex_t *adopt(pthread_mutex_t *m)
{
	volatile int *kind = m->__u.__vi + GLIBC_KIND;
	int k = *kind;
	if (k) {
		m->_m_type = k == ADAPTIVE ? PTHREAD_MUTEX_NORMAL : k & 3;
		a_store(kind, 0);
	}
	return m;
}

int G(pthread_mutex_lock)(pthread_mutex_t *m) { return pthread_mutex_lock(adopt(m)); }
int G(pthread_mutex_trylock)(pthread_mutex_t *m) { return pthread_mutex_trylock(adopt(m)); }
int G(pthread_mutex_unlock)(pthread_mutex_t *m) { return pthread_mutex_unlock(adopt(m)); }
int G(pthread_mutex_timedlock)(pthread_mutex_t *m, const struct timespec *at) { return pthread_mutex_timedlock(adopt(m), at); }

int G(pthread_mutexattr_settype)(pthread_mutexattr_t *a, int type)
{
	return pthread_mutexattr_settype(a, type == ADAPTIVE ? PTHREAD_MUTEX_NORMAL : type);
}

/* Which waiter gets a free lock first is only a preference, and musl has no such choice. */
int G(pthread_rwlockattr_setkind_np)(pthread_rwlockattr_t *a, int kind)
{
	return kind < 0 || kind > 2 ? EINVAL : 0;
}

int G(pthread_rwlockattr_getkind_np)(const pthread_rwlockattr_t *a, int *kind)
{
	*kind = 0;
	return 0;
}

/* Converts a time from one clock to another, as long as neither is set. */
static int on_clock(clockid_t to, clockid_t from, const struct timespec *at, struct timespec *out)
{
	struct timespec a, b;
	long ns;
	if (at->tv_nsec < 0 || at->tv_nsec >= 1000000000) return EINVAL;
	if (from == to) {
		*out = *at;
		return 0;
	}
	if ((from != CLOCK_REALTIME && from != CLOCK_MONOTONIC) || clock_gettime(from, &a) || clock_gettime(to, &b)) return EINVAL;
	ns = at->tv_nsec - a.tv_nsec + b.tv_nsec;
	out->tv_sec = at->tv_sec - a.tv_sec + b.tv_sec;
	for (; ns < 0; ns += 1000000000) out->tv_sec--;
	for (; ns >= 1000000000; ns -= 1000000000) out->tv_sec++;
	out->tv_nsec = ns;
	return 0;
}

int G(pthread_cond_clockwait)(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *at)
{
	struct timespec t;
	int e = on_clock(c->_c_clock, clock, at, &t);
	return e ? e : pthread_cond_timedwait(c, m, &t);
}

int G(pthread_mutex_clocklock)(pthread_mutex_t *m, clockid_t clock, const struct timespec *at)
{
	struct timespec t;
	int e = on_clock(CLOCK_REALTIME, clock, at, &t);
	return e ? e : pthread_mutex_timedlock(adopt(m), &t);
}

int G(pthread_rwlock_clockrdlock)(pthread_rwlock_t *l, clockid_t clock, const struct timespec *at)
{
	struct timespec t;
	int e = on_clock(CLOCK_REALTIME, clock, at, &t);
	return e ? e : pthread_rwlock_timedrdlock(l, &t);
}

int G(pthread_rwlock_clockwrlock)(pthread_rwlock_t *l, clockid_t clock, const struct timespec *at)
{
	struct timespec t;
	int e = on_clock(CLOCK_REALTIME, clock, at, &t);
	return e ? e : pthread_rwlock_timedwrlock(l, &t);
}

int G(sem_clockwait)(sem_t *s, clockid_t clock, const struct timespec *at)
{
	struct timespec t;
	if (!(errno = on_clock(CLOCK_REALTIME, clock, at, &t))) return sem_timedwait(s, &t);
	return -1;
}

/* musl's attributes have no room for these; a thread can set them itself. */
int G(pthread_attr_setaffinity_np)(pthread_attr_t *a, size_t size, const cpu_set_t *set) { return ENOSYS; }
int G(pthread_attr_getaffinity_np)(const pthread_attr_t *a, size_t size, cpu_set_t *set) { return ENOSYS; }
int G(pthread_attr_setsigmask_np)(pthread_attr_t *a, const sigset_t *set) { return ENOSYS; }

/* CPU_ALLOC(3): words of a long. */
cpu_set_t *G(__sched_cpualloc)(size_t cpus)
{
	size_t bits = 8*sizeof(long);
	return calloc(cpus/bits + !!(cpus%bits), sizeof(long));
}

void G(__sched_cpufree)(cpu_set_t *set) { free(set); }

/* Destructors of C++'s thread_local (the ABI's __cxa_thread_atexit): the last one first. At a thread's end they run
 * before those of pthread_key_create, at the program's end before those of atexit. */
struct destructor {
	void (*run)(void *);
	void *object;
	struct destructor *next;
};
static _Thread_local struct destructor *destructors;

int G(__cxa_thread_atexit_impl)(void (*run)(void *), void *object, void *library)
{
	struct destructor *d = malloc(sizeof *d);
	if (!d) return -1;
	*d = (struct destructor){ run, object, destructors };
	destructors = d;
	return 0;
}

/* Called by pthread_exit and exit. A destructor may make more. */
void __run_thread_destructors(void)
{
	struct destructor *d;
	while ((d = destructors)) {
		destructors = d->next;
		d->run(d->object);
		free(d);
	}
}
#endif
