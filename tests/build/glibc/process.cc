// Signals, the end of a process, fork, programs that are started, the environment, cancellation of threads.
#include "check.h"
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <initializer_list>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run in a child; say how it ended. */
template <class F> static void in_child(F f)
{
	pid_t pid = fork();
	if (!pid) {
		f();
		_exit(77);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	say("exit %d signal %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

CHECK(order_of_atexit)
{
	in_child([] {
		atexit([] { say("first"); });
		atexit([] { say("second"); atexit([] { say("made at the end"); }); });
		static struct Static { ~Static() { say("static"); } } object;
		atexit([] { say("third"); });
		exit(5);
	});
}

CHECK(quick_exits)
{
	in_child([] {
		atexit([] { say("not this"); });
		at_quick_exit([] { say("one"); });
		at_quick_exit([] { say("two"); });
		quick_exit(6);
	});
	in_child([] { _Exit(7); });
	in_child([] { abort(); });
}

CHECK(exit_of_a_thread)
{
	in_child([] {
		pthread_t t;
		pthread_create(&t, nullptr, [](void *) -> void * { exit(9); }, nullptr);
		pthread_join(t, nullptr);
	});
	in_child([] {
		pthread_t t;
		pthread_create(&t, nullptr, [](void *) -> void * { usleep(20000); say("still there"); return nullptr; }, nullptr);
		atexit([] { say("at the end"); });
		pthread_exit(nullptr);
	});
}

CHECK(buffers_at_the_end)
{
	in_child([] { printf("written by exit\n"); exit(0); });
	in_child([] { printf("lost\n"); _exit(0); });
}

CHECK(sets_of_signals)
{
	sigset_t a, b, c;
	sigemptyset(&a);
	sigfillset(&b);
	say("%d %d %d", sigisemptyset(&a), sigismember(&b, SIGINT), sigismember(&a, SIGINT));
	say("%d %d", sigaddset(&a, SIGUSR1), sigdelset(&b, SIGUSR1));
	say("%d %d", sigorset(&c, &a, &b), sigismember(&c, SIGUSR1));
	say("%d %d", sigandset(&c, &a, &b), sigismember(&c, SIGUSR1));
	errno = 0;
	say("%d", sigaddset(&a, 100));
	say("%d %zu", errno == EINVAL, sizeof a);
	say("%d", SIGRTMAX == 64);
}

CHECK(flags_of_handlers)
{
	static volatile sig_atomic_t seen;
	struct sigaction sa{}, old{};
	sa.sa_handler = [](int n) { seen = seen * 10 + n % 10; };
	sa.sa_flags = SA_RESETHAND | SA_RESTART;
	sigaddset(&sa.sa_mask, SIGUSR2);
	say("%d", sigaction(SIGUSR1, &sa, nullptr));
	say("%d", raise(SIGUSR1));
	sigaction(SIGUSR1, nullptr, &old);
	say("%d %d", (int)seen, old.sa_handler == SIG_DFL);
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGUSR1, &sa, nullptr);
	sigaction(SIGUSR1, nullptr, &old);
	say("%d %d %d", old.sa_flags & ~0x4000000, sigismember(&old.sa_mask, SIGUSR2), old.sa_handler == sa.sa_handler);
	say("%d", signal(SIGUSR1, SIG_IGN) == sa.sa_handler);
	errno = 0;
	say("%d", sigaction(SIGKILL, &sa, nullptr));
	say("%d", errno == EINVAL);
}

CHECK(interrupted_calls)
{
	int fds[2];
	if (pipe(fds)) return;
	struct sigaction sa{};
	sa.sa_handler = [](int) {};
	sigaction(SIGALRM, &sa, nullptr);
	ualarm(3000, 3000); /* again and again: the first may come too early */
	char c;
	errno = 0;
	say("%zd", read(fds[0], &c, 1));
	say("%d", errno == EINTR);
	ualarm(3000, 3000);
	errno = 0;
	say("%d", poll(nullptr, 0, 5000));
	say("%d", errno == EINTR);
	sa.sa_handler = [](int) { alarm(0); };
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, nullptr);
	static int end;
	end = fds[1];
	sa.sa_handler = [](int) { if (write(end, "x", 1) != 1) _exit(1); };
	sigaction(SIGALRM, &sa, nullptr);
	ualarm(3000, 3000);
	say("%zd", read(fds[0], &c, 1));
	ualarm(0, 0);
	say("%c", c);
}

CHECK(waiting_for_signals)
{
	sigset_t set, pending;
	sigemptyset(&set);
	for (int n : { SIGUSR1, SIGUSR2, SIGRTMIN + 3 }) sigaddset(&set, n);
	pthread_sigmask(SIG_BLOCK, &set, nullptr);
	sigval v;
	v.sival_int = 33;
	say("%d", sigqueue(getpid(), SIGRTMIN + 3, v));
	kill(getpid(), SIGUSR1);
	sigpending(&pending);
	say("%d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2));
	int n = 0;
	say("%d", sigwait(&set, &n));
	say("%d", n == SIGUSR1);
	siginfo_t info;
	say("%d", sigwaitinfo(&set, &info) == SIGRTMIN + 3);
	say("%d %d", info.si_value.sival_int, info.si_code == SI_QUEUE);
	timespec none = { 0, 1000 };
	errno = 0;
	say("%d", sigtimedwait(&set, &info, &none));
	say("%d", errno == EAGAIN);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	raise(SIGUSR2);
	signalfd_siginfo got;
	say("%zd", read(fd, &got, sizeof got));
	say("%d", got.ssi_signo == SIGUSR2);
	pthread_kill(pthread_self(), SIGUSR2);
	say("%d", sigwait(&set, &n));
	close(fd);
}

static sigjmp_buf back;

CHECK(other_stacks_and_jumps)
{
	static char room[65536];
	stack_t stack{}, old{};
	stack.ss_sp = room;
	stack.ss_size = sizeof room;
	say("%d", sigaltstack(&stack, nullptr));
	say("%d", sigaltstack(nullptr, &old));
	say("%d %d", old.ss_sp == room, old.ss_flags);
	struct sigaction sa{};
	static volatile int inside;
	sa.sa_sigaction = [](int, siginfo_t *info, void *) {
		char here;
		inside = &here > room && &here < room + sizeof room && info->si_addr == nullptr && info->si_code == SEGV_MAPERR;
		siglongjmp(back, 4);
	};
	sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &sa, nullptr);
	for (volatile int times = 0; times < 2; times = times + 1) {
		int r = sigsetjmp(back, 1);
		if (!r) *(volatile int *)nullptr = 1;
		say("%d %d", r, (int)inside);
	}
}

CHECK(masks_of_fork_and_threads)
{
	sigset_t set, now;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, nullptr);
	in_child([] {
		sigset_t mine;
		sigprocmask(0, nullptr, &mine);
		_exit(sigismember(&mine, SIGUSR1));
	});
	pthread_t t;
	void *r;
	pthread_create(&t, nullptr, [](void *) -> void * {
		sigset_t mine;
		pthread_sigmask(0, nullptr, &mine);
		return (void *)(long)sigismember(&mine, SIGUSR1);
	}, nullptr);
	pthread_join(t, &r);
	say("%ld", (long)r);
	errno = 0;
	say("%d", sigprocmask(99, &set, nullptr));
	say("%d %d", errno == EINVAL, pthread_sigmask(99, &set, &now));
}

