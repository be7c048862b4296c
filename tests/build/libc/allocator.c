/* Checks of malloc and its family: allocator CHECK; without one, lists them.
 *
 * The checks hold for any allocator, those of memory use for ours only.
 * Built with -fno-builtin: otherwise the compiler, which knows malloc, leaves
 * out half of this. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

static void fail(int line, const char *what)
{
	dprintf(1, "allocator.c:%d: %s (errno %d)\n", line, what, errno);
	_exit(1);
}

static unsigned next_random(unsigned *s)
{
	*s ^= *s<<13;
	*s ^= *s>>17;
	return *s ^= *s<<5;
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec*1e-9;
}

/* Resident memory in KiB, exact: the counters in statm lag behind. */
static long resident(void)
{
	char text[4096];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	CHECK(fd>=0);
	ssize_t n = read(fd, text, sizeof text-1);
	CHECK(n>0);
	close(fd);
	text[n] = 0;
	char *rss = strstr(text, "Rss:");
	CHECK(rss);
	return atol(rss+4);
}

static void *map(size_t n)
{
	void *p = mmap(0, n, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
	CHECK(p!=MAP_FAILED);
	return p;
}

/* A block, with its size and the bytes that fill it. */
static unsigned char *filled(size_t n, unsigned char with)
{
	unsigned char *p = malloc(n);
	CHECK(p);
	memset(p, with, n);
	return p;
}

static void check_filled(const unsigned char *p, size_t n, unsigned char with)
{
	for (size_t i=0; i<n; i++) CHECK(p[i]==with);
}

static void basics(void)
{
	CHECK(malloc(0) && malloc(0)!=malloc(0));
	free(0);
	for (size_t n=0; n<5000; n++) {
		unsigned char *p = malloc(n), *q = calloc(1, n), *r = realloc(0, n);
		CHECK(p && q && r && p!=q && q!=r);
		CHECK(!(((uintptr_t)p|(uintptr_t)q|(uintptr_t)r)%16));
		CHECK(malloc_usable_size(p)>=n);
		check_filled(q, n, 0);
		memset(p, 1, malloc_usable_size(p));
		memset(q, 2, malloc_usable_size(q));
		memset(r, 3, malloc_usable_size(r));
		check_filled(p, n, 1);
		free(p);
		check_filled(q, n, 2);
		free(q);
		check_filled(r, n, 3);
		free(r);
	}
	CHECK(!malloc_usable_size(0));
	/* calloc clears memory that was used and freed before. */
	for (size_t n=1; n<40000000; n=n*3+1) {
		free(filled(n, 0xee));
		unsigned char *p = calloc(n, 1);
		CHECK(p);
		check_filled(p, n, 0);
		free(p);
	}
}

static void errors(void)
{
	void *old = malloc(10);
	errno = 0;
	CHECK(!malloc((size_t)PTRDIFF_MAX+1) && errno==ENOMEM);
	errno = 0;
	CHECK(!malloc(SIZE_MAX) && errno==ENOMEM);
	errno = 0;
	CHECK(!malloc(SIZE_MAX-4096) && errno==ENOMEM);
	errno = 0;
	CHECK(!calloc(SIZE_MAX/2, 3) && errno==ENOMEM);
	errno = 0;
	CHECK(!calloc(3, SIZE_MAX/2) && errno==ENOMEM);
	errno = 0;
	CHECK(!reallocarray(old, SIZE_MAX/2, 3) && errno==ENOMEM);
	errno = 0;
	CHECK(!realloc(old, SIZE_MAX-100) && errno==ENOMEM);
	errno = 0;
	CHECK(!aligned_alloc(4096, SIZE_MAX-100) && errno==ENOMEM);
	errno = 0;
	CHECK(!aligned_alloc(24, 100) && errno==EINVAL);
	void *p = old;
	CHECK(posix_memalign(&p, 1, 100)==EINVAL && p==old);
	CHECK(posix_memalign(&p, 3*sizeof(void *), 100)==EINVAL && p==old);
	CHECK(posix_memalign(&p, 64, SIZE_MAX-100)==ENOMEM && p==old);
	/* musl does not free the block, and returns no null pointer. */
	CHECK((p = realloc(old, 0)));
	free(p);
	for (size_t n=1; n<100000000; n*=10) {
		p = malloc(n);
		errno = 1234;
		free(p);
		CHECK(errno==1234);
	}
}

static void alignments(void)
{
	for (size_t align=1; align<=(size_t)64<<20; align*=2)
		for (size_t n=1; n<200000; n=n*5+1) {
			unsigned char *p = aligned_alloc(align, n), *q = memalign(align, n);
			void *r = 0;
			CHECK(p && q);
			CHECK(!((uintptr_t)p%align) && !((uintptr_t)q%align));
			CHECK(malloc_usable_size(p)>=n);
			if (align>=sizeof(void *)) {
				CHECK(!posix_memalign(&r, align, n) && r);
				CHECK(!((uintptr_t)r%align));
				memset(r, 3, n);
			}
			memset(p, 1, n);
			memset(q, 2, n);
			CHECK((p = realloc(p, 2*n)));
			check_filled(p, n, 1);
			check_filled(q, n, 2);
			free(p);
			free(q);
			if (r) check_filled(r, n, 3);
			free(r);
		}
	void *p = valloc(100);
	CHECK(p && !((uintptr_t)p%4096));
}

/* Sizes around every limit that an allocator may have. */
static void reallocs(void)
{
	unsigned s = 1;
	for (int round=0; round<300; round++) {
		size_t n = 1 + next_random(&s)%100;
		unsigned char *p = filled(n, round), *wall = 0;
		while (n<(round<3 ? 200000000 : 2000000)) {
			size_t more = n + 1 + next_random(&s)%(n<1000 ? 1000 : n);
			/* The memory after the block is sometimes in use, sometimes not. */
			if (next_random(&s)%4==0) {
				free(wall);
				wall = filled(n, 0xaa);
			}
			CHECK((p = realloc(p, more)));
			CHECK(malloc_usable_size(p)>=more);
			CHECK(!((uintptr_t)p%16));
			for (size_t i=0; i<n; i+=i<n-1 && n>5000 ? n-1 : 1) CHECK(p[i]==(unsigned char)round);
			memset(p+n, round, more-n);
			n = more;
		}
		check_filled(p, n, round);
		while (n>10) {
			n = n/2 - next_random(&s)%(n/4);
			CHECK((p = realloc(p, n)));
			check_filled(p, n, round);
		}
		free(p);
		free(wall);
	}
}

static int mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	CHECK(f);
	int n = 0;
	for (int c; (c = getc(f))!=EOF; ) n += c=='\n';
	fclose(f);
	return n;
}

