// Mutexes with glibc's initializers, clocks, thread_local, pthread_once, fork; C++'s classes over them.
#include "check.h"
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <shared_mutex>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono;

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t adaptive = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;

CHECK(recursive_initializer)
{
	int a = pthread_mutex_lock(&recursive), b = pthread_mutex_lock(&recursive), other = -1;
	std::thread([&] { other = pthread_mutex_trylock(&recursive); }).join();
	int c = pthread_mutex_unlock(&recursive), d = pthread_mutex_unlock(&recursive);
	say("%d %d %d %d %d %d", a, b, other, c, d, pthread_mutex_unlock(&recursive));
}

CHECK(errorcheck_initializer)
{
	int unowned = pthread_mutex_unlock(&checking), a = pthread_mutex_lock(&checking);
	int b = pthread_mutex_lock(&checking), other = -1;
	std::thread([&] { other = pthread_mutex_unlock(&checking); }).join();
	say("%d %d %d %d %d", unowned, a, b, other, pthread_mutex_unlock(&checking));
}

CHECK(adaptive_initializer)
{
	int a = pthread_mutex_lock(&adaptive), other = -1;
	std::thread([&] { other = pthread_mutex_trylock(&adaptive); }).join();
	say("%d %d %d", a, other, pthread_mutex_unlock(&adaptive));
}

CHECK(first_locks_at_once)
{
	long wrong = 0;
	for (int round = 0; round < 200; round++) {
		pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
		long n = 0;
		std::vector<std::thread> threads;
		for (int i = 0; i < 4; i++)
			threads.emplace_back([&] {
				for (int j = 0; j < 100; j++) {
					pthread_mutex_lock(&mutex);
					pthread_mutex_lock(&mutex);
					n++;
					pthread_mutex_unlock(&mutex);
					pthread_mutex_unlock(&mutex);
				}
			});
		for (auto &t : threads) t.join();
		wrong += n != 400;
	}
	say("%ld", wrong);
}

CHECK(mutex_attributes)
{
	for (int type = 0; type < 5; type++) {
		pthread_mutexattr_t a;
		pthread_mutex_t m;
		pthread_mutexattr_init(&a);
		int set = pthread_mutexattr_settype(&a, type);
		pthread_mutex_init(&m, &a);
		int first = pthread_mutex_lock(&m), second = pthread_mutex_trylock(&m);
		say("%d: %d %d %d", type, set, first, second);
	}
}

CHECK(condition_waits)
{
	std::mutex m;
	std::condition_variable c;
	std::unique_lock<std::mutex> lock(m);
	auto from = steady_clock::now();
	c.wait_for(lock, milliseconds(50));
	auto between = steady_clock::now();
	c.wait_until(lock, system_clock::now() + milliseconds(50));
	auto end = steady_clock::now();
	say("%d %d", between - from >= milliseconds(49) && between - from < seconds(5),
		end - between >= milliseconds(45) && end - between < seconds(5));
}

CHECK(timed_locks)
{
	std::timed_mutex timed;
	std::shared_timed_mutex shared;
	timed.lock();
	shared.lock_shared();
	std::thread([&] {
		auto from = steady_clock::now();
		bool a = timed.try_lock_for(milliseconds(30)), b = shared.try_lock_for(milliseconds(30));
		bool c = shared.try_lock_shared_for(milliseconds(30));
		say("%d %d %d %d", a, b, c, steady_clock::now() - from >= milliseconds(55));
	}).join();
	timed.unlock();
	shared.unlock_shared();
}

CHECK(clocks)
{
	pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	sem_t s;
	sem_init(&s, 0, 0);
	for (clockid_t clock : { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID }) {
		timespec past = { 1, 0 }, bad = { 1, 1000000000 };
		pthread_mutex_lock(&m);
		int a = pthread_cond_clockwait(&c, &m, clock, &past), b = pthread_cond_clockwait(&c, &m, clock, &bad);
		pthread_mutex_unlock(&m);
		errno = 0;
		int w = sem_clockwait(&s, clock, &past);
		say("%d %d %d %d", a, b, w, errno);
	}
}

CHECK(async)
{
	auto f = std::async(std::launch::async, [] { return 41; });
	std::promise<int> p;
	std::thread([&] { p.set_value(1); }).detach();
	say("%d", f.get() + p.get_future().get());
}