CHECK(children)
{
	siginfo_t info{};
	rusage used{};
	int status = 0;
	pid_t pid = fork();
	if (!pid) _exit(12);
	say("%d", waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	say("%d %d %d", info.si_code == CLD_EXITED, info.si_status, info.si_pid == pid);
	say("%d", wait4(pid, &status, 0, &used) == pid);
	say("%d", WEXITSTATUS(status));
	say("%d", used.ru_maxrss > 0);
	errno = 0;
	say("%d", wait(&status));
	say("%d", errno == ECHILD);
	pid = fork();
	if (!pid) for (;;) pause();
	say("%d", waitpid(pid, &status, WNOHANG));
	kill(pid, SIGSTOP);
	say("%d", waitpid(pid, &status, WUNTRACED) == pid);
	say("%d", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	kill(pid, SIGCONT);
	say("%d", waitpid(pid, &status, WCONTINUED) == pid);
	say("%d", WIFCONTINUED(status) != 0);
	kill(pid, SIGKILL);
	say("%d", waitpid(pid, &status, 0) == pid);
	say("%d", WTERMSIG(status));
}

CHECK(programs)
{
	say("%d", WEXITSTATUS(system("exit 42")));
	say("%d", system(nullptr) != 0);
	in_child([] { execl("/bin/sh", "sh", "-c", "exit $#", "x", "1", "2", (char *)nullptr); });
	in_child([] {
		char *args[] = { (char *)"sh", (char *)"-c", (char *)"test \"$A\" = b", nullptr }, *env[] = { (char *)"A=b", nullptr };
		execvpe("sh", args, env);
	});
	in_child([] {
		execlp("no-such-program", "x", (char *)nullptr);
		_exit(errno == ENOENT ? 3 : 4);
	});
	FILE *f = popen("cat; exit 3", "w");
	fputs("through a pipe\n", f);
	say("%d", WEXITSTATUS(pclose(f)));
	errno = 0;
	say("%d", popen("x", "bad") == nullptr);
	say("%d", errno == EINVAL);
}

CHECK(spawn_attributes)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	char name[] = "/tmp/glibc-spawn-XXXXXX", text[20] = "";
	int fd = mkstemp(name);
	say("%d", posix_spawn_file_actions_addopen(&files, 1, name, O_WRONLY | O_TRUNC, 0600));
	say("%d", posix_spawn_file_actions_adddup2(&files, 1, 2));
	say("%d", posix_spawn_file_actions_addclose(&files, 0));
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	say("%d", posix_spawnattr_setsigdefault(&attributes, &set));
	say("%d", posix_spawnattr_setsigmask(&attributes, &set));
	say("%d", posix_spawnattr_setpgroup(&attributes, 0));
	say("%d", posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF));
	short flags = 0;
	posix_spawnattr_getflags(&attributes, &flags);
	pid_t pid = 0;
	char *args[] = { (char *)"sh", (char *)"-c", (char *)"echo out; echo err >&2", nullptr };
	say("%d %d", flags, posix_spawnp(&pid, "sh", &files, &attributes, args, environ));
	int status = 0;
	waitpid(pid, &status, 0);
	say("%d", status);
	say("%zd", read(fd, text, sizeof text - 1));
	say("%s", text);
	say("%d", posix_spawn(&pid, "/no/such", nullptr, nullptr, args, environ));
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	unlink(name);
	close(fd);
}