/* The kernel can write to blocks that grew (read). No mappings are left
 * behind, however many blocks there are. */
static void moves(void)
{
	enum { BIG=400000, BLOCKS=40, HUGE=40<<20 };
	static char *block[200];
	int zeros = open("/dev/zero", O_RDONLY), before = mappings();
	CHECK(zeros>=0);
	for (int round=0; round<10; round++) {
		for (int i=0; i<BLOCKS; i++) CHECK((block[i] = malloc(BIG)));
		for (int i=0; i<BLOCKS; i+=2) CHECK((block[i] = realloc(block[i], 2*BIG)));
		for (int i=0; i<BLOCKS; i++) {
			CHECK(read(zeros, block[i], BIG)==BIG);
			free(block[i]);
		}
	}
	for (int i=0; i<200; i++) block[i] = (char *)filled(300000, i);
	for (int i=0; i<200; i++) CHECK((block[i] = realloc(block[i], 400000+1000*i)));
	CHECK(mappings()<before+50);
	for (int i=0; i<200; i++) {
		check_filled((unsigned char *)block[i], 300000, i);
		free(block[i]);
	}
	/* Two blocks, each in the way of the other. */
	for (int i=0; i<2; i++) block[i] = (char *)filled(HUGE, i+1);
	for (int mb=45; mb<=300; mb+=85)
		for (int i=0; i<2; i++) {
			CHECK((block[i] = realloc(block[i], (size_t)mb<<20)));
			CHECK(malloc_usable_size(block[i])>=(size_t)mb<<20);
			check_filled((unsigned char *)block[i], HUGE, i+1);
			block[i][((size_t)mb<<20)-1] = 1;
			CHECK(lseek(zeros, 0, SEEK_SET)==0 && read(zeros, block[i]+HUGE, BIG)==BIG);
		}
	CHECK(mappings()<before+70);
	for (int i=0; i<2; i++) free(block[i]);
	/* The same, below the size of a segment and over it. */
	for (int i=0; i<2; i++) block[i] = (char *)filled(12<<20, i+1);
	for (int mb=13; mb<=80; mb+=mb/12)
		for (int i=0; i<2; i++) {
			CHECK((block[i] = realloc(block[i], (size_t)mb<<20)));
			check_filled((unsigned char *)block[i], 12<<20, i+1);
			block[i][((size_t)mb<<20)-1] = 1;
		}
	CHECK(mappings()<before+70);
	for (int i=0; i<2; i++) free(block[i]);
	/* A block whose middle has other properties than the rest. */
	char *p = (char *)filled(HUGE, 5), *page = p + (-(uintptr_t)p&4095) + (20<<20);
	CHECK(!mprotect(page, 4096, PROT_READ));
	CHECK((p = realloc(p, 2*HUGE)));
	check_filled((unsigned char *)p, HUGE, 5);
	free(p);
	close(zeros);
}

