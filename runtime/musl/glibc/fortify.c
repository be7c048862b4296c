/* _FORTIFY_SOURCE: functions that get the size of the buffer, from glibc's headers in bits/. The size is -1 if the
 * compiler does not know it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>
#include "locale_impl.h"
#include "table.h"
#if LOADS_GLIBC

size_t G(confstr)(int, char *, size_t);

static _Noreturn void die(const char *why)
{
	struct iovec v[] = { { "*** ", 4 }, { (void *)why, strlen(why) }, { " ***: terminated\n", 17 } };
	ssize_t said = writev(2, v, 3);
	(void)said; /* there is nobody else to tell */
	abort();
}

_Noreturn void G(__fortify_fail)(const char *why) { die(why); }
_Noreturn void G(__chk_fail)(void) { die("buffer overflow detected"); }

/* Functions that write n bytes, or items, into a buffer with room for so many. */
#define FIT(n, room) do if ((size_t)(n) > (room)) G(__chk_fail)(); while (0)

/* A function whose n must not be above room. */
#define CHECKED(type, name, params, n, call) \
	type G(__##name##_chk) params { FIT(n, room); return call; }

/* string.h, strings.h */
CHECKED(void *, memcpy, (void *d, const void *s, size_t n, size_t room), n, memcpy(d, s, n))
CHECKED(void *, memmove, (void *d, const void *s, size_t n, size_t room), n, memmove(d, s, n))
CHECKED(void *, mempcpy, (void *d, const void *s, size_t n, size_t room), n, mempcpy(d, s, n))
CHECKED(void *, memset, (void *d, int c, size_t n, size_t room), n, memset(d, c, n))
CHECKED(char *, strcpy, (char *d, const char *s, size_t room), strlen(s)+1, strcpy(d, s))
CHECKED(char *, stpcpy, (char *d, const char *s, size_t room), strlen(s)+1, stpcpy(d, s))
CHECKED(char *, strncpy, (char *d, const char *s, size_t n, size_t room), n, strncpy(d, s, n))
CHECKED(char *, stpncpy, (char *d, const char *s, size_t n, size_t room), n, stpncpy(d, s, n))
CHECKED(char *, strcat, (char *d, const char *s, size_t room), strlen(d)+strlen(s)+1, strcat(d, s))
CHECKED(char *, strncat, (char *d, const char *s, size_t n, size_t room), strlen(d)+strnlen(s, n)+1, strncat(d, s, n))
CHECKED(size_t, strlcpy, (char *d, const char *s, size_t n, size_t room), n, strlcpy(d, s, n))
CHECKED(size_t, strlcat, (char *d, const char *s, size_t n, size_t room), n, strlcat(d, s, n))
void G(__explicit_bzero_chk)(void *d, size_t n, size_t room) { FIT(n, room); explicit_bzero(d, n); }

/* wchar.h, stdlib.h: counts of wide characters */
CHECKED(wchar_t *, wmemcpy, (wchar_t *d, const wchar_t *s, size_t n, size_t room), n, wmemcpy(d, s, n))
CHECKED(wchar_t *, wmemmove, (wchar_t *d, const wchar_t *s, size_t n, size_t room), n, wmemmove(d, s, n))
CHECKED(wchar_t *, wmemset, (wchar_t *d, wchar_t c, size_t n, size_t room), n, wmemset(d, c, n))
CHECKED(wchar_t *, wcscpy, (wchar_t *d, const wchar_t *s, size_t room), wcslen(s)+1, wcscpy(d, s))
CHECKED(wchar_t *, wcsncpy, (wchar_t *d, const wchar_t *s, size_t n, size_t room), n, wcsncpy(d, s, n))
CHECKED(wchar_t *, wcscat, (wchar_t *d, const wchar_t *s, size_t room), wcslen(d)+wcslen(s)+1, wcscat(d, s))
CHECKED(size_t, mbstowcs, (wchar_t *d, const char *s, size_t n, size_t room), n, mbstowcs(d, s, n))
CHECKED(size_t, wcstombs, (char *d, const wchar_t *s, size_t n, size_t room), n, wcstombs(d, s, n))
CHECKED(size_t, mbsrtowcs, (wchar_t *d, const char **s, size_t n, mbstate_t *st, size_t room), n, mbsrtowcs(d, s, n, st))
CHECKED(size_t, wcsrtombs, (char *d, const wchar_t **s, size_t n, mbstate_t *st, size_t room), n, wcsrtombs(d, s, n, st))
CHECKED(size_t, mbsnrtowcs, (wchar_t *d, const char **s, size_t of, size_t n, mbstate_t *st, size_t room), n,
	mbsnrtowcs(d, s, of, n, st))
CHECKED(size_t, wcsnrtombs, (char *d, const wchar_t **s, size_t of, size_t n, mbstate_t *st, size_t room), n,
	wcsnrtombs(d, s, of, n, st))
CHECKED(size_t, wcrtomb, (char *d, wchar_t c, mbstate_t *st, size_t room), d ? MB_CUR_MAX : 0, wcrtomb(d, c, st))
CHECKED(int, wctomb, (char *d, wchar_t c, size_t room), d ? MB_CUR_MAX : 0, wctomb(d, c))

/* unistd.h, sys/socket.h, poll.h */
CHECKED(ssize_t, read, (int fd, void *d, size_t n, size_t room), n, read(fd, d, n))
CHECKED(ssize_t, pread, (int fd, void *d, size_t n, off_t at, size_t room), n, pread(fd, d, n, at))
CHECKED(ssize_t, pread64, (int fd, void *d, size_t n, off_t at, size_t room), n, pread(fd, d, n, at))
CHECKED(ssize_t, recv, (int fd, void *d, size_t n, size_t room, int flags), n, recv(fd, d, n, flags))
CHECKED(ssize_t, recvfrom, (int fd, void *d, size_t n, size_t room, int flags, struct sockaddr *from, socklen_t *len), n,
	recvfrom(fd, d, n, flags, from, len))
CHECKED(ssize_t, readlink, (const char *path, char *d, size_t n, size_t room), n, readlink(path, d, n))
CHECKED(ssize_t, readlinkat, (int fd, const char *path, char *d, size_t n, size_t room), n, readlinkat(fd, path, d, n))
CHECKED(char *, getcwd, (char *d, size_t n, size_t room), n, getcwd(d, n))
CHECKED(char *, realpath, (const char *path, char *d, size_t room), d ? PATH_MAX : 0, realpath(path, d))
CHECKED(int, gethostname, (char *d, size_t n, size_t room), n, gethostname(d, n))
CHECKED(int, getdomainname, (char *d, size_t n, size_t room), n, getdomainname(d, n))
CHECKED(int, ttyname_r, (int fd, char *d, size_t n, size_t room), n, ttyname_r(fd, d, n))
CHECKED(size_t, confstr, (int name, char *d, size_t n, size_t room), n, G(confstr)(name, d, n))
CHECKED(int, getgroups, (int n, gid_t *d, size_t room), n > 0 ? n*sizeof *d : 0, getgroups(n, d))
CHECKED(int, poll, (struct pollfd *d, nfds_t n, int ms, size_t room), n > SIZE_MAX/sizeof *d ? SIZE_MAX : n*sizeof *d,
	poll(d, n, ms))
CHECKED(int, ppoll, (struct pollfd *d, nfds_t n, const struct timespec *t, const sigset_t *set, size_t room),
	n > SIZE_MAX/sizeof *d ? SIZE_MAX : n*sizeof *d, ppoll(d, n, t, set))

/* Index of a word in an fd_set: FD_SET and similar call it. */
long G(__fdelt_chk)(long fd)
{
	if (fd < 0 || fd >= FD_SETSIZE) die("bit out of range 0 - FD_SETSIZE on fd_set");
	return fd / (8*(long)sizeof(long));
}

/* stdio.h: reading */
CHECKED(char *, fgets, (char *d, size_t room, int n, FILE *f), n < 0 ? 0 : n, fgets(d, n, f))
CHECKED(char *, fgets_unlocked, (char *d, size_t room, int n, FILE *f), n < 0 ? 0 : n, fgets_unlocked(d, n, f))
CHECKED(size_t, fread, (void *d, size_t room, size_t size, size_t n, FILE *f),
	size && n > SIZE_MAX/size ? SIZE_MAX : size*n, fread(d, size, n, f))
CHECKED(size_t, fread_unlocked, (void *d, size_t room, size_t size, size_t n, FILE *f),
	size && n > SIZE_MAX/size ? SIZE_MAX : size*n, fread_unlocked(d, size, n, f))

/* stdio.h, wchar.h: printing. The flag forbids %n in writable formats, which is not checked here. */
int G(__vsnprintf_chk)(char *d, size_t n, int flag, size_t room, const char *fmt, va_list ap)
{
	FIT(n, room);
	return vsnprintf(d, n, fmt, ap);
}

int G(__vsprintf_chk)(char *d, int flag, size_t room, const char *fmt, va_list ap)
{
	int n = vsnprintf(d, room < INT_MAX ? room : INT_MAX, fmt, ap);
	if (n >= 0) FIT(n+1UL, room);
	return n;
}

int G(__vswprintf_chk)(wchar_t *d, size_t n, int flag, size_t room, const wchar_t *fmt, va_list ap)
{
	FIT(n, room);
	return vswprintf(d, n, fmt, ap);
}

int G(__vprintf_chk)(int flag, const char *fmt, va_list ap) { return vprintf(fmt, ap); }
int G(__vfprintf_chk)(FILE *f, int flag, const char *fmt, va_list ap) { return vfprintf(f, fmt, ap); }
int G(__vdprintf_chk)(int fd, int flag, const char *fmt, va_list ap) { return vdprintf(fd, fmt, ap); }
int G(__vasprintf_chk)(char **d, int flag, const char *fmt, va_list ap) { return vasprintf(d, fmt, ap); }
int G(__vwprintf_chk)(int flag, const wchar_t *fmt, va_list ap) { return vwprintf(fmt, ap); }
int G(__vfwprintf_chk)(FILE *f, int flag, const wchar_t *fmt, va_list ap) { return vfwprintf(f, fmt, ap); }
void G(__vsyslog_chk)(int priority, int flag, const char *fmt, va_list ap) { vsyslog(priority, fmt, ap); }

/* With `...` for the list. */
#define PRINT(name, params, last, call) int G(__##name##_chk) params { \
	int printed; \
	va_list ap; \
	va_start(ap, last); \
	printed = call; \
	va_end(ap); \
	return printed; \
}
PRINT(printf, (int flag, const char *fmt, ...), fmt, vprintf(fmt, ap))
PRINT(fprintf, (FILE *f, int flag, const char *fmt, ...), fmt, vfprintf(f, fmt, ap))
PRINT(dprintf, (int fd, int flag, const char *fmt, ...), fmt, vdprintf(fd, fmt, ap))
PRINT(asprintf, (char **d, int flag, const char *fmt, ...), fmt, vasprintf(d, fmt, ap))
PRINT(sprintf, (char *d, int flag, size_t room, const char *fmt, ...), fmt, G(__vsprintf_chk)(d, flag, room, fmt, ap))
PRINT(snprintf, (char *d, size_t n, int flag, size_t room, const char *fmt, ...), fmt,
	G(__vsnprintf_chk)(d, n, flag, room, fmt, ap))