CHECK(environment)
{
	say("%d", setenv("CHECK_A", "1", 1));
	say("%s", getenv("CHECK_A"));
	say("%d", setenv("CHECK_A", "2", 0));
	say("%s", getenv("CHECK_A"));
	static char own[] = "CHECK_B=own";
	say("%d", putenv(own));
	say("%s", getenv("CHECK_B"));
	own[8] = 'O';
	say("%s", getenv("CHECK_B"));
	for (const char *bad : { "", "A=B" }) {
		errno = 0;
		say("%d", setenv(bad, "x", 1));
		say("%d", errno == EINVAL);
	}
	say("%d", unsetenv("CHECK_A"));
	say("%d", getenv("CHECK_A") == nullptr);
	say("%d", putenv((char *)"CHECK_B"));
	say("%d", getenv("CHECK_B") == nullptr);
	say("%s", secure_getenv("PATH") ? "there" : "none");
	say("%d", clearenv());
	say("%d", environ == nullptr || !*environ);
}

static volatile int sent;

static void *cancelled(void *(*f)(void *))
{
	pthread_t t;
	void *result = nullptr;
	pthread_create(&t, nullptr, f, nullptr);
	usleep(5000);
	int r = pthread_cancel(t);
	sent = 1;
	pthread_join(t, &result);
	say("%d %d", r, result == PTHREAD_CANCELED);
	return result;
}