/* A block stays intact if there is no memory to grow it. */
static void full(void)
{
	enum { HUGE=40<<20 };
	unsigned char *p = filled(HUGE, 1), *q = filled(HUGE, 2);
	struct rlimit old, limit;
	for (int what=0; what<2; what++) {
		CHECK(!getrlimit(what ? RLIMIT_AS : RLIMIT_DATA, &old));
		limit = old;
		limit.rlim_cur = 10<<20;
		CHECK(!setrlimit(what ? RLIMIT_AS : RLIMIT_DATA, &limit));
		for (int i=0; i<3; i++) {
			errno = 0;
			CHECK(!realloc(p, 3*HUGE) && errno==ENOMEM);
			errno = 0;
			CHECK(!realloc(q, 3*HUGE) && errno==ENOMEM);
		}
		CHECK(!setrlimit(what ? RLIMIT_AS : RLIMIT_DATA, &old));
		check_filled(p, HUGE, 1);
		check_filled(q, HUGE, 2);
	}
	/* A new mapping keeps its content while the blocks grow. */
	unsigned char *other = map(4*HUGE);
	memset(other, 3, 4*HUGE);
	CHECK((p = realloc(p, 3*HUGE)) && (q = realloc(q, 3*HUGE)));
	check_filled(p, HUGE, 1);
	check_filled(q, HUGE, 2);
	free(p);
	free(q);
	check_filled(other, 4*HUGE, 3);
}

/* All calls at once in several threads. Each block is checked before it is
 * freed; another thread frees some of them. */
enum { SLOTS=2000 };
static struct { unsigned char *p; size_t n; } *volatile mailbox[64];

static void *churn(void *arg)
{
	unsigned s = (uintptr_t)arg*7919+1;
	unsigned char *block[SLOTS] = { 0 };
	size_t size[SLOTS] = { 0 };
	for (int i=0; i<60000; i++) {
		unsigned k = next_random(&s)%SLOTS, bits = next_random(&s)%(i%500 ? 12 : 20);
		size_t n = ((size_t)1<<bits) + (next_random(&s)&((1u<<bits)-1));
		if (block[k] && next_random(&s)%3==0) {
			size_t both = n<size[k] ? n : size[k];
			CHECK((block[k] = realloc(block[k], n)));
			check_filled(block[k], both, k);
			memset(block[k], k, n);
		} else {
			if (block[k]) check_filled(block[k], size[k], k);
			free(block[k]);
			block[k] = filled(n, k);
		}
		size[k] = n;
		if (next_random(&s)%4==0) {
			__typeof__(mailbox[0]) m = malloc(sizeof *m);
			m->n = 1+next_random(&s)%3000;
			m->p = filled(m->n, m->n);
			m = __atomic_exchange_n(&mailbox[next_random(&s)%64], m, __ATOMIC_ACQ_REL);
			if (m) {
				check_filled(m->p, m->n, m->n);
				free(m->p);
				free(m);
			}
		}
	}
	for (unsigned k=0; k<SLOTS; k++) {
		if (block[k]) check_filled(block[k], size[k], k);
		free(block[k]);
	}
	return 0;
}

static void threads(void)
{
	pthread_t t[4];
	for (uintptr_t i=0; i<4; i++) CHECK(!pthread_create(t+i, 0, churn, (void *)i));
	for (int i=0; i<4; i++) CHECK(!pthread_join(t[i], 0));
}

