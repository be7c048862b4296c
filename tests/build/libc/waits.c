/* Checks of waits while malloc has memory to give back: waits CHECK;
 * without one, lists them.
 *
 * malloc gives memory back before a wait, so long waits are split in two
 * parts. Callers must see no difference: in how long a wait takes, what ends
 * it, and what it writes to its arguments. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

static void fail(int line, const char *what)
{
	dprintf(1, "waits.c:%d: %s (errno %d)\n", line, what, errno);
	_exit(1);
}

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec*1e-9;
}

/* Frees much memory shortly after much was given back: at the next wait it
 * is too early to give back more. */
enum { COUNT=30000 };
static void *blocks[COUNT];

static void churn(void)
{
	for (int i=0; i<COUNT; i++) {
		CHECK((blocks[i] = malloc(1000)));
		memset(blocks[i], 1, 1000);
	}
	for (int i=0; i<COUNT; i++) free(blocks[i]);
}

static void pending(void)
{
	churn();
	errno = 1234;
	/* A deferred cancellation may act here. */
	CHECK(poll(0, 0, 1) ? errno==EINTR : errno==1234);
	churn();
}

static int got;

static void count(int sig)
{
	got++;
}

/* How late a busy machine may be, in seconds. */
static const double late = 1.6;

/* Without SA_RESTART the signal is repeated each second: the first one may
 * arrive before the wait that it should end. */
static void signal_in(int ms, int flags)
{
	struct sigaction sa = { .sa_handler = count, .sa_flags = flags };
	CHECK(!sigaction(SIGALRM, &sa, 0));
	struct itimerval t = { .it_value = { ms/1000, ms%1000*1000 }, .it_interval.tv_sec = !flags };
	got = 0;
	CHECK(!setitimer(ITIMER_REAL, &t, 0));
}

/* Every kind of wait, for some milliseconds or without a limit. */
static int fds[2], ep;
static sem_t sem;
static struct timespec rest;

static int wait_poll(int ms)
{
	struct pollfd p = { .fd = fds[0], .events = POLLIN };
	return poll(&p, 1, ms);
}

static int wait_epoll(int ms)
{
	struct epoll_event e;
	return epoll_wait(ep, &e, 1, ms);
}

static int wait_select(int ms)
{
	fd_set r;
	struct timeval t = { ms/1000, ms%1000*1000 };
	FD_ZERO(&r);
	FD_SET(fds[0], &r);
	int n = select(fds[0]+1, &r, 0, 0, ms<0 ? 0 : &t);
	if (n==1) CHECK(FD_ISSET(fds[0], &r));
	if (n==0) CHECK(!FD_ISSET(fds[0], &r));
	return n;
}

static int wait_sem(int ms)
{
	struct timespec t;
	if (ms<0) return sem_wait(&sem);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += ms/1000;
	if ((t.tv_nsec += ms%1000*1000000)>=1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
	int r = sem_timedwait(&sem, &t);
	return r<0 && errno==ETIMEDOUT ? 0 : r;
}

static int wait_sleep(int ms)
{
	return nanosleep(&(struct timespec){ ms/1000, ms%1000*1000000 }, &rest);
}

static int wait_sleep_until(int ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms/1000;
	if ((t.tv_nsec += ms%1000*1000000)>=1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
	int r = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0);
	errno = r;
	return -!!r;
}

static const struct { int (*wait)(int); int forever, wakes; } kinds[] = {
	{ wait_poll, 1, 1 }, { wait_epoll, 1, 1 }, { wait_select, 1, 1 }, { wait_sem, 1, 0 },
	{ wait_sleep, 0, 0 }, { wait_sleep_until, 0, 0 },
};
enum { KINDS=sizeof kinds/sizeof *kinds };

static void set_up(void)
{
	CHECK(!pipe(fds) && !sem_init(&sem, 0, 0) && (ep = epoll_create1(0))>=0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &(struct epoll_event){ .events = EPOLLIN }));
}

