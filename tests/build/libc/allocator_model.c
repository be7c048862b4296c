/* A model of malloc and its family: allocator_model [SECONDS [SEED]].
 *
 * Runs one process after another, because a new process has memory that was
 * never used. The seed of each is one more than the previous one's. In each
 * process, threads do random things with blocks that all of them share, and
 * end; other threads take their place. A model records which address belongs
 * to which block, the content of each block and the total size. Errors are: a
 * block that overlaps another, is not aligned or is too small; a byte that
 * changed, or is not zero after calloc; too many mappings, too much memory,
 * or too little given back at the end; a call that takes long. Sometimes a
 * child is forked, which must find its blocks unchanged.
 *
 * The model itself does not use the allocator that it checks; only the C
 * library does. Runs with the same seed differ if there is more than one
 * thread. */

#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

enum { SLOTS=4096, LARGEST=48<<20 };

static uint64_t seed;
static volatile int in_child;
static int large, growing, used;
static size_t live, peak, most;
static double end;

/* Totals of all processes. */
static struct {
	unsigned long processes, threads, calls, forks;
	double longest;
	size_t peak;
	long mappings, resident, after;
} *total;

#define CHECK(x) ((x) ? (void)0 : fail("allocator_model.c:%d: %s", __LINE__, #x))

static void fail(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vdprintf(1, format, list);
	dprintf(1, " (errno %d, seed %llu)\n", errno, (unsigned long long)seed);
	_exit(1);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec*1e-9;
}

static uint64_t next_random(uint64_t *s)
{
	uint64_t x = (*s += 0x9e3779b97f4a7c15);
	x = (x^x>>30)*0xbf58476d1ce4e5b9;
	x = (x^x>>27)*0x94d049bb133111eb;
	return x^x>>31;
}

/* Slots. The thread that holds a slot's lock may do anything with its block. */
struct slot {
	volatile char taken;
	unsigned char *p;
	size_t n, usable, align;
	uint64_t tag;
	/* Node in the tree of all blocks, a treap ordered by address. */
	struct slot *left, *right;
	uint32_t priority;
};
static struct slot slots[SLOTS], *root;
static pthread_mutex_t tree = PTHREAD_MUTEX_INITIALIZER;

static void split(struct slot *t, unsigned char *p, struct slot **l, struct slot **r)
{
	if (!t) *l = *r = 0;
	else if (t->p < p) split(t->right, p, &t->right, r), *l = t;
	else split(t->left, p, l, &t->left), *r = t;
}

static struct slot *join(struct slot *l, struct slot *r)
{
	if (!l || !r) return l ? l : r;
	if (l->priority > r->priority) return l->right = join(l->right, r), l;
	return r->left = join(l, r->left), r;
}

static void enter(struct slot *s)
{
	struct slot *l, *r, *x;
	__atomic_add_fetch(&live, s->n, __ATOMIC_RELAXED);
	if (in_child) return;
	s->usable = malloc_usable_size(s->p);
	CHECK(s->usable>=s->n);
	pthread_mutex_lock(&tree);
	if (live > peak) peak = live;
	split(root, s->p, &l, &r);
	for (x=l; x && x->right; x=x->right);
	CHECK(!x || x->p + x->usable <= s->p);
	for (x=r; x && x->left; x=x->left);
	CHECK(!x || s->p + s->usable <= x->p);
	s->left = s->right = 0;
	root = join(join(l, s), r);
	pthread_mutex_unlock(&tree);
}

static void depart(struct slot *s)
{
	struct slot *l, *m, *r;
	__atomic_sub_fetch(&live, s->n, __ATOMIC_RELAXED);
	if (in_child) return;
	pthread_mutex_lock(&tree);
	split(root, s->p, &l, &r);
	split(r, s->p+1, &m, &r);
	CHECK(m==s);
	root = join(l, r);
	pthread_mutex_unlock(&tree);
}

/* Every byte of a block depends on the block and on the byte's place. */
static uint64_t word(struct slot *s, size_t i)
{
	return s->tag + i*0x0101010101010101;
}

static void fill(struct slot *s, size_t from)
{
	uint64_t *w = (uint64_t *)s->p, last = word(s, s->n/8);
	for (size_t i=from/8; i<s->n/8; i++) w[i] = word(s, i);
	memcpy(w + s->n/8, &last, s->n%8);
}

static void check(struct slot *s, size_t n)
{
	uint64_t *w = (uint64_t *)s->p, bad = 0, last = word(s, n/8);
	for (size_t i=0; i<n/8; i++) bad |= w[i] ^ word(s, i);
	if (bad || memcmp(w + n/8, &last, n%8)) fail("block %p of %zu bytes has changed", s->p, s->n);
}

static void check_zero(const unsigned char *p, size_t n)
{
	size_t i = 0, bad = 0;
	for (; i+8<=n; i+=8) bad += *(uint64_t *)(p+i)!=0;
	for (; i<n; i++) bad += p[i]!=0;
	if (bad) fail("calloc: block %p of %zu bytes has %zu words that are not zero", p, n, bad);
}