/* Many short threads; each passes a block to the next. A destructor, which
 * runs late, allocates and frees last. */
static pthread_key_t key;

static void last_word(void *p)
{
	check_filled(p, 5000, 7);
	free(p);
	free(filled(100000, 8));
}

static void *brief(void *arg)
{
	static __thread int once;
	CHECK(!once++);
	pthread_setspecific(key, filled(5000, 7));
	if (arg) check_filled(arg, 300, 9);
	free(arg);
	for (int i=0; i<50; i++) free(filled(i*100, 5));
	return filled(300, 9);
}

static void many_threads(void)
{
	CHECK(!pthread_key_create(&key, last_word));
	void *left = 0;
	long rss = 0;
	for (int i=0; i<10000; i++) {
		pthread_t t;
		CHECK(!pthread_create(&t, 0, brief, left));
		CHECK(!pthread_join(t, &left));
		if (i==1000) rss = resident();
	}
	CHECK(resident()<rss+2000);
}

/* Blocks outlive the threads that allocated them; freed, their memory is reused. */
static void *leave(void *arg)
{
	void **p = arg;
	for (int i=0; i<1000; i++) p[i] = filled(1000, 3);
	return 0;
}

static void inherited(void)
{
	static void *p[1000];
	long rss = 0;
	for (int round=0; round<200; round++) {
		pthread_t t;
		CHECK(!pthread_create(&t, 0, leave, p));
		CHECK(!pthread_join(t, 0));
		for (int i=0; i<1000; i++) {
			check_filled(p[i], 1000, 3);
			free(p[i]);
		}
		if (round==20) rss = resident();
	}
	CHECK(resident()<rss+10000);
}

/* The main thread may end before the others. */
static void *stay(void *arg)
{
	usleep(100000);
	threads();
	puts("ok");
	exit(0);
}

static void main_leaves(void)
{
	pthread_t t;
	void *p = malloc(100);
	CHECK(p && !pthread_create(&t, 0, stay, 0));
	pthread_exit(0);
}

/* Nothing is allocated when these threads start: the first one to allocate sets up the allocator. */
static pthread_barrier_t barrier;

static void *start_together(void *arg)
{
	pthread_barrier_wait(&barrier);
	unsigned char *p[200];
	for (int i=0; i<200; i++) p[i] = filled(100, (uintptr_t)arg);
	for (int i=0; i<200; i++) check_filled(p[i], 100, (uintptr_t)arg);
	for (int i=0; i<200; i++) free(p[i]);
	return 0;
}

static void first_use_in_threads(void)
{
	for (int i=0; i<50; i++) {
		pid_t pid = fork();
		if (!pid) {
			pthread_t t[4];
			pthread_barrier_init(&barrier, 0, 4);
			for (uintptr_t k=0; k<4; k++) CHECK(!pthread_create(t+k, 0, start_together, (void *)k));
			for (int k=0; k<4; k++) CHECK(!pthread_join(t[k], 0));
			_exit(0);
		}
		int status;
		CHECK(waitpid(pid, &status, 0)==pid && !status);
	}
}

/* malloc works in a child that is forked while other threads allocate. */
static volatile int stop;
static void *volatile exchange[64];

static void *busy(void *arg)
{
	unsigned s = (uintptr_t)arg+1;
	void *p[500] = { 0 };
	while (!stop) {
		unsigned k = next_random(&s)%500;
		free(p[k]);
		p[k] = malloc(next_random(&s)%(k ? 3000 : 3000000));
		/* Other threads free this thread's blocks, and this one frees theirs. */
		p[k] = __atomic_exchange_n(&exchange[k%64], p[k], __ATOMIC_ACQ_REL);
	}
	return 0;
}

static void *busy_briefly(void *arg)
{
	while (!stop) {
		pthread_t t;
		if (!pthread_create(&t, 0, leave, arg)) pthread_join(t, 0);
		for (int i=0; i<1000; i++) free(((void **)arg)[i]);
	}
	return 0;
}

static void child(void *kept[])
{
	pthread_t t;
	alarm(60);
	for (int i=0; i<1000; i++) {
		check_filled(kept[i], 50+i, i);
		free(kept[i]);
	}
	for (int i=0; i<2000; i++) free(filled(i*20, i));
	free(filled(50000000, 1));
	CHECK(!pthread_create(&t, 0, churn, (void *)77));
	CHECK(!pthread_join(t, 0));
	_exit(0);
}