static void timeouts_of(int k)
{
	static const int times[] = { 0, 5, 400, 2100, 2600 };
	for (int i=0; i<5; i++) {
		pending();
		double start = seconds();
		CHECK(kinds[k].wait(times[i])==0);
		double took = seconds()-start;
		CHECK(took >= times[i]/1000.-.001 && took < times[i]/1000.+late);
	}
}

/* Waits take as long as their timeout says. Each kind has its own process:
 * all wait at the same time. */
static void timeouts(void)
{
	pid_t children[KINDS];
	set_up();
	for (int k=0; k<KINDS; k++) {
		CHECK((children[k] = fork())>=0);
		if (!children[k]) timeouts_of(k), _exit(0);
	}
	for (int k=0; k<KINDS; k++) {
		int status;
		CHECK(waitpid(children[k], &status, 0)==children[k] && !status);
	}
}

/* A signal ends a wait, in either part. */
static void signals(void)
{
	static const int times[] = { 50, 900 };
	set_up();
	for (int k=0; k<KINDS; k++)
		for (int i=0; i<2; i++)
			for (int forever=0; forever<=kinds[k].forever; forever++) {
				pending();
				double start = seconds();
				signal_in(times[i], 0);
				CHECK(kinds[k].wait(forever ? -1 : 3000)==-1 && errno==EINTR);
				double took = seconds()-start;
				CHECK(got>=1 && !setitimer(ITIMER_REAL, &(struct itimerval){0}, 0));
				CHECK(took >= times[i]/1000.-.002 && took < times[i]/1000.+late);
				if (kinds[k].wait==wait_sleep) {
					double left = rest.tv_sec + rest.tv_nsec*1e-9;
					CHECK(left > 3-took-.2 && left < 3-took+late);
				}
			}
}

static void *post(void *arg)
{
	usleep(1200000);
	CHECK(!sem_post(&sem) && write(fds[1], "x", 1)==1);
	return 0;
}

/* A handler with SA_RESTART does not end a wait that is resumed. */
static void restarts(void)
{
	static const int times[] = { 50, 900 };
	set_up();
	for (int i=0; i<2; i++) {
		pthread_t t;
		char c;
		signal_in(times[i], SA_RESTART);
		pending();
		CHECK(!pthread_create(&t, 0, post, 0));
		CHECK(!sem_wait(&sem) && got==1);
		CHECK(!pthread_join(t, 0) && read(fds[0], &c, 1)==1);
		pending();
		signal_in(times[i], SA_RESTART);
		CHECK(!pthread_create(&t, 0, post, 0));
		CHECK(read(fds[0], &c, 1)==1 && got==1);
		CHECK(!pthread_join(t, 0) && !sem_wait(&sem));
	}
}

/* The expected event ends a wait, in either part. */
static void events(void)
{
	set_up();
	for (int k=0; k<KINDS; k++) {
		if (!kinds[k].wakes) continue;
		pthread_t t;
		char c;
		pending();
		CHECK(!pthread_create(&t, 0, post, 0));
		CHECK(kinds[k].wait(k%2 ? -1 : 5000)==1);
		CHECK(read(fds[0], &c, 1)==1 && !pthread_join(t, 0) && !sem_wait(&sem));
	}
}

/* A cancelled wait ends at once; if cancellation is disabled, it goes on. */
static void *wait_kind(void *arg)
{
	pending();
	kinds[(long)arg].wait(20000);
	return 0;
}

static void *wait_read(void *arg)
{
	char c;
	pending();
	read(fds[0], &c, 1);
	return 0;
}

static void *wait_off(void *arg)
{
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, 0);
	pending();
	return (void *)(long)(1 + kinds[(long)arg].wait(2300));
}

static void cancellation(void)
{
	set_up();
	for (long k=0; k<=KINDS; k++)
		for (int ms=50; ms<1000; ms+=700) {
			pthread_t t;
			void *result;
			CHECK(!pthread_create(&t, 0, k<KINDS ? wait_kind : wait_read, (void *)k));
			usleep(ms*1000);
			double start = seconds();
			CHECK(!pthread_cancel(t) && !pthread_join(t, &result) && result==PTHREAD_CANCELED);
			CHECK(seconds()<start+late);
		}
	for (long k=0; k<3; k++) {
		pthread_t t;
		void *result;
		CHECK(!pthread_create(&t, 0, wait_off, (void *)k));
		usleep(50000);
		CHECK(!pthread_cancel(t) && !pthread_join(t, &result) && (result==(void *)1 || result==0));
	}
}

