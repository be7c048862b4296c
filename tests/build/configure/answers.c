/* Answers that CPython's configure would get by running a program: `answers KEY` prints yes or no.
 *
 * Each check measures the property itself, which configure's own program may test in part only. */
#include <errno.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#if __has_include(<ffi.h>)
#include <complex.h>
#include <ffi.h>
#endif

/* Opens a pseudo terminal; that the file exists is not enough. */
static int dev_ptmx(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	return fd >= 0 && !grantpt(fd) && !unlockpt(fd) && ptsname(fd);
}

static int dev_ptc(void)
{
	return !access("/dev/ptc", F_OK);
}

/* Numeric addresses and addresses to listen on. Names are not looked up: they depend on the machine. */
static int buggy_getaddrinfo(void)
{
	static const struct { const char *host; int flags, family, length; } cases[] = {
		{ "127.0.0.1", AI_NUMERICHOST, AF_INET, sizeof(struct sockaddr_in) },
		{ "::1", AI_NUMERICHOST, AF_INET6, sizeof(struct sockaddr_in6) },
		{ 0, AI_PASSIVE, AF_INET, sizeof(struct sockaddr_in) },
		{ 0, AI_PASSIVE, AF_INET6, sizeof(struct sockaddr_in6) },
		{ 0, 0, AF_INET, sizeof(struct sockaddr_in) },
		{ 0, 0, AF_INET6, sizeof(struct sockaddr_in6) },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addrinfo hints = { .ai_flags = cases[i].flags, .ai_socktype = SOCK_STREAM }, *found, *one;
		char host[64], port[16];
		int seen = 0;
		if (getaddrinfo(cases[i].host, "54321", &hints, &found))
			return 1;
		for (one = found; one; one = one->ai_next) {
			if (one->ai_family != cases[i].family)
				continue;
			if ((int)one->ai_addrlen != cases[i].length || one->ai_addr->sa_family != one->ai_family)
				return 1;
			if (getnameinfo(one->ai_addr, one->ai_addrlen, host, sizeof host, port, sizeof port,
					NI_NUMERICHOST | NI_NUMERICSERV) || strcmp(port, "54321"))
				return 1;
			const char *any = cases[i].family == AF_INET ? "0.0.0.0" : "::";
			const char *loop = cases[i].family == AF_INET ? "127.0.0.1" : "::1";
			if (strcmp(host, cases[i].flags & AI_PASSIVE ? any : loop))
				return 1;
			seen = 1;
		}
		freeaddrinfo(found);
		if (!seen)
			return 1;
	}
	return 0;
}

static int hour_and_zone(const char *zone, time_t when, int hour, const char *name)
{
	setenv("TZ", zone, 1);
	tzset();
	struct tm *local = localtime(&when);
	return local->tm_hour == hour && !strcmp(local->tm_zone, name);
}

static int working_tzset(void)
{
	time_t february = 1044144000, august = february + 365 * 24 * 3600 / 2;
	const char *south = "AEST-10AEDT-11,M10.5.0,M3.5.0";
	return hour_and_zone("UTC+0", february, 0, "UTC") && !timezone &&
		hour_and_zone("EST+5EDT,M4.1.0,M10.5.0", february, 19, "EST") && timezone == 5 * 3600 && daylight &&
		!strcmp(tzname[0], "EST") && !strcmp(tzname[1], "EDT") &&
		hour_and_zone(south, february, 11, "AEDT") && hour_and_zone(south, august, 22, "AEST");
}

static sem_t *new_semaphore(char *name)
{
	sprintf(name, "/configure-answers-%d", (int)getpid());
	return sem_open(name, O_CREAT | O_EXCL, 0600, 3);
}

static int posix_semaphores_enabled(void)
{
	char name[64];
	sem_t *semaphore = new_semaphore(name);
	if (semaphore == SEM_FAILED)
		return 0;
	return !sem_wait(semaphore) && !sem_post(semaphore) && !sem_close(semaphore) && !sem_unlink(name);
}

static int broken_sem_getvalue(void)
{
	char name[64];
	int before = -1, after = -1;
	sem_t *semaphore = new_semaphore(name);
	if (semaphore == SEM_FAILED)
		return 1;
	sem_unlink(name);
	return sem_getvalue(semaphore, &before) || sem_wait(semaphore) || sem_getvalue(semaphore, &after) ||
		before != 3 || after != 2;
}

static int broken_poll(void)
{
	struct pollfd closed = { .fd = dup(0), .events = POLLIN | POLLOUT };
	close(closed.fd);
	return poll(&closed, 1, 0) != 1 || closed.revents != POLLNVAL;
}

/* nice returns the new priority, and a second call adds to it. */
static int broken_nice(void)
{
	int start = getpriority(PRIO_PROCESS, 0);
	int wanted = start + 1 > 19 ? 19 : start + 1;
	int then = wanted + 2 > 19 ? 19 : wanted + 2;
	return nice(1) != wanted || nice(2) != then;
}