static void *fork_some(void *arg)
{
	void *kept[1000];
	for (int i=0; i<1000; i++) kept[i] = filled(50+i, i);
	for (int i=0; i<20; i++) {
		pid_t pid = fork();
		CHECK(pid>=0);
		if (!pid) child(kept);
		/* The parent and its other threads go on meanwhile. */
		for (int k=0; k<1000; k++) free(filled(k, k));
		int status;
		CHECK(waitpid(pid, &status, 0)==pid);
		if (status) printf("child: wait status %#x\n", status);
		CHECK(!status);
	}
	for (int i=0; i<1000; i++) free(kept[i]);
	return 0;
}

static void forks(void)
{
	static void *left[2][1000];
	pthread_t t[5];
	for (int i=0; i<2; i++) {
		CHECK(!pthread_create(t+i, 0, busy, (void *)(uintptr_t)i));
		CHECK(!pthread_create(t+2+i, 0, busy_briefly, left[i]));
	}
	/* From a thread and from the main thread at the same time. */
	CHECK(!pthread_create(t+4, 0, fork_some, 0));
	fork_some(0);
	CHECK(!pthread_join(t[4], 0));
	stop = 1;
	for (int i=0; i<4; i++) CHECK(!pthread_join(t[i], 0));
}

/* The same while other threads free the forking thread's blocks; the child
 * frees all of its memory. */
enum { GIVEN=1000 };
static void *volatile given[GIVEN];

static void *take(void *arg)
{
	for (int i=0; !stop; i=(i+1)%GIVEN) if (given[i]) free(__atomic_exchange_n(given+i, 0, __ATOMIC_ACQ_REL));
	return 0;
}

static void *fork_and_give(void *arg)
{
	for (int i=0; i<800; i++) {
		void *p[GIVEN];
		for (int k=0; k<GIVEN; k++) CHECK((p[k] = malloc(8000)));
		for (int k=0; k<GIVEN; k++) given[k] = p[k];
		pid_t pid = fork();
		CHECK(pid>=0);
		if (!pid) {
			alarm(20);
			for (int k=0; k<100; k++) CHECK(malloc(8000));
			/* This is the only thread: the process ends with it. */
			pthread_exit(0);
		}
		int status;
		CHECK(waitpid(pid, &status, 0)==pid);
		CHECK(!status);
		for (int k=0; k<GIVEN; k++) while (given[k]) sched_yield();
	}
	return 0;
}

static void forks_while_freed(void)
{
	pthread_t t, forking;
	CHECK(!pthread_create(&t, 0, take, 0));
	CHECK(!pthread_create(&forking, 0, fork_and_give, 0));
	CHECK(!pthread_join(forking, 0));
	stop = 1;
	CHECK(!pthread_join(t, 0));
}

/* Freed memory returns to the system while the program runs. */
static void goes_back(void)
{
	enum { COUNT=200000 };
	void **p = map(COUNT*sizeof *p);
	long before = resident(), full, after;
	for (int i=0; i<COUNT; i++) p[i] = filled(500, 1);
	full = resident();
	CHECK(full>before+90000);
	CHECK(full<before+130000);
	for (int i=0; i<COUNT; i++) free(p[i]);
	double start = seconds();
	while ((after = resident())>before+15000 && seconds()<start+3)
		for (int i=0; i<1000; i++) free(filled(i*10, 1));
	CHECK(after<=before+15000);
	for (int i=0; i<20; i++) p[i] = filled(5000000, 1);
	CHECK(resident()>before+95000);
	for (int i=0; i<20; i++) free(p[i]);
	start = seconds();
	while ((after = resident())>before+15000 && seconds()<start+3)
		for (int i=0; i<1000; i++) free(filled(i*10, 1));
	CHECK(after<=before+15000);
	/* A large amount returns at once. */
	void *huge = filled(100000000, 1);
	CHECK(resident()>before+95000);
	free(huge);
	CHECK(resident()<before+25000);
}

/* A block that grows in steps, as a list does, takes little more than its own
 * memory: at most once another 16 MiB, when it leaves the segment. */