/* Mostly small sizes, some near the limits between kinds of blocks, a few huge. */
static size_t some_size(uint64_t *r)
{
	uint64_t x = next_random(r);
	static const size_t limits[] = { 16, 1024, 8<<10, 64<<10, 128<<10, 256<<10, 512<<10, 1<<20, 4<<20, 8<<20, 16<<20, 32<<20 };
	if (x%16==0) {
		size_t n = limits[(x>>8)%(sizeof limits/sizeof *limits)], d = (x>>16)%70000;
		return (x>>40)%2 ? n + d%(n/4+1) : n - d%(n/4+1);
	}
	/* Kinds of blocks that are made of whole pages. */
	if (used<SLOTS && x%4==1) return 100000 + next_random(r)%2000000;
	int bits = large && x%400==1 ? 25 : large && x%20==2 ? 21 : x%4==3 ? 17 : 10;
	return next_random(r) & ((1u<<((x>>8)%bits+1))-1);
}

static void release(struct slot *s)
{
	check(s, s->n);
	depart(s);
	free(s->p);
	s->p = 0;
}

static void make(struct slot *s, uint64_t *r)
{
	uint64_t x = next_random(r);
	size_t n = some_size(r), align = 16;
	void *p = 0;
	int zero = 0;
	if (x%16<6) p = malloc(n);
	else if (x%16<12) {
		size_t m = (x>>8)%5 ? 1 : 8;
		zero = 1;
		p = calloc(m, (n+m-1)/m);
	} else if (x%16<14) {
		align = (size_t)1 << (x>>8)%((x>>16)%50 ? 13 : 26);
		p = aligned_alloc(align, n);
	} else if (x%16<15) {
		align = sizeof p << (x>>8)%((x>>16)%50 ? 10 : 22);
		CHECK(!posix_memalign(&p, align, n));
	} else p = realloc(0, n);
	CHECK(p);
	s->p = p;
	s->n = n;
	s->tag = next_random(r);
	CHECK((uintptr_t)p%align==0 && (uintptr_t)p%16==0);
	enter(s);
	if (zero) check_zero(p, n);
	fill(s, 0);
}

static void resize(struct slot *s, uint64_t *r)
{
	uint64_t x = next_random(r);
	size_t old = s->n, n = x%8<4 ? old + (x>>8)%(old/4+100) : x%8<6 ? old - (x>>8)%(old/2+1) : some_size(r);
	if (n > LARGEST) n = LARGEST;
	/* Grows like a list or a buffer: often, by little. */
	int times = x%64<growing && old<4<<20 ? 1 + (x>>32)%50 : 1;
	while (times--) {
		old = s->n;
		check(s, old);
		depart(s);
		unsigned char *p = realloc(s->p, n);
		CHECK(p);
		s->p = p;
		s->n = n;
		CHECK((uintptr_t)p%16==0);
		enter(s);
		check(s, old<n ? old : n);
		fill(s, old<n ? old : n);
		n += n/8 + 1;
		if (n > ((x>>40)%8 ? LARGEST/4 : LARGEST)) break;
	}
}

static struct slot *take(struct slot *s)
{
	return __atomic_exchange_n(&s->taken, 1, __ATOMIC_ACQUIRE) ? 0 : s;
}

static void put(struct slot *s)
{
	__atomic_store_n(&s->taken, 0, __ATOMIC_RELEASE);
}

static void step(uint64_t *r)
{
	uint64_t x = next_random(r);
	struct slot *s = take(slots + x%(unsigned)((x>>50)%4 ? used : 64));
	if (!s) return;
	double start = seconds();
	if (s->p && (live > most || (x>>20)%8<3)) release(s);
	else if (s->p && (x>>20)%8<6) resize(s, r);
	else if (s->p) check(s, s->n);
	else if (live <= most) make(s, r);
	double took = seconds()-start;
	if (took > total->longest) total->longest = took;
	put(s);
	__atomic_add_fetch(&total->calls, 1, __ATOMIC_RELAXED);
	/* Frees most blocks at once, so that the rest lies scattered. */
	if (x>>44==0) for (int i=0; i<SLOTS; i++) if ((s = take(slots+i))) {
		if (s->p && i%16) release(s);
		put(s);
	}
}

static void fork_once(uint64_t *r)
{
	pid_t pid = fork();
	CHECK(pid>=0);
	if (!pid) {
		in_child = 1;
		alarm(120);
		for (int i=0; i<SLOTS; i++) {
			struct slot *s = slots+i;
			if (!take(s)) continue;
			if (s->p) check(s, s->n);
			put(s);
		}
		for (int i=0; i<2000; i++) step(r);
		_exit(0);
	}
	int status;
	__atomic_add_fetch(&total->forks, 1, __ATOMIC_RELAXED);
	CHECK(waitpid(pid, &status, 0)==pid);
	if (status) fail("child: wait status %#x", status);
}