CHECK(cancelled_waits)
{
	cancelled([](void *) -> void * { for (;;) pause(); });
	cancelled([](void *) -> void * { sleep(100); return nullptr; });
	cancelled([](void *) -> void * { poll(nullptr, 0, 100000); return nullptr; });
	cancelled([](void *) -> void * {
		static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
		static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
		pthread_mutex_lock(&m);
		pthread_cond_wait(&c, &m);
		return nullptr;
	});
	cancelled([](void *) -> void * {
		sem_t s;
		sem_init(&s, 0, 0);
		sem_wait(&s);
		return nullptr;
	});
}

CHECK(cancellation_that_is_put_off)
{
	cancelled([](void *) -> void * {
		int old = -1;
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
		say("%d", old == PTHREAD_CANCEL_ENABLE);
		while (!sent) usleep(1000);
		say("not yet");
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
		pthread_testcancel();
		say("never");
		return nullptr;
	});
	cancelled([](void *) -> void * {
		int old = -1;
		say("%d", pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old));
		say("%d", old == PTHREAD_CANCEL_DEFERRED);
		for (volatile long i = 0;; i = i + 1);
		return nullptr;
	});
	say("%d", pthread_setcancelstate(99, nullptr));
}

CHECK(thread_specific_data_of_a_cancelled_thread)
{
	static pthread_key_t key;
	pthread_key_create(&key, [](void *value) { say("%s", (const char *)value); });
	cancelled([](void *) -> void * {
		pthread_setspecific(key, "destroyed");
		for (;;) pause();
	});
}

CHECK(thread_attributes)
{
	pthread_attr_t a;
	size_t size = 0, guard = 0;
	int detached = -1;
	pthread_attr_init(&a);
	say("%d", pthread_attr_setstacksize(&a, 1 << 20));
	say("%d", pthread_attr_getstacksize(&a, &size));
	say("%zu", size);
	say("%d", pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED));
	say("%d", pthread_attr_getdetachstate(&a, &detached));
	say("%d", detached == PTHREAD_CREATE_DETACHED);
	say("%d", pthread_attr_setguardsize(&a, 8192));
	say("%d", pthread_attr_getguardsize(&a, &guard));
	say("%zu", guard);
	say("%d", pthread_attr_setstacksize(&a, 10));
	pthread_attr_destroy(&a);
	void *stack = nullptr;
	char here;
	say("%d", pthread_getattr_np(pthread_self(), &a));
	say("%d", pthread_attr_getstack(&a, &stack, &size));
	say("%d", &here > (char *)stack && &here < (char *)stack + size);
	char name[16] = "";
	say("%d", pthread_setname_np(pthread_self(), "named"));
	say("%d %s", pthread_getname_np(pthread_self(), name, sizeof name), name);
	say("%d", pthread_setname_np(pthread_self(), "a name that is too long"));
	sched_param p;
	int policy = -1;
	say("%d", pthread_getschedparam(pthread_self(), &policy, &p));
	say("%d %d", policy, p.sched_priority);
}