static void grows(void)
{
	size_t most = 0;
	for (int mb=10; mb<=200; mb+=mb/3) {
		long before = resident(), now;
		unsigned char *p = 0;
		for (size_t n=1<<20, old=0; n<=(size_t)mb<<20; old=n, n+=n/8) {
			CHECK((p = realloc(p, n)));
			memset(p+old, 1, n-old);
			now = resident()-before - n/1024;
			if (now > (long)most) most = now;
		}
		free(p);
		CHECK(most<19000);
	}
	CHECK(resident()<40000);
}

/* A block that shrinks gives the rest back, also when most of it stays. */
static void shrinks(void)
{
	size_t n = 200<<20;
	unsigned char *p = malloc(1<<20);
	for (size_t m=2<<20; m<=n; m*=2) CHECK((p = realloc(p, m)));
	CHECK((p = realloc(p, n)));
	memset(p, 1, n);
	for (; n>(20<<20); n-=n/5) {
		CHECK((p = realloc(p, n)));
		CHECK(resident()<(long)(n/1024 + 26000));
		check_filled(p, n, 1);
	}
	free(p);
}

/* Maps the first free page behind block `i`, instead of behind where it was:
 * it cannot grow where it is. */
static void wall_behind(int i, unsigned char *p)
{
	static unsigned char *walls[2];
	unsigned char *end = p + malloc_usable_size(p);
	end += -(uintptr_t)end & 4095;
	if (walls[i]) CHECK(!munmap(walls[i], 4096));
	while (mmap(end, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANON|MAP_FIXED_NOREPLACE, -1, 0)!=end) {
		CHECK(errno==EEXIST);
		end += 4096;
	}
	walls[i] = end;
}

/* Blocks that met a limit grow as well as before when it is gone: where they
 * are, or to another place (walled). */
static void grows_after_a_limit(void)
{
	static unsigned char *p[2];
	enum { FIRST=20<<20, STEP=4<<20 };
	size_t most = (sizeof(void *)==8 ? 800 : 300) << 20;
	for (int walled=0; walled<2; walled++) {
		struct rlimit limit = { 300<<20, RLIM_INFINITY };
		size_t n = FIRST;
		CHECK(!setrlimit(RLIMIT_DATA, &limit));
		for (int i=0; i<2; i++) CHECK((p[i] = filled(n, i+1)));
		for (;;) {
			unsigned char *a = realloc(p[0], n+STEP), *b = realloc(p[1], n+STEP);
			if (a) p[0] = a;
			if (b) p[1] = b;
			if (!a || !b) break;
			n += STEP;
			if (walled) for (int i=0; i<2; i++) wall_behind(i, p[i]);
		}
		CHECK(n>(100<<20));
		limit.rlim_cur = RLIM_INFINITY;
		CHECK(!setrlimit(RLIMIT_DATA, &limit));
		long before = resident();
		for (size_t m=n; m<=most; m+=STEP) for (int i=0; i<2; i++) {
			CHECK((p[i] = realloc(p[i], m)));
			if (walled) wall_behind(i, p[i]);
		}
		/* Nothing was copied: only what was written is resident. */
		CHECK(resident()<before+10000);
		for (int i=0; i<2; i++) {
			check_filled(p[i], FIRST, i+1);
			free(p[i]);
		}
	}
}

/* At a limit, blocks of any size are refused by a null pointer, and leave the
 * rest to smaller ones. Blocks that are freed can be had again. */
static void refused(void)
{
	static const int sizes[] = { 1, 5, 8, 9, 12, 15, 16, 17, 20, 25, 30, 31, 32, 33, 40 };
	enum { LIMIT=150 };
	for (int i=0; i<(int)(sizeof sizes/sizeof *sizes); i++) for (int kind=0; kind<2; kind++) {
		pid_t pid = fork();
		CHECK(pid>=0);
		if (!pid) {
			static unsigned char *p[LIMIT];
			struct rlimit limit = { LIMIT<<20, RLIM_INFINITY };
			size_t size = (size_t)sizes[i] << 20;
			int first = 0, n = 0;
			/* As in each process, there are small blocks already. */
			CHECK(malloc(50000));
			CHECK(!setrlimit(kind ? RLIMIT_AS : RLIMIT_DATA, &limit));
			for (int round=0; round<3; round++) {
				for (n=0; n<LIMIT && (p[n] = malloc(size)); n++) {
					p[n][0] = p[n][size/2] = p[n][size-1] = n;
				}
				CHECK(n<LIMIT && errno==ENOMEM);
				if (!round) first = n;
				CHECK(n>=first);
				unsigned char *small = malloc(50000);
				CHECK(small);
				free(small);
				for (int j=0; j<n; j++) {
					CHECK(p[j][0]==j && p[j][size/2]==j && p[j][size-1]==j);
					free(p[j]);
				}
			}
			_exit(0);
		}
		int status;
		CHECK(waitpid(pid, &status, 0)==pid && !status);
	}
}

