/* Checks of mutexes, conditions and stacks: locks CHECK; without one, lists
 * them.
 *
 * A process with one thread locks mutexes without atomic instructions
 * (patches/musl/0013). Callers must see no difference, also when threads
 * start and end. The stack of an ended thread is reused by a new one
 * (patches/musl/0014), which must not notice. */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

enum { THREADS=4, TURNS=20000 };

#include "random.h"

static void fail(int line, const char *what)
{
	printf("locks.c:%d: %s\n", line, what);
	exit(1);
}

static void set_up(pthread_mutex_t *m, int type, int shared, int robust)
{
	pthread_mutexattr_t a;
	CHECK(!pthread_mutexattr_init(&a));
	CHECK(!pthread_mutexattr_settype(&a, type));
	CHECK(!pthread_mutexattr_setpshared(&a, shared ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE));
	/* qemu-user has no robust lists. */
	int e = pthread_mutexattr_setrobust(&a, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
	CHECK(!e || robust && e==ENOSYS);
	CHECK(!pthread_mutex_init(m, &a));
}

static void use(pthread_mutex_t *m, int type)
{
	for (int i=0; i<3; i++) {
		CHECK(!pthread_mutex_lock(m));
		int again = pthread_mutex_trylock(m);
		CHECK(again == (type==PTHREAD_MUTEX_RECURSIVE ? 0 : EBUSY));
		if (!again) CHECK(!pthread_mutex_unlock(m));
		if (type==PTHREAD_MUTEX_ERRORCHECK) CHECK(pthread_mutex_lock(m)==EDEADLK);
		CHECK(!pthread_mutex_unlock(m));
		if (type!=PTHREAD_MUTEX_NORMAL) CHECK(pthread_mutex_unlock(m)==EPERM);
		CHECK(!pthread_mutex_trylock(m));
		CHECK(!pthread_mutex_unlock(m));
	}
}

static void use_all_kinds(void)
{
	for (int type=0; type<3; type++) for (int shared=0; shared<2; shared++) for (int robust=0; robust<2; robust++) {
		pthread_mutex_t m;
		set_up(&m, type, shared, robust);
		use(&m, type);
		CHECK(!pthread_mutex_destroy(&m));
	}
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int count, waiting;

static void *nothing(void *ignored)
{
	return ignored;
}

static void start_and_join(void)
{
	pthread_t t;
	CHECK(!pthread_create(&t, 0, nothing, 0));
	CHECK(!pthread_join(t, 0));
}

static void check_kinds(void)
{
	use_all_kinds();
	start_and_join();
	use_all_kinds();
}

/* Locked before the first thread starts. */
static void *want(void *m)
{
	CHECK(pthread_mutex_trylock(m)==EBUSY);
	waiting = 1;
	CHECK(!pthread_mutex_lock(m));
	count++;
	CHECK(!pthread_mutex_unlock(m));
	return 0;
}

static void check_held(void)
{
	for (int type=0; type<3; type++) {
		pthread_mutex_t m;
		pthread_t t;
		set_up(&m, type, 0, 0);
		count = waiting = 0;
		CHECK(!pthread_mutex_lock(&m));
		CHECK(!pthread_create(&t, 0, want, &m));
		while (!*(volatile int *)&waiting) usleep(100);
		usleep(20000);
		CHECK(!count);
		CHECK(!pthread_mutex_unlock(&m));
		CHECK(!pthread_join(t, 0));
		CHECK(count==1);
		use(&m, type);
	}
}

static void *add(void *m)
{
	for (int i=0; i<TURNS; i++) {
		CHECK(!pthread_mutex_lock(m));
		count++;
		CHECK(!pthread_mutex_unlock(m));
	}
	return 0;
}

/* Threads start and end while the first one locks and unlocks. */
static void check_threads(void)
{
	for (int type=0; type<3; type++) for (int round=0; round<5; round++) {
		pthread_mutex_t m;
		pthread_t t[THREADS];
		set_up(&m, type, 0, 0);
		count = 0;
		add(&m);
		for (int i=0; i<THREADS; i++) CHECK(!pthread_create(t+i, 0, add, &m));
		add(&m);
		for (int i=0; i<THREADS; i++) CHECK(!pthread_join(t[i], 0));
		add(&m);
		CHECK(count==(THREADS+3)*TURNS);
	}
}

static void *wait_for_turn(void *number)
{
	CHECK(!pthread_mutex_lock(&mutex));
	waiting++;
	while (count < (int)(size_t)number) CHECK(!pthread_cond_wait(&cond, &mutex));
	count++;
	CHECK(!pthread_mutex_unlock(&mutex));
	CHECK(!pthread_cond_broadcast(&cond));
	return 0;
}

static void check_conditions(void)
{
	pthread_t t[THREADS];
	struct timespec past = { 0, 0 };
	for (int round=0; round<100; round++) {
		/* No thread waits. */
		CHECK(!pthread_cond_signal(&cond));
		CHECK(!pthread_cond_broadcast(&cond));
		CHECK(!pthread_mutex_lock(&mutex));
		CHECK(pthread_cond_timedwait(&cond, &mutex, &past)==ETIMEDOUT);
		count = -1, waiting = 0;
		CHECK(!pthread_mutex_unlock(&mutex));
		for (int i=0; i<THREADS; i++) CHECK(!pthread_create(t+i, 0, wait_for_turn, (void *)(size_t)i));
		CHECK(!pthread_mutex_lock(&mutex));
		while (round%2 && waiting<THREADS) {
			CHECK(!pthread_mutex_unlock(&mutex));
			usleep(100);
			CHECK(!pthread_mutex_lock(&mutex));
		}
		count = 0;
		CHECK(!pthread_mutex_unlock(&mutex));
		CHECK(!pthread_cond_signal(&cond));
		CHECK(!pthread_cond_broadcast(&cond));
		for (int i=0; i<THREADS; i++) CHECK(!pthread_join(t[i], 0));
		CHECK(count==THREADS);
	}
}

/* Processes of one thread each. */
static void check_processes(void)
{
	struct { pthread_mutex_t m; int count; } *s = mmap(0, sizeof *s, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1, 0);
	CHECK(s!=MAP_FAILED);
	for (int type=0; type<3; type++) {
		set_up(&s->m, type, 1, 0);
		s->count = 0;
		for (int i=0; i<THREADS; i++) if (!fork()) {
			for (int j=0; j<TURNS; j++) {
				CHECK(!pthread_mutex_lock(&s->m));
				s->count++;
				CHECK(!pthread_mutex_unlock(&s->m));
			}
			_exit(0);
		}
		for (int i=0, status; i<THREADS; i++) CHECK(wait(&status)>0 && !status);
		CHECK(s->count==THREADS*TURNS);
	}
}

static __thread char zeros[3000];
static __thread int seven = 7;
static pthread_key_t key;

/* Write to this many KiB of the stack. */
static int touch(int kib)
{
	volatile char block[1024];
	block[0] = block[1023] = kib;
	return kib>1 ? touch(kib-1) + block[0]-block[1023] : 0;
}

static void *find_all_new(void *kib)
{
	CHECK(!errno && seven==7 && !pthread_getspecific(key));
	for (size_t i=0; i<sizeof zeros; i++) CHECK(!zeros[i]);
	memset(zeros, 1, sizeof zeros);
	errno = seven = 8;
	CHECK(!pthread_setspecific(key, &key));
	return (void *)(size_t)touch((size_t)kib);
}

static pthread_t start(size_t stack, size_t kib)
{
	pthread_attr_t a;
	pthread_t t;
	CHECK(!pthread_attr_init(&a) && !pthread_attr_setstacksize(&a, stack));
	CHECK(!pthread_create(&t, &a, find_all_new, (void *)kib));
	return t;
}

static size_t resident_kib(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	CHECK(f && fscanf(f, "%*u %zu", &pages)==1);
	fclose(f);
	return pages*sysconf(_SC_PAGESIZE)/1024;
}

static void check_stacks(void)
{
	enum { MANY=12, MiB=1<<20 };
	pthread_t t[MANY];
	CHECK(!pthread_key_create(&key, 0));
	for (int round=0; round<30; round++) {
		/* stacks of several sizes, more at a time than are kept */
		for (int i=0; i<MANY; i++) t[i] = start((i+round)%3 ? 8*MiB : MiB/2, (i+round)%3 ? 6000 : 300);
		for (int i=0; i<MANY; i++) {
			void *result = t;
			if (i==5) CHECK(!pthread_detach(t[i]));
			else CHECK(!pthread_join(t[i], &result) && !result);
		}
		pid_t child = fork();
		if (!child) {
			CHECK(!pthread_join(start(8*MiB, 100), 0));
			_exit(0);
		}
		int status;
		CHECK(waitpid(child, &status, 0)==child && !status);
	}
}

/* Memory of a deep recursion is given back. */
static void check_memory(void)
{
	pthread_t t[2*THREADS];
	CHECK(!pthread_key_create(&key, 0));
	size_t before = resident_kib();
	for (int i=0; i<2*THREADS; i++) t[i] = start(8<<20, 6000);
	for (int i=0; i<2*THREADS; i++) CHECK(!pthread_join(t[i], 0));
	CHECK(resident_kib() < before+1000);
}

/* Compares mutexes with a model: how often this thread holds each. In a
 * random step, another thread runs and ends, or it stays during the next
 * steps: so mutexes are locked with and without atomic instructions. */
struct modelled {
	pthread_mutex_t m;
	int type, held;
};

static pthread_barrier_t begin, end;

static void *try_all(void *p)
{
	for (struct modelled *m=p; m<(struct modelled *)p+8; m++) {
		int e = pthread_mutex_trylock(&m->m);
		CHECK(e == (m->held ? EBUSY : 0));
		if (!e) CHECK(!pthread_mutex_unlock(&m->m));
		else if (m->type!=PTHREAD_MUTEX_NORMAL) CHECK(pthread_mutex_unlock(&m->m)==EPERM);
	}
	return 0;
}

static void *stay(void *p)
{
	try_all(p);
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	return try_all(p);
}

static void check_model(void)
{
	static struct modelled all[8];
	pthread_t other;
	int is_there = 0;
	CHECK(!pthread_barrier_init(&begin, 0, 2) && !pthread_barrier_init(&end, 0, 2));
	for (int i=0; i<8; i++) {
		all[i].type = i%4<3 ? i%4 : PTHREAD_MUTEX_NORMAL;
		set_up(&all[i].m, all[i].type, i==6, i==5);
	}
	for (int turn=0; turn<40000; turn++) {
		struct modelled *m = all + next_random()%8;
		int own = m->type==PTHREAD_MUTEX_RECURSIVE, checks = m->type==PTHREAD_MUTEX_ERRORCHECK;
		struct timespec past = { 0, 0 };
		switch (next_random()%(turn%100 ? 8 : 11)) {
		case 0: case 1:
			if (m->held && !own && !checks) break;
			CHECK(pthread_mutex_lock(&m->m) == (m->held && checks ? EDEADLK : 0));
			if (!m->held || own) m->held++;
			break;
		case 2:
			CHECK(pthread_mutex_trylock(&m->m) == (m->held && !own ? EBUSY : 0));
			if (!m->held || own) m->held++;
			break;
		case 3:
			if (m->held && checks) CHECK(pthread_mutex_timedlock(&m->m, &past)==EDEADLK);
			else CHECK(pthread_mutex_timedlock(&m->m, &past) == (m->held && !own ? ETIMEDOUT : 0));
			if (!m->held || own) m->held++;
			break;
		case 4: case 5: case 6: case 7:
			if (!m->held && m->type==PTHREAD_MUTEX_NORMAL) break;
			CHECK(pthread_mutex_unlock(&m->m) == (m->held ? 0 : EPERM));
			if (m->held) m->held--;
			break;
		case 8:
			if (is_there) break;
			CHECK(!pthread_create(&other, 0, try_all, all) && !pthread_join(other, 0));
			break;
		case 9:
			if (is_there) break;
			CHECK(!pthread_create(&other, 0, stay, all));
			pthread_barrier_wait(&begin);
			is_there = 1;
			break;
		case 10:
			if (!is_there) break;
			pthread_barrier_wait(&end);
			CHECK(!pthread_join(other, 0));
			is_there = 0;
		}
	}
}

/* Threads of random sizes that start and end in random order, some with a stack or a guard of their own, some of
 * which start others. Each finds its memory zeroed and may use all of it. */
static void *use_all(void *size)
{
	pthread_attr_t a;
	size_t room, guard;
	void *low;
	CHECK(!pthread_getattr_np(pthread_self(), &a));
	CHECK(!pthread_attr_getstack(&a, &low, &room) && !pthread_attr_getguardsize(&a, &guard));
	CHECK((char *)&a>(char *)low && (char *)&a<(char *)low+room && room>=(size_t)size);
	/* Down to its end. A page too far would hit the guard and crash. */
	for (volatile char *p=(char *)&a-512; p>(char *)low+512; p-=1024) *p = 7;
	return find_all_new((void *)(size_t)1);
}

static void check_random_stacks(void)
{
	enum { MANY=24 };
	pthread_t t[MANY];
	char there[MANY] = { 0 };
	CHECK(!pthread_key_create(&key, 0));
	for (int turn=0; turn<3000; turn++) {
		int i = next_random()%MANY;
		if (there[i]) {
			void *result;
			CHECK(!pthread_join(t[i], &result) && !result);
			there[i] = 0;
			continue;
		}
		pthread_attr_t a;
		size_t size = (16 << next_random()%6) * 1024 + (next_random()%4 ? 0 : next_random()%5 * 4096);
		CHECK(!pthread_attr_init(&a) && !pthread_attr_setstacksize(&a, size));
		if (next_random()%4==0) CHECK(!pthread_attr_setguardsize(&a, next_random()%3 * 65536));
		CHECK(!pthread_create(t+i, &a, use_all, (void *)size));
		there[i] = 1;
	}
	for (int i=0; i<MANY; i++) if (there[i]) CHECK(!pthread_join(t[i], 0));
}

static const struct { const char *name; void (*run)(void); } checks[] = {
	{ "kinds", check_kinds }, { "held", check_held }, { "threads", check_threads },
	{ "conditions", check_conditions }, { "processes", check_processes },
	{ "stacks", check_stacks }, { "memory", check_memory },
	{ "model", check_model }, { "random_stacks", check_random_stacks },
};

#include "main.h"
