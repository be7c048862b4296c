/* Functions with another order, or without an answer here: rand(3), random(3), getopt(3), mallinfo(3). */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "libc.h"
#include "lock.h"
#include "table.h"
#if LOADS_GLIBC

/* The sequence of random() and rand(), and that of rand_r(): programs expect the numbers that a seed has given for
 * decades. The additive feedback of degree 31 and separation 3 is the default of random(3). The generator of Park and
 * Miller sets it up, and 310 numbers are discarded. initstate and setstate are musl's, and do not affect this one. */
#define DEGREE 31
#define SEPARATION 3

static struct {
	uint32_t r[DEGREE];
	int front, rear, seeded;
} sequence;
static volatile int lock[1];

static uint32_t next(void)
{
	uint32_t x = sequence.r[sequence.front] += sequence.r[sequence.rear];
	if (++sequence.front == DEGREE) sequence.front = 0;
	if (++sequence.rear == DEGREE) sequence.rear = 0;
	return x >> 1;
}

static void seed_it(unsigned seed)
{
	int32_t x = seed ? seed : 1;
	for (int i=0; i<DEGREE; i++) {
		sequence.r[i] = x;
		x = 16807LL * x % 2147483647;
		if (x < 0) x += 2147483647;
	}
	sequence.front = SEPARATION;
	sequence.rear = 0;
	sequence.seeded = 1;
	for (int i=0; i<10*DEGREE; i++) next();
}

void G(srandom)(unsigned seed)
{
	LOCK(lock);
	seed_it(seed);
	UNLOCK(lock);
}

long G(random)(void)
{
	long x;
	LOCK(lock);
	if (!sequence.seeded) seed_it(1);
	x = next();
	UNLOCK(lock);
	return x;
}

void G(srand)(unsigned seed) { G(srandom)(seed); }
int G(rand)(void) { return G(random)(); }

/* Three steps of C's example generator give 11, 10 and 10 bits. */
int G(rand_r)(unsigned *seed)
{
	unsigned x = *seed, r = 0;
	for (int i=0; i<3; i++) {
		unsigned size = i ? 1024 : 2048;
		x = x*1103515245 + 12345;
		r = (i ? r<<10 : 0) ^ x/65536%size;
	}
	*seed = x;
	return r;
}

/* If an option is not among the names, the whole option is the value (getsubopt(3)). */
int G(getsubopt)(char **options, char *const *names, char **value)
{
	char *s = *options;
	int i = getsubopt(options, names, value);
	if (i < 0) *value = s;
	return i;
}

/* malloc.h. The allocator keeps no such counts, and has no such parameters. */
struct mallinfo_ints { int field[10]; };
struct mallinfo_sizes { size_t field[10]; };
struct mallinfo_ints G(mallinfo)(void) { return (struct mallinfo_ints){ 0 }; }
struct mallinfo_sizes G(mallinfo2)(void) { return (struct mallinfo_sizes){ 0 }; }
int G(mallopt)(int parameter, int value) { return 0; }
int G(malloc_trim)(size_t keep) { return 0; }
void G(malloc_stats)(void) {}

void *G(pvalloc)(size_t n)
{
	size_t page = sysconf(_SC_PAGESIZE);
	if (n > SIZE_MAX - page) {
		errno = ENOMEM;
		return 0;
	}
	return memalign(page, (n + page-1) & -page);
}

/* getopt(3) puts options before other arguments, as getopt_long does here too. */
int G(getopt)(int argc, char *const *argv, const char *options)
{
	return getenv("POSIXLY_CORRECT") ? getopt(argc, argv, options) : getopt_long(argc, argv, options, 0, 0);
}

/* cuserid(3) writes L_cuserid bytes at most, which are 9 there and 20 here. */
char *G(cuserid)(char *buf)
{
	static char own[9];
	char name[L_cuserid];
	cuserid(name);
	if (!buf && !*name) return 0;
	if (!buf) buf = own;
	snprintf(buf, sizeof own, "%s", name);
	return buf;
}

/* resolv.h: musl's resolver reads its file each time. */
int G(res_init)(void) { return 0; }
#endif