/* A few small blocks take little memory. */
static void small_footprint(void)
{
	long before = resident();
	for (int i=0; i<100; i++) CHECK(malloc(i*8));
	CHECK(resident()<before+700);
}

/* calloc's memory is zero, whatever used it before, */
static void zeroed(void)
{
	static struct { unsigned char *p; size_t n; } block[64];
	unsigned seed = 1;
	for (int i=0; i<5000; i++) {
		seed = seed*1103515245 + 12345;
		unsigned k = seed>>8 & 63;
		/* Mostly small, sometimes a few MiB. */
		size_t n = (seed>>14 & 0xffff) >> (seed>>4 & 15);
		if (!(i%50)) n *= 64;
		if (!(i%1000)) n += 20<<20;
		if (block[k].p) check_filled(block[k].p, block[k].n, k);
		free(block[k].p);
		block[k].p = i%3 ? calloc(1, n) : malloc(n);
		CHECK(block[k].p);
		if (i%3) check_filled(block[k].p, n, 0);
		memset(block[k].p, k, n);
		block[k].n = n;
	}
}

/* also if a block there grew in place meanwhile, */
static void zeroed_after_growth(void)
{
	for (int round=0; round<20; round++) {
		unsigned char *p = 0, *keep[8];
		size_t n = 100;
		for (; n<4000000; n+=n/8) {
			CHECK((p = realloc(p, n)));
			memset(p, 0xff, n);
		}
		free(p);
		for (int i=0; i<8; i++) {
			n = 100000 + (round*37+i)%7*90001;
			CHECK((keep[i] = calloc(n, 1)));
			check_filled(keep[i], n, 0);
		}
		for (int i=0; i<8; i++) free(keep[i]);
	}
}

/* and it takes no memory until it is written to. */
static void untouched(void)
{
	for (int power=23; power<30; power+=3) {
		size_t n = (size_t)1 << power;
		long before = resident();
		char *p = calloc(n, 1);
		CHECK(p);
		p[n/2] = 1;
		/* A page that was written to may be a huge page. */
		CHECK(resident()<before+2500);
	}
}

/* Too large a request is an error and does not end the program. */
static void limited(void)
{
	struct rlimit limit = { 150<<20, 150<<20 };
	CHECK(!setrlimit(RLIMIT_AS, &limit));
	void **list = 0, **p;
	size_t n = 0;
	errno = 0;
	CHECK(!malloc(200<<20) && errno==ENOMEM);
	for (errno=0; (p = malloc(10000)); n++) {
		memset(p, 1, 10000);
		*p = list;
		list = p;
	}
	CHECK(errno==ENOMEM);
	CHECK(n>3000);
	while ((p = list)) {
		list = *p;
		free(p);
	}
	for (size_t i=0; (p = malloc(1000)) && i<n; i++) {
		*p = list;
		list = p;
	}
	CHECK(p);
}

/* Half of a tight memory limit can be allocated. */
static void tightly_limited(void)
{
	struct rlimit limit = { 80<<20, 80<<20 };
	CHECK(!setrlimit(RLIMIT_AS, &limit));
	for (int i=0; i<4; i++) CHECK(filled(5000000, 1));
	CHECK(filled(1000, 1));
}

static const struct { const char *name; void (*run)(void); } checks[] = {
#define C(f) { #f, f }
	C(first_use_in_threads), C(basics), C(errors), C(alignments), C(reallocs), C(moves), C(full),
	C(threads), C(many_threads), C(inherited), C(main_leaves), C(forks), C(forks_while_freed),
	C(zeroed), C(zeroed_after_growth), C(goes_back), C(grows), C(shrinks), C(grows_after_a_limit), C(refused),
	C(small_footprint), C(untouched), C(limited), C(tightly_limited),
};

#include "main.h"