/* A signal handler that waits may interrupt malloc and free. */
static void wait_in_handler(int sig)
{
	int e = errno;
	char c;
	poll(0, 0, 1);
	read(fds[0], &c, 1);
	got++;
	errno = e;
}

static void handlers(void)
{
	set_up();
	CHECK(!fcntl(fds[0], F_SETFL, O_NONBLOCK));
	struct sigaction sa = { .sa_handler = wait_in_handler, .sa_flags = SA_RESTART };
	struct itimerval t = { .it_value = { 0, 3000 }, .it_interval = { 0, 3700 } };
	CHECK(!sigaction(SIGALRM, &sa, 0) && !setitimer(ITIMER_REAL, &t, 0));
	double start = seconds();
	while (seconds()<start+3) {
		static struct { unsigned char *p; size_t n; } block[1000];
		for (int i=0; i<1000; i++) {
			size_t n = (i*7919u)%40000 + (i%50 ? 0 : 300000);
			CHECK((block[i].p = i%3 ? malloc(n) : calloc(1, n)));
			if (i%3==0) for (size_t k=0; k<n; k++) CHECK(!block[i].p[k]);
			memset(block[i].p, i, block[i].n = n);
		}
		for (int i=0; i<1000; i++) {
			for (size_t k=0; k<block[i].n; k++) CHECK(block[i].p[k]==(unsigned char)i);
			free(block[i].p);
		}
	}
	CHECK(got>100);
}

/* Waits in children of fork and vfork. */
static void children(void)
{
	for (int i=0; i<20; i++) {
		int status;
		pending();
		pid_t pid = i%2 ? fork() : vfork();
		CHECK(pid>=0);
		if (!pid) {
			poll(0, 0, 2);
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, 0);
			_exit(7);
		}
		CHECK(waitpid(pid, &status, 0)==pid && WEXITSTATUS(status)==7);
		churn();
	}
}