static void *work(void *arg)
{
	uint64_t r = (uintptr_t)arg*0x51ed2701 ^ seed;
	uint64_t n = next_random(&r)%8 ? 100 + next_random(&r)%6000 : 50;
	while (n-- && seconds()<end) {
		step(&r);
		if (next_random(&r)%(1<<12)==0) fork_once(&r);
	}
	return 0;
}

/* Reads without stdio, which would allocate. */
static long number(const char *file, const char *key)
{
	static char text[1<<16];
	long n = 0, size;
	int fd = open(file, O_RDONLY);
	CHECK(fd>=0);
	while ((size = read(fd, text, sizeof text-1))>0) {
		text[size] = 0;
		if (!key) for (long i=0; i<size; i++) n += text[i]=='\n';
		else if (strstr(text, key)) n = atol(strstr(text, key)+strlen(key));
	}
	close(fd);
	return n;
}

static void higher(long *most, long now)
{
	if (now > *most) *most = now;
}

/* One process, which runs for about this many seconds. */
static void run(double length, int native)
{
	uint64_t r = seed;
	int threads = 1 + next_random(&r)%6;
	end = seconds()+length;
	large = next_random(&r)%4!=0;
	used = next_random(&r)%3 ? SLOTS : 100;
	growing = next_random(&r)%64;
	most = (size_t)(native ? 4 : 2)<<20 << next_random(&r)%(native ? 7 : 5);
	for (int i=0; i<SLOTS; i++) slots[i].priority = next_random(&r);
	alarm(length*4 + 100);

	uintptr_t started = 0;
	pthread_t t[6] = { 0 };
	long before = native ? number("/proc/self/smaps_rollup", "Rss:") : 0, resident = 0, mappings = 0;
	for (int i=0; i<threads; i++) CHECK(!pthread_create(t+i, 0, work, (void *)++started));
	for (int i=0; seconds()<end; i=(i+1)%threads) {
		CHECK(!pthread_join(t[i], 0));
		CHECK(!pthread_create(t+i, 0, work, (void *)++started));
		if (!native) continue;
		higher(&mappings, number("/proc/self/maps", 0));
		higher(&resident, number("/proc/self/smaps_rollup", "Rss:"));
	}
	for (int i=0; i<threads; i++) CHECK(!pthread_join(t[i], 0));
	for (int i=0; i<SLOTS; i++) if (slots[i].p) release(slots+i);
	CHECK(!live && !root);
	total->processes++;
	total->threads += started;
	if (peak > total->peak) total->peak = peak;
	if (!native) return;
	higher(&total->mappings, mappings);
	higher(&total->resident, resident);
	/* A segment and a large block have few mappings, a stack has two. */
	if (mappings > 300) fail("%ld mappings", mappings);
	/* Memory freed in the last half second, and memory between blocks, may still be resident. */
	if (resident > (long)(peak>>10)*3 + 100000) fail("%ld KiB resident for %zu MiB", resident, peak>>20);
	/* Seldom, because it takes long: the memory that stays after a wait. */
	if (seed%8) return;
	long after = 1<<30;
	for (int i=0; i<6 && after > 40000; i++) {
		/* Not a block with its own mapping. */
		free(malloc(3<<20));
		nanosleep(&(struct timespec){ .tv_nsec = 400000000 }, 0);
		after = number("/proc/self/smaps_rollup", "Rss:") - before;
	}
	higher(&total->after, after);
	if (after > 40000) fail("%ld KiB still resident, at most %ld", after, resident);
}

int main(int argc, char **argv)
{
	double length = argc>1 ? atof(argv[1]) : 3, last = seconds()+length;
	int native = !getenv("EMULATED");
	seed = argc>2 ? strtoull(argv[2], 0, 0) : (uint64_t)time(0)*1000003 ^ getpid();
	setvbuf(stdout, 0, _IONBF, 0);
	printf("seed %llu\n", (unsigned long long)seed);
	total = mmap(0, sizeof *total, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
	CHECK(total!=MAP_FAILED);
	do {
		pid_t pid = fork();
		CHECK(pid>=0);
		if (!pid) {
			run(seed%16 ? .1 : 2, native);
			_exit(0);
		}
		int status;
		CHECK(waitpid(pid, &status, 0)==pid);
		if (status) fail("process: wait status %#x", status);
		seed++;
	} while (seconds()<last);
	printf("%lu processes, %lu threads, %lu forks, %lu steps; at most %zu MiB asked for; longest step %.3f s\n",
		total->processes, total->threads, total->forks, total->calls, total->peak>>20, total->longest);
	if (native) printf("at most %ld mappings, %ld MiB resident, %ld MiB when all was freed\n",
		total->mappings, total->resident>>10, total->after>>10);
	CHECK(total->calls > 100);
	CHECK(total->longest < (native ? 10 : 60));
	puts("ok");
	return 0;
}
