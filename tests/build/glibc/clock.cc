// Times: strftime, strptime, mktime, zones, clocks and timers.
#include "check.h"
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <cwchar>
#include <initializer_list>
#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <unistd.h>

static void zone(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

CHECK(strftime_of_each_conversion)
{
	zone("EST5EDT,M3.2.0,M11.1.0");
	char text[100];
	for (time_t t : { (time_t)0, (time_t)1709164799, (time_t)1720000000, (time_t)-1 }) {
		tm at;
		localtime_r(&t, &at);
		for (const char *p = "aAbBcCdDeFgGhHIjklmMnprRsStTuUVwWxXyYzZ%"; *p; p++) {
			char format[] = { '%', *p, 0 };
			size_t n = strftime(text, sizeof text, format, &at);
			if (*p != 'c') say("%c %zu %s", *p, n, text);
		}
	}
}

CHECK(strftime_flags)
{
	zone("UTC0");
	time_t t = 86400 * 59 + 3723;
	tm at;
	gmtime_r(&t, &at);
	char text[100];
	for (const char *format : { "%-d", "%_d", "%05d", "%-H:%-M", "%_H", "%Ey %Od", "%10Y", "%+4Y", "%F", "" }) {
		size_t n = strftime(text, sizeof text, format, &at);
		if (strcmp(format, "%+4Y") && strcmp(format, "%10Y")) say("%s: %zu %s", format, n, n ? text : "");
	}
	say("%zu", strftime(text, 3, "%Y", &at));
}

CHECK(wide_strftime)
{
	zone("UTC0");
	time_t t = 86400 * 59 + 3723;
	tm at;
	gmtime_r(&t, &at);
	wchar_t text[60];
	say("%zu", wcsftime(text, 60, L"%A %d %B %Y %H:%M:%S", &at));
	say("%ls", text);
}

CHECK(strptime_formats)
{
	const char *pairs[][2] = {
		{ "2024-02-29 13:14:15", "%Y-%m-%d %H:%M:%S" }, { "Thu Feb 29 2024", "%a %b %d %Y" }, { "29/Feb/24", "%d/%b/%y" },
		{ "11:05 PM", "%I:%M %p" }, { "7 x", "%e x" }, { "70", "%y" }, { "68", "%y" },
		{ "2024-13-01", "%Y-%m-%d" }, { "abc", "%d" }, { "99%", "%C%%" }, { "13:14:15", "%T" },
		{ "02/29/24", "%D" }, { "13:14", "%R" }, { "Saturday december", "%A %B" },
	};
	for (auto &pair : pairs) {
		tm at{};
		at.tm_mday = 1;
		char *end = strptime(pair[0], pair[1], &at);
		say("%s: %d %d %d %d %d %d", pair[0], end ? (int)(end - pair[0]) : -1, end ? at.tm_year : 0, end ? at.tm_mon : 0, end ? at.tm_mday : 0,
			end ? at.tm_hour : 0, end ? at.tm_min * 60 + at.tm_sec : 0);
	}
}

CHECK(mktime_puts_in_order)
{
	zone("UTC0");
	tm at{};
	at.tm_year = 124;
	at.tm_mon = 13;
	at.tm_mday = 32;
	at.tm_hour = -5;
	at.tm_sec = 4000;
	time_t t = mktime(&at);
	say("%lld %d %d %d %d %d %d %d %d", (long long)t, at.tm_year, at.tm_mon, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, at.tm_wday, at.tm_yday);
	say("%lld", (long long)timegm(&at));
	at.tm_year = 0x7fffffff;
	at.tm_mon = 99;
	errno = 0;
	say("%lld", (long long)mktime(&at));
	say("%d", errno == EOVERFLOW);
}

CHECK(zones_by_rule)
{
	for (const char *name : { "UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0", "<+0330>-3:30", "NZST-12NZDT,M9.5.0,M4.1.0/3" }) {
		zone(name);
		for (time_t t : { (time_t)1704067200, (time_t)1719792000, (time_t)1711846800, (time_t)1730000000 }) {
			tm at;
			localtime_r(&t, &at);
			say("%s %d %d %d %ld %s %lld", name, at.tm_mday, at.tm_hour, at.tm_isdst, at.tm_gmtoff, at.tm_zone, (long long)mktime(&at));
		}
		say("%s %ld %d", tzname[0], timezone, daylight != 0);
	}
}

CHECK(zones_by_file)
{
	for (const char *name : { "Europe/Berlin", "America/New_York", "Asia/Kolkata", ":Australia/Sydney" }) {
		zone(name);
		for (time_t t : { (time_t)1704067200, (time_t)1719792000, (time_t)300000000 }) {
			tm at;
			localtime_r(&t, &at);
			say("%s %d %d %d %ld %s", name, at.tm_mday, at.tm_hour, at.tm_isdst, at.tm_gmtoff, at.tm_zone);
		}
	}
}

CHECK(hours_that_are_not_or_twice)
{
	zone("CET-1CEST,M3.5.0,M10.5.0/3");
	for (int isdst : { -1, 0, 1 }) {
		tm twice{}, never{};
		twice.tm_year = never.tm_year = 124;
		twice.tm_mon = 9;
		twice.tm_mday = 27;
		twice.tm_hour = never.tm_hour = 2;
		twice.tm_min = never.tm_min = 30;
		never.tm_mon = 2;
		never.tm_mday = 31;
		twice.tm_isdst = never.tm_isdst = isdst;
		long long a = mktime(&twice), b = mktime(&never);
		if (isdst >= 0) say("%d: %lld %lld", isdst, a, b);
		else say("%d", a == 1729989000 || a == 1729992600);
	}
}

CHECK(asctime)
{
	zone("UTC0");
	time_t t = 951782400;
	char b[40];
	say("%s", ctime(&t));
	tm at;
	say("%s", asctime(gmtime(&t)));
	say("%s", asctime_r(gmtime_r(&t, &at), b));
	say("%g", difftime(5, 2));
}

CHECK(clocks_of_all_kinds)
{
	for (clockid_t clock : { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
			CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, 99 }) {
		timespec at{}, step{};
		errno = 0;
		int r = clock_gettime(clock, &at), e = errno;
		say("%d %d %d", (int)clock, r, e);
		say("%d %d", clock_getres(clock, &step), at.tv_nsec >= 0 && at.tv_nsec < 1000000000);
	}
	timespec ts;
	say("%d", timespec_get(&ts, TIME_UTC));
	clockid_t own;
	say("%d", clock_getcpuclockid(getpid(), &own));
	timeval tv;
	say("%d", gettimeofday(&tv, nullptr));
	struct tms used;
	say("%d %d", times(&used) != (clock_t)-1, clock() >= 0);
}

CHECK(sleeps)
{
	timespec a, b, bad = { 0, 1000000000 }, little = { 0, 2000000 };
	clock_gettime(CLOCK_MONOTONIC, &a);
	say("%d", nanosleep(&little, nullptr));
	say("%d", usleep(1000));
	clock_gettime(CLOCK_MONOTONIC, &b);
	say("%d", (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec >= 3000000);
	errno = 0;
	say("%d", nanosleep(&bad, nullptr));
	say("%d", errno == EINVAL);
	say("%d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &a, nullptr));
	say("%d", clock_nanosleep(99, 0, &little, nullptr));
}

CHECK(timers)
{
	static volatile sig_atomic_t rang;
	signal(SIGALRM, [](int) { rang = 1; });
	itimerval often = { { 0, 2000 }, { 0, 2000 } }, none{}, left;
	say("%d", setitimer(ITIMER_REAL, &often, nullptr));
	pause();
	say("%d %d", (int)rang, getitimer(ITIMER_REAL, &left));
	say("%ld", (long)left.it_interval.tv_usec);
	say("%d", setitimer(ITIMER_REAL, &none, nullptr));
	timer_t timer;
	sigevent event{};
	event.sigev_notify = SIGEV_SIGNAL;
	event.sigev_signo = SIGALRM;
	event.sigev_value.sival_int = 7;
	say("%d", timer_create(CLOCK_MONOTONIC, &event, &timer));
	rang = 0;
	itimerspec soon = { { 0, 0 }, { 0, 2000000 } };
	sigset_t set, old;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, &old);
	say("%d", timer_settime(timer, 0, &soon, nullptr));
	siginfo_t info;
	say("%d", sigwaitinfo(&set, &info));
	say("%d %d %d", info.si_code == SI_TIMER, info.si_value.sival_int, timer_getoverrun(timer));
	say("%d", timer_delete(timer));
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	say("%d", timerfd_settime(fd, 0, &soon, nullptr));
	unsigned long long n = 0;
	say("%zd", read(fd, &n, sizeof n));
	say("%llu", n);
	close(fd);
}

CHECK(timer_in_a_thread)
{
	static volatile int value;
	timer_t timer;
	sigevent event{};
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_notify_function = [](sigval v) { value = v.sival_int; };
	event.sigev_value.sival_int = 42;
	say("%d", timer_create(CLOCK_REALTIME, &event, &timer));
	itimerspec soon = { { 0, 0 }, { 0, 1000000 } };
	timer_settime(timer, 0, &soon, nullptr);
	for (int i = 0; i < 1000 && !value; i++) usleep(1000);
	say("%d", value);
	timer_delete(timer);
}