/* A read with its own timeout (SO_RCVTIMEO) keeps it. */
static void read_timeouts(void)
{
	int s[2];
	char c;
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	struct timeval t = { 0, 300000 };
	CHECK(!setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
	for (int i=0; i<3; i++) {
		pending();
		double start = seconds();
		CHECK(recv(s[0], &c, 1, 0)==-1 && errno==EAGAIN);
		CHECK(seconds()-start < .6);
		errno = 0;
		CHECK(recv(s[0], &c, 1, MSG_DONTWAIT)==-1 && errno==EAGAIN);
	}
}

static void no_more_signals(void)
{
	CHECK(got>=1 && !setitimer(ITIMER_REAL, &(struct itimerval){0}, 0));
}

/* A signal or data ends a read, in either part. Some reads have nothing to
 * wait for. */
static void reads(void)
{
	static const int times[] = { 50, 900 };
	pthread_t t;
	char c;
	set_up();
	for (int i=0; i<2; i++) {
		pending();
		double start = seconds();
		signal_in(times[i], 0);
		CHECK(read(fds[0], &c, 1)==-1 && errno==EINTR);
		no_more_signals();
		CHECK(seconds()-start > times[i]/1000.-.002 && seconds()-start < times[i]/1000.+late);
	}
	pending();
	CHECK(!pthread_create(&t, 0, post, 0));
	CHECK(read(fds[0], &c, 1)==1 && c=='x' && !pthread_join(t, 0) && !sem_wait(&sem));

	pending();
	double start = seconds();
	CHECK(!read(fds[0], &c, 0));
	int master = posix_openpt(O_RDWR|O_NOCTTY), terminal = -1;
	if (master>=0 && !grantpt(master) && !unlockpt(master)) terminal = open(ptsname(master), O_RDWR|O_NOCTTY);
	if (terminal>=0) {
		struct termios settings;
		CHECK(!tcgetattr(terminal, &settings));
		cfmakeraw(&settings);
		settings.c_cc[VMIN] = settings.c_cc[VTIME] = 0;
		CHECK(!tcsetattr(terminal, TCSANOW, &settings));
		CHECK(!read(terminal, &c, 1));
	}
	CHECK(seconds()-start < .4);
}

static void *unlock(void *fd)
{
	usleep(1200000);
	CHECK(!flock((long)fd, LOCK_UN));
	return 0;
}

/* A call waits for a lock that another process holds; a signal ends the wait. */
static void locks(void)
{
	char name[] = "lock-XXXXXX", c;
	long first = mkstemp(name), second = open(name, O_RDWR);
	CHECK(first>=0 && second>=0 && !unlink(name));
	set_up();
	pending();
	CHECK(!flock(first, LOCK_EX));
	pending();
	CHECK(flock(second, LOCK_EX|LOCK_NB)==-1 && errno==EWOULDBLOCK);
	pending();
	CHECK(flock(-1, LOCK_EX)==-1 && errno==EBADF);
	pending();
	signal_in(50, 0);
	CHECK(flock(second, LOCK_EX)==-1 && errno==EINTR);
	no_more_signals();
	pthread_t t;
	pending();
	double start = seconds();
	CHECK(!pthread_create(&t, 0, unlock, (void *)first));
	CHECK(!flock(second, LOCK_EX) && seconds()-start > 1 && !pthread_join(t, 0));
	pending();
	CHECK(!flock(second, LOCK_SH) && !flock(first, LOCK_SH));

	struct flock write_lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = fork();
	if (!pid) {
		CHECK(!fcntl(first, F_SETLKW, &write_lock) && write(fds[1], "x", 1)==1);
		usleep(1500000);
		_exit(0);
	}
	CHECK(pid>0 && read(fds[0], &c, 1)==1);
	pending();
	signal_in(50, 0);
	CHECK(fcntl(second, F_SETLKW, &write_lock)==-1 && errno==EINTR);
	no_more_signals();
	pending();
	start = seconds();
	CHECK(!fcntl(second, F_SETLKW, &write_lock) && seconds()-start > .5);
	CHECK(waitpid(pid, 0, 0)==pid);
	pending();
	CHECK(fcntl(-1, F_SETLKW, &write_lock)==-1 && errno==EBADF);
}

/* Calls that wait for signals only. */
static void pauses(void)
{
	static const int times[] = { 50, 900 };
	sigset_t none, alarm_;
	sigemptyset(&none);
	sigemptyset(&alarm_);
	sigaddset(&alarm_, SIGALRM);
	set_up();
	for (int i=0; i<2; i++) {
		pending();
		signal_in(times[i], 0);
		CHECK(pause()==-1 && errno==EINTR);
		no_more_signals();
	}
	CHECK(!sigprocmask(SIG_BLOCK, &alarm_, 0));
	for (int i=0; i<2; i++) {
		pending();
		signal_in(times[i], 0);
		if (i) usleep(1000000); /* the signal is pending before the wait */
		CHECK(sigsuspend(&none)==-1 && errno==EINTR);
		no_more_signals();
		pending();
		signal_in(times[i], 0);
		CHECK(sigtimedwait(&alarm_, 0, &(struct timespec){ 5, 0 })==SIGALRM && !got);
		got = 1;
		no_more_signals();
	}
	pending();
	double start = seconds();
	CHECK(sigtimedwait(&alarm_, 0, &(struct timespec){ 0, 100000000 })==-1 && errno==EAGAIN);
	CHECK(seconds()-start > .098 && seconds()-start < .1+late);
}

static const struct { const char *name; void (*run)(void); } checks[] = {
#define C(f) { #f, f }
	C(timeouts), C(signals), C(restarts), C(events), C(cancellation), C(handlers), C(children), C(read_timeouts),
	C(reads), C(locks), C(pauses),
};

#include "main.h"