CHECK(once)
{
	std::once_flag flag;
	int runs = 0, caught = 0;
	for (int i = 0; i < 3; i++) {
		try {
			std::call_once(flag, [&] {
				if (++runs == 1) throw 7;
			});
		} catch (int x) {
			caught = x;
		}
	}
	std::once_flag outer, inner;
	try {
		std::call_once(outer, [&] { std::call_once(inner, [] { throw 3; }); });
	} catch (int x) {
		caught += 10 * x;
	}
	std::call_once(inner, [&] { runs += 100; });
	std::call_once(outer, [&] { runs += 1000; });
	say("%d %d", runs, caught);
}

static std::atomic<int> destroyed;
static thread_local struct Destroyed {
	int x = 7;
	~Destroyed() { destroyed += x; }
} counted;

CHECK(thread_local_objects)
{
	for (int i = 0; i < 5; i++) std::thread([] { counted.x++; }).join();
	say("%d", destroyed.load());
}

static pthread_key_t key;
struct Order {
	const char *name;
	~Order() { say("%s %d", name, pthread_getspecific(key) != nullptr); }
};

CHECK(order_of_destructors)
{
	pthread_key_create(&key, [](void *) { say("key"); });
	std::thread([] {
		static thread_local Order a = { "a" };
		static thread_local Order b = { "b" };
		pthread_setspecific(key, &a);
		say("%s%s", a.name, b.name);
	}).join();
}

CHECK(order_at_exit)
{
	pthread_key_create(&key, nullptr);
	if (pid_t pid = fork()) {
		int status;
		waitpid(pid, &status, 0);
		say("%d", status);
		return;
	}
	static thread_local Order a = { "thread_local" };
	atexit([] { say("atexit"); });
	say("%s", a.name);
	exit(3);
}

CHECK(fork_handlers)
{
	static int n;
	pthread_atfork([] { n = n * 10 + 1; }, [] { n = n * 10 + 2; }, [] { n = n * 10 + 3; });
	pid_t pid = fork();
	if (!pid) _exit(n);
	int status;
	waitpid(pid, &status, 0);
	say("%d %d", n, WEXITSTATUS(status));
}

CHECK(large_stack)
{
	int sum = 0;
	std::thread([&] {
		volatile char room[6 << 20];
		room[0] = 1;
		room[sizeof room - 1] = 2;
		sum = room[0] + room[sizeof room - 1];
	}).join();
	say("%d", sum);
}

CHECK(cpu_sets)
{
	cpu_set_t *set = CPU_ALLOC(300);
	size_t size = CPU_ALLOC_SIZE(300);
	CPU_ZERO_S(size, set);
	CPU_SET_S(299, size, set);
	say("%zu %d %d", size, CPU_COUNT_S(size, set), sched_getscheduler(0));
	CPU_FREE(set);
}

CHECK(rwlock_kinds)
{
	pthread_rwlockattr_t a;
	pthread_rwlock_t l;
	pthread_rwlockattr_init(&a);
	int r = pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&l, &a);
	int write = pthread_rwlock_wrlock(&l), read = pthread_rwlock_tryrdlock(&l);
	say("%d %d %d %d", r, pthread_rwlockattr_setkind_np(&a, 17), write, read);
}

static std::atomic<int> ended;

CHECK(keys)
{
	static pthread_key_t keys[1000];
	int n = 0;
	while (n < 1000 && !pthread_key_create(keys + n, [](void *value) { ended += value == keys || value == keys + 999; })) n++;
	say("%d %ld", n, sysconf(_SC_THREAD_KEYS_MAX));
	auto body = [] {
		for (int i = 0; i < 1000; i++) if (pthread_setspecific(keys[i], keys + i)) say("%d", i);
		int same = 0;
		for (int i = 0; i < 1000; i++) same += pthread_getspecific(keys[i]) == keys + i;
		if (same != 1000) say("%d", same);
	};
	for (int i = 0; i < 3; i++) {
		std::thread(body).join(); // also with the last one's stack
		say("%d", ended.load());
	}
	std::thread a(body), b(body);
	a.join();
	b.join();
	int before = 0;
	for (int i = 0; i < 1000; i++) before += pthread_getspecific(keys[i]) != nullptr;
	say("%d %d", ended.load(), before);
	for (int i = 0; i < 1000; i++) pthread_key_delete(keys[i]);
	n = 0;
	while (n < 500 && !pthread_key_create(keys + n, nullptr)) n++;
	say("%d", n);
}

CHECK(keys_run_out)
{
	pthread_key_t key;
	int n = 0, r;
	while (n < 5000 && !(r = pthread_key_create(&key, nullptr))) n++;
	say("%d %d", n > 1000 && n <= 1024, r == EAGAIN);
}