static int computed_gotos(void)
{
	static void *const steps[] = { &&add, &&twice, &&done };
	volatile int next = 0, value = 1;
	goto *steps[next];
add:
	value += 2;
	next = 1;
	goto *steps[next];
twice:
	value *= 2;
	next = 2;
	goto *steps[next];
done:
	return value == 6;
}

/* A CPU that needs alignment stops this with SIGBUS, or reads a wrong value. */
static int aligned_required(void)
{
	volatile unsigned char bytes[32];
	unsigned long long all;
	for (int i = 0; i < 32; i++)
		bytes[i] = i;
	for (int offset = 0; offset < 8; offset++) {
		volatile unsigned *word = (volatile unsigned *)(bytes + offset);
		volatile unsigned long long *wide = (volatile unsigned long long *)(bytes + offset);
		memcpy(&all, (const void *)(bytes + offset), sizeof all);
		if (*word != (unsigned)all || *wide != all)
			return 1;
		*wide = ~all;
		memcpy(&all, (const void *)(bytes + offset), sizeof all);
		if (*wide != all)
			return 1;
		*wide = ~all;
	}
	return 0;
}

static void *set_to_one(void *value)
{
	*(int *)value = 1;
	return 0;
}

static int runs_a_thread(pthread_attr_t *attributes)
{
	pthread_t thread;
	int value = 0;
	return !pthread_create(&thread, attributes, set_to_one, &value) && !pthread_join(thread, 0) && value;
}

/* The program is linked without -pthread. */
static int pthread_is_default(void)
{
	return runs_a_thread(0);
}

static int pthread_system_supported(void)
{
	pthread_attr_t attributes;
	return !pthread_attr_init(&attributes) && !pthread_attr_setscope(&attributes, PTHREAD_SCOPE_SYSTEM) &&
		runs_a_thread(&attributes);
}

static int broken_mbstowcs(void)
{
	wchar_t wide[8];
	return mbstowcs(0, "text", 0) != 4 || mbstowcs(wide, "text", 8) != 4 || wcscmp(wide, L"text");
}

static int wchar_t_signed(void)
{
	volatile wchar_t minus = (wchar_t)-1;
	return minus < 0;
}

static int rshift_extends_sign(void)
{
	volatile int minus = -1000;
	volatile long long wide = -1000;
	return minus >> 3 == -125 && wide >> 3 == -125;
}

static int x87_double_rounding(void)
{
	volatile double x = 0.99999999999999989, large = 1e16, small = 2.99999, quotient = 1. / x, sum = large + small;
	return quotient == 1. || sum == 1e16 + 4.;
}

#if __has_include(<ffi.h>) && defined FFI_TARGET_HAS_COMPLEX_TYPE
/* One call in each direction: checks the arguments and the result. */
static double complex turned(double complex z, float complex f)
{
	return z * I + f;
}

static int ffi_complex_double_supported(void)
{
	double complex z = 1.25 - .5 * I, result = 0;
	float complex f = 3 + 2 * I;
	ffi_type *types[] = { &ffi_type_complex_double, &ffi_type_complex_float };
	void *values[] = { &z, &f };
	ffi_cif cif;
	if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_complex_double, types) != FFI_OK)
		return 0;
	ffi_call(&cif, FFI_FN(turned), &result, values);
	return result == turned(z, f);
}
#else
static int ffi_complex_double_supported(void)
{
	return 0;
}
#endif

static const struct { const char *key; int (*measure)(void); } answers[] = {
	{ "ac_cv_file__dev_ptmx", dev_ptmx },
	{ "ac_cv_file__dev_ptc", dev_ptc },
	{ "ac_cv_buggy_getaddrinfo", buggy_getaddrinfo },
	{ "ac_cv_working_tzset", working_tzset },
	{ "ac_cv_posix_semaphores_enabled", posix_semaphores_enabled },
	{ "ac_cv_broken_sem_getvalue", broken_sem_getvalue },
	{ "ac_cv_broken_poll", broken_poll },
	{ "ac_cv_broken_nice", broken_nice },
	{ "ac_cv_computed_gotos", computed_gotos },
	{ "ac_cv_aligned_required", aligned_required },
	{ "ac_cv_pthread_is_default", pthread_is_default },
	{ "ac_cv_pthread_system_supported", pthread_system_supported },
	{ "ac_cv_broken_mbstowcs", broken_mbstowcs },
	{ "ac_cv_wchar_t_signed", wchar_t_signed },
	{ "ac_cv_rshift_extends_sign", rshift_extends_sign },
	{ "ac_cv_x87_double_rounding", x87_double_rounding },
	{ "ac_cv_ffi_complex_double_supported", ffi_complex_double_supported },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		if (argc > 1 && !strcmp(argv[1], answers[i].key)) {
			puts(answers[i].measure() ? "yes" : "no");
			return 0;
		}
	}
	printf("nothing measures %s\n", argc > 1 ? argv[1] : "no key");
	return 2;
}