PRINT(wprintf, (int flag, const wchar_t *fmt, ...), fmt, vwprintf(fmt, ap))
PRINT(fwprintf, (FILE *f, int flag, const wchar_t *fmt, ...), fmt, vfwprintf(f, fmt, ap))
PRINT(swprintf, (wchar_t *d, size_t n, int flag, size_t room, const wchar_t *fmt, ...), fmt,
	G(__vswprintf_chk)(d, n, flag, room, fmt, ap))

void G(__syslog_chk)(int priority, int flag, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsyslog(priority, fmt, ap);
	va_end(ap);
}

/* fcntl.h: open without a mode must not create. */
#define OPEN(name, params, call) int G(name) params { \
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) die("invalid open call: O_CREAT or O_TMPFILE without mode"); \
	return call; \
}
OPEN(__open_2, (const char *path, int flags), open(path, flags))
OPEN(__open64_2, (const char *path, int flags), open(path, flags))
OPEN(__openat_2, (int fd, const char *path, int flags), openat(fd, path, flags))
OPEN(__openat64_2, (int fd, const char *path, int flags), openat(fd, path, flags))

/* Not checked: whether the jump leads up the stack. With other stacks, glibc's check has exceptions itself. */
_Noreturn void G(__longjmp_chk)(jmp_buf buf, int value) { longjmp(buf, value); }

#endif