CHECK(barriers_and_spinlocks)
{
	static pthread_barrier_t barrier;
	static int serial;
	pthread_barrier_init(&barrier, nullptr, 3);
	pthread_t t[2];
	auto wait = [](void *) -> void * {
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
		return nullptr;
	};
	for (auto &x : t) pthread_create(&x, nullptr, wait, nullptr);
	wait(nullptr);
	for (auto &x : t) pthread_join(x, nullptr);
	say("%d %d", serial, pthread_barrier_destroy(&barrier));
	pthread_spinlock_t s;
	pthread_spin_init(&s, 0);
	say("%d", pthread_spin_lock(&s));
	say("%d", pthread_spin_trylock(&s) == EBUSY);
	say("%d", pthread_spin_unlock(&s));
	say("%d", pthread_equal(pthread_self(), pthread_self()) != 0);
	pthread_t joined;
	pthread_create(&joined, nullptr, [](void *) -> void * { return (void *)5; }, nullptr);
	timespec past = { 1, 0 };
	void *r = nullptr;
	usleep(5000);
	say("%d", pthread_timedjoin_np(joined, &r, &past) == 0 || pthread_join(joined, &r) == 0);
	say("%ld", (long)r);
}

CHECK(robust_and_shared_mutexes)
{
	auto *m = (pthread_mutex_t *)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	say("%d", pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED));
	say("%d", pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
	say("%d", pthread_mutex_init(m, &a));
	in_child([m] { _exit(pthread_mutex_lock(m)); });
	say("%d", pthread_mutex_lock(m) == EOWNERDEAD);
	say("%d", pthread_mutex_consistent(m));
	say("%d", pthread_mutex_unlock(m));
	say("%d", pthread_mutex_lock(m));
	say("%d", pthread_mutex_unlock(m));
}

CHECK(shared_memory)
{
	char name[40];
	snprintf(name, sizeof name, "/glibc-check-%d", getpid());
	int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	say("%d %d", fd >= 0, ftruncate(fd, 4096));
	char *p = (char *)mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	in_child([p] { strcpy(p, "from the child"); _exit(0); });
	say("%s %d", p, shm_unlink(name));
	sem_t *s = sem_open(name, O_CREAT | O_EXCL, 0600, 2);
	int value = -1;
	say("%d %d", s != SEM_FAILED, sem_getvalue(s, &value));
	say("%d", value);
	say("%d", sem_trywait(s));
	say("%d %d", sem_close(s), sem_unlink(name));
	int id = shmget(IPC_PRIVATE, 4096, 0600 | IPC_CREAT);
	struct shmid_ds ds{};
	say("%d", shmctl(id, IPC_STAT, &ds));
	say("%d", (int)ds.shm_segsz);
	say("%o", ds.shm_perm.mode & 0777);
	shmctl(id, IPC_RMID, nullptr);
	id = semget(IPC_PRIVATE, 3, 0600 | IPC_CREAT);
	union { int val; semid_ds *buf; } u;
	semid_ds sem{};
	u.buf = &sem;
	say("%d", semctl(id, 0, IPC_STAT, u));
	say("%d", (int)sem.sem_nsems);
	u.val = 5;
	say("%d", semctl(id, 1, SETVAL, u));
	say("%d", semctl(id, 1, GETVAL));
	semctl(id, 0, IPC_RMID);
}

CHECK(limits_and_names)
{
	rlimit l{}, old{};
	say("%d", prlimit(0, RLIMIT_CORE, nullptr, &old));
	l = { 0, old.rlim_max };
	say("%d", setrlimit(RLIMIT_CORE, &l));
	getrlimit(RLIMIT_CORE, &l);
	say("%llu", (unsigned long long)l.rlim_cur);
	utsname u;
	say("%d %s", uname(&u), u.sysname);
	say("%d %d", getpriority(PRIO_PROCESS, 0) >= -20, getpid() == getpgid(0) || getpgid(0) > 0);
	for (int name : { _SC_PAGESIZE, _SC_CLK_TCK, _SC_IOV_MAX }) say("%ld", sysconf(name));
	errno = 0;
	say("%ld", sysconf(9999));
	say("%d", errno == EINVAL);
	cpu_set_t set;
	say("%d", sched_getaffinity(0, sizeof set, &set));
	say("%d", CPU_COUNT(&set) > 0);
	say("%d %d", sched_get_priority_max(SCHED_FIFO), sched_get_priority_min(SCHED_OTHER));
}
