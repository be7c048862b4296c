// printf and scanf, byte by byte, and streams: of bytes, of wide characters, in memory, with functions of one's own.
#include "check.h"
#include <cerrno>
#include <cfloat>
#include <climits>
#include <clocale>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <fcntl.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wctype.h>

#define SHOW(...) do { char shown[400]; int len = snprintf(shown, sizeof shown, __VA_ARGS__); say("[%s] %d", shown, len); } while (0)

CHECK(printf_integers)
{
	SHOW("%d %i %u %o %x %X", -5, 7, 4000000000u, 8, 255, 255);
	SHOW("%5d|%-5d|%05d|%+d|% d|%+5d|%-+5d|", 42, 42, 42, 42, 42, 42, 42);
	SHOW("%.3d|%.0d|%8.3d|%-8.3d|%08.3d|%+.3d", 5, 0, 5, 5, 5, 5);
	SHOW("%#o %#x %#X %#o %#x %#.3o", 8, 255, 255, 0, 0, 8);
	SHOW("%hhd %hd %ld %lld %jd %zd %td", 300, 70000, LONG_MIN, LLONG_MIN, (intmax_t)-1, (ssize_t)-2, (std::ptrdiff_t)-3);
	SHOW("%hhu %hu %lu %llu %ju %zu", 300, 70000, ULONG_MAX, ULLONG_MAX, UINTMAX_MAX, SIZE_MAX);
	SHOW("%*d|%-*d|%*d|%.*d|%.*d", 6, 1, 6, 2, -6, 3, 4, 4, -4, 5);
}

CHECK(printf_grouping_flag)
{
	SHOW("%'d %'.2f", 1234567, 1234567.5);
}

CHECK(printf_floats)
{
	const double numbers[] = { 0.0, -0.0, 1.5, 100000, 1e6, 123456789, 1e-5, 0.0001, 1e100, DBL_MIN, DBL_MAX, 2.5, 0.1 };
	for (double x : numbers) SHOW("%f %e %g %a", x, x, x, x);
	for (double x : numbers) SHOW("%.0f %.0e %.0g %#.0f %#g %.17g", x, x, x, x, x, x);
	for (double x : { 0.5, 1.5, 2.5, 0.125, 9.9999995 }) SHOW("%.0f %.2f %.6f %.1e %.3g", x, x, x, x, x);
	SHOW("%12.3f|%-12.3f|%012.3f|%+.1f|% .1f|%+012.1e|", 3.14159, 3.14159, -3.14159, 2.0, 2.0, 12345.678);
	SHOW("%.1a %.0a %a %A %.3a %20a|%-20a|", 1.999, 1.5, 1e-300, 0.1, 0.1, 1.0, 1.0);
}

CHECK(printf_special_floats)
{
	SHOW("%f %F %e %G %a %A", INFINITY, INFINITY, -INFINITY, INFINITY, INFINITY, -INFINITY);
	SHOW("%f %F %g", NAN, NAN, -NAN);
	SHOW("%10f|%-10f|%010f|%+f|% f", INFINITY, -INFINITY, INFINITY, INFINITY, NAN);
}

CHECK(printf_long_doubles)
{
	SHOW("%Lf %Le %Lg", 1.5L, 1e4000L, 1e-4000L);
	SHOW("%.25Lf %.20Lg", 0.1L, 0.1L);
	SHOW("%Lf %Lg", LDBL_MAX / 1e4600L, LDBL_MIN);
}

CHECK(printf_strings)
{
	SHOW("%s|%10s|%-10s|%.2s|%10.2s|%-10.2s|%.0s", "abc", "abc", "abc", "abc", "abc", "abc", "abc");
	SHOW("%c|%5c|%-5c|%%", 'x', 'y', 'z');
	SHOW("%s", (char *)nullptr);
	SHOW("%p %10p|", (void *)0x1234, (void *)0xab);
	SHOW("%.*s", 3, "abcdef");
	SHOW("%ls|%5ls|%.2ls|%lc", L"wide", L"wi", L"wide", (wint_t)L'w');
}

CHECK(printf_positions)
{
	SHOW("%2$s %1$s %2$s", "a", "b");
	SHOW("%1$*2$d|%1$-*2$d|%3$.*2$f", 42, 6, 3.14159265);
	SHOW("%9$d %8$d %7$d %6$d %5$d %4$d %3$d %2$d %1$d", 1, 2, 3, 4, 5, 6, 7, 8, 9);
}

CHECK(printf_counts)
{
	int a = 0;
	long b = 0;
	signed char c = 0;
	short d = 0;
	SHOW("abc%n12%ln3%hhn4%hn", &a, &b, &c, &d);
	say("%d %ld %d %d", a, b, c, d);
}

CHECK(printf_errno)
{
	errno = EACCES;
	SHOW("%m|%20m|%.4m");
	SHOW("%m and %s", "more");
}

CHECK(printf_limits)
{
	char b[8] = "-------";
	int n = snprintf(b, 4, "%s", "abcdefgh");
	say("%d %s %c", n, b, b[5]);
	n = snprintf(b, 1, "%d", 12345);
	say("%d %d", n, b[0]);
	n = snprintf(nullptr, 0, "%*d", 500, 1);
	say("%d", n);
}

CHECK(printf_bad_wide_character)
{
	setlocale(LC_ALL, "C");
	errno = 0;
	char b[40];
	int n = snprintf(b, sizeof b, "%ls", L"\x20ac");
	say("%d %d", n, errno == EILSEQ);
	setlocale(LC_ALL, "C.UTF-8");
	n = snprintf(b, sizeof b, "%ls|%.4ls|%5lc|", L"\x20ac", L"\x20ac\x20ac", (wint_t)0xe9);
	say("%d %s", n, b);
	setlocale(LC_ALL, "C");
}

CHECK(dprintf_and_asprintf)
{
	int fds[2];
	char b[20] = "";
	int r = pipe(fds), n = dprintf(fds[1], "%d-%s", 5, "x");
	ssize_t got = read(fds[0], b, sizeof b - 1);
	say("%d %d %zd %s", r, n, got, b);
	char *made = nullptr;
	n = asprintf(&made, "%0*d", 300, 7);
	say("%d %zu %c", n, strlen(made), made[299]);
	free(made);
}

CHECK(scanf_integers)
{
	int a = -1, b = -1, c = -1, d = -1;
	int r = sscanf("12 -7 0x1f 077", "%d %d %i %i", &a, &b, &c, &d);
	say("%d %d %d %d %d", r, a, b, c, d);
	unsigned x = 0, o = 0;
	r = sscanf("ff 17", "%x %o", &x, &o);
	say("%d %u %u", r, x, o);
	r = sscanf("123456", "%2d%3d%d", &a, &b, &c);
	say("%d %d %d %d", r, a, b, c);
	signed char h = 0;
	short s = 0;
	long long l = 0;
	r = sscanf("100 3000 9223372036854775807", "%hhd %hd %lld", &h, &s, &l);
	say("%d %d %d %lld", r, h, s, l);
	size_t z = 0;
	intmax_t j = 0;
	r = sscanf("5 -6", "%zu%jd", &z, &j);
	say("%d %zu %jd", r, z, j);
	a = -1;
	say("%d %d", sscanf("abc", "%d", &a), a);
	say("%d", sscanf("  ", "%d", &a));
	say("%d %d", sscanf("+", "%d", &a), sscanf("-", "%i", &a));
}

CHECK(scanf_floats)
{
	float f = 0;
	double d = 0;
	long double l = 0;
	int r = sscanf("1.5 -2e3 0x1.8p1", "%f %lf %Lf", &f, &d, &l);
	say("%d %g %g %Lg", r, f, d, l);
	r = sscanf("inf nan", "%lf %f", &d, &f);
	say("%d %d %d", r, std::isinf(d), std::isnan(f));
	r = sscanf("3.14159", "%4lf", &d);
	say("%d %g", r, d);
}

CHECK(scanf_text)
{
	char a[20] = "", b[20] = "", c[20] = "";
	int n = 0, r = sscanf("word  another:third", "%s %[^:]:%s%n", a, b, c, &n);
	say("%d %s|%s|%s|%d", r, a, b, c, n);
	r = sscanf("abc123", "%3c%[0-9]", a, b);
	say("%d %.3s %s", r, a, b);
	r = sscanf("]x-z", "%[]x]%[-z]", a, b);
	say("%d %s %s", r, a, b);
	r = sscanf("skip 7", "%*s %d", &n);
	say("%d %d", r, n);
	r = sscanf("50%", "%d%%%n", &n, &r);
	say("%d", n);
	char *m = nullptr, *p = nullptr;
	r = sscanf("allocated set9", "%ms %m[a-z]", &m, &p);
	say("%d %s %s", r, m, p);
	free(m);
	free(p);
	wchar_t w[10] = {};
	r = sscanf("wide", "%ls", w);
	say("%d %ls", r, w);
	void *q = nullptr;
	r = sscanf("0x1234", "%p", &q);
	say("%d %d", r, q == (void *)0x1234);
	say("%d %d", sscanf("", "%s", a), sscanf("x", "y"));
}

CHECK(scanf_of_a_stream)
{
	FILE *f = tmpfile();
	fputs("1 2 x 3", f);
	rewind(f);
	int a = 0, b = 0, c = 0;
	say("%d", fscanf(f, "%d %d %d", &a, &b, &c));
	say("%c %d %d", fgetc(f), fscanf(f, "%d", &c), c);
	say("%d %d", fscanf(f, "%d", &c), feof(f) != 0);
	fclose(f);
}

CHECK(stream_modes)
{
	char name[] = "/tmp/glibc-modes-XXXXXX";
	close(mkstemp(name));
	for (const char *mode : { "r", "w", "a", "r+", "w+", "a+", "wx", "re", "q" }) {
		errno = 0;
		FILE *f = fopen(name, mode);
		int flags = f ? fcntl(fileno(f), F_GETFL) & (O_ACCMODE | O_APPEND) : -1;
		say("%s: %d %d %d", mode, f != nullptr, flags, f ? fcntl(fileno(f), F_GETFD) : errno);
		if (f) fclose(f);
	}
	unlink(name);
	say("%d %d", fopen("/nowhere/x", "r") == nullptr, errno);
}

CHECK(stream_positions)
{
	FILE *f = tmpfile();
	fputs("0123456789", f);
	say("%ld %d %c", ftell(f), fseek(f, 3, SEEK_SET), fgetc(f));
	say("%d %c %ld", fseek(f, 2, SEEK_CUR), fgetc(f), ftell(f));
	say("%d %c", fseek(f, -1, SEEK_END), fgetc(f));
	say("%d %d", fgetc(f), feof(f) != 0);
	say("%d %d", fseek(f, -100, SEEK_SET), errno == EINVAL);
	fpos_t at;
	rewind(f);
	fgetc(f);
	say("%d", fgetpos(f, &at));
	fgetc(f);
	say("%d %c", fsetpos(f, &at), fgetc(f));
	say("%c %c %ld", ungetc('x', f), fgetc(f), ftell(f));
	rewind(f);
	say("%d %ld", ungetc('y', f) == 'y', ftell(f));
	say("%c%c", fgetc(f), fgetc(f));
	fclose(f);
}

CHECK(stream_buffers)
{
	for (int mode : { _IOFBF, _IOLBF, _IONBF }) {
		int fds[2];
		char b[20] = "";
		if (pipe(fds)) return;
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		FILE *f = fdopen(fds[1], "w");
		say("%d", setvbuf(f, nullptr, mode, mode == _IONBF ? 0 : 4096));
		fputs("text", f);
		say("%zd", read(fds[0], b, sizeof b));
		fputs("\n", f);
		say("%zd", read(fds[0], b, sizeof b));
		fflush(f);
		say("%zd", read(fds[0], b, sizeof b));
		fclose(f);
		close(fds[0]);
	}
}

CHECK(stream_extensions)
{
	FILE *f = tmpfile();
	say("%d %d %d %d", __freading(f), __fwriting(f), __freadable(f) != 0, __fwritable(f) != 0);
	fputs("abc", f);
	say("%zu %d", __fpending(f), __fwriting(f) != 0);
	__fpurge(f);
	say("%zu", __fpending(f));
	fputs("xyz", f);
	rewind(f);
	fgetc(f);
	say("%d %d", __freading(f) != 0, __flbf(f) != 0);
	say("%d", __fsetlocking(f, FSETLOCKING_QUERY));
	fclose(f);
}

CHECK(lines)
{
	FILE *f = tmpfile();
	fputs("one\ntwo;three\n\nlast", f);
	rewind(f);
	char *line = nullptr;
	size_t size = 0;
	say("%zd %s", getline(&line, &size, f), line);
	say("%zd %s", getdelim(&line, &size, ';', f), line);
	while (getline(&line, &size, f) > 0) say("%s|", line);
	say("%d %d", feof(f) != 0, ferror(f));
	free(line);
	char small[4];
	rewind(f);
	say("%s|", fgets(small, 4, f));
	say("%s|", fgets(small, 4, f));
	say("%d", fgets(small, 1, f) == small && !*small);
	fclose(f);
}

CHECK(memory_streams)
{
	char b[16] = "previous text";
	FILE *f = fmemopen(b, 8, "w");
	say("%d", fprintf(f, "%s", "ab"));
	fflush(f);
	say("%s %d", b, fclose(f));
	f = fmemopen((void *)"read me", 7, "r");
	char got[10] = "";
	say("%zu %s %d", fread(got, 1, 9, f), got, feof(f) != 0);
	say("%d %c", fseek(f, 2, SEEK_SET), fgetc(f));
	fclose(f);
	char *made = nullptr;
	size_t size = 0;
	f = open_memstream(&made, &size);
	fputs("hello", f);
	fflush(f);
	say("%s %zu", made, size);
	fputs(" world", f);
	fclose(f);
	say("%s %zu", made, size);
	free(made);
	wchar_t *wide = nullptr;
	f = open_wmemstream(&wide, &size);
	fputws(L"wide", f);
	fclose(f);
	say("%ls %zu", wide, size);
	free(wide);
}

static ssize_t cookie_read(void *c, char *to, size_t n)
{
	int *left = (int *)c;
	size_t i;
	for (i = 0; i < n && *left > 0; i++) to[i] = '0' + (*left)-- % 10;
	return i;
}
static ssize_t cookie_write(void *, const char *from, size_t n)
{
	say("%zu %.*s", n, (int)n, from);
	return n;
}
static int cookie_close(void *) { return say("closed"), 0; }

CHECK(streams_of_functions)
{
	int left = 12;
	cookie_io_functions_t io = { cookie_read, cookie_write, nullptr, cookie_close };
	FILE *f = fopencookie(&left, "r", io);
	char b[30];
	say("%s", fgets(b, sizeof b, f));
	say("%d %d", feof(f) != 0, fileno(f));
	fclose(f);
	f = fopencookie(&left, "w", io);
	fputs("written", f);
	fclose(f);
}

CHECK(wide_streams)
{
	setlocale(LC_ALL, "C.UTF-8");
	FILE *f = tmpfile();
	say("%d", fwide(f, 0));
	say("%d", fwide(f, 1) > 0);
	say("%d", fputws(L"\xe9t\xe9 \x20ac\n", f) >= 0);
	say("%d", fwprintf(f, L"%d %ls %s\n", 5, L"w\xe9", "narrow"));
	rewind(f);
	wchar_t line[40];
	say("%d", fgetws(line, 40, f) == line);
	say("%x %x %zu", (unsigned)line[0], (unsigned)line[4], wcslen(line));
	int n = 0;
	wchar_t a[10] = {}, b[10] = {};
	say("%d", fwscanf(f, L"%d %ls %ls", &n, a, b));
	say("%d %x %ls", n, (unsigned)a[1], b);
	say("%d", fgetwc(f) == L'\n');
	say("%d", fgetwc(f) == WEOF);
	say("%d", feof(f) != 0);
	rewind(f);
	say("%d", ungetwc(L'\x20ac', f) == L'\x20ac');
	say("%x", (unsigned)fgetwc(f));
	say("%x", (unsigned)getwc(f));
	fclose(f);
	setlocale(LC_ALL, "C");
}

CHECK(wide_stream_that_is_no_text)
{
	setlocale(LC_ALL, "C.UTF-8");
	int fds[2];
	if (pipe(fds) || write(fds[1], "a\xff" "b", 3) != 3) return;
	close(fds[1]);
	FILE *f = fdopen(fds[0], "r");
	say("%x", (unsigned)fgetwc(f));
	errno = 0;
	say("%d", fgetwc(f) == WEOF);
	say("%d", errno == EILSEQ);
	fclose(f);
	setlocale(LC_ALL, "C");
}

#define WSHOW(...) do { wchar_t shown[200]; int len = swprintf(shown, 200, __VA_ARGS__); say("[%ls] %d", shown, len); } while (0)

CHECK(wide_printf)
{
	WSHOW(L"%d %5.2f %s %ls %c %lc", 5, 3.14159, "narrow", L"wide", 'c', (wint_t)L'w');
	WSHOW(L"%-6s|%6s|%.2s|%-6ls|%.2ls|", "abc", "abc", "abc", L"abc", L"abc");
	WSHOW(L"%#x %e %g %a %lld", 255, 1e10, 1e-5, 1.0, LLONG_MAX);
	WSHOW(L"%2$d %1$d", 1, 2);
	wchar_t b[4];
	say("%d", swprintf(b, 4, L"%s", "too long") < 0);
}

CHECK(wide_scanf)
{
	int n = 0;
	wchar_t w[10];
	char s[10];
	double d = 0;
	say("%d", swscanf(L"12 word nar 2.5", L"%d %ls %s %lf", &n, w, s, &d));
	say("%d %ls %s %g", n, w, s, d);
	say("%d", swscanf(L"abc:7", L"%l[a-c]:%d", w, &n));
	say("%ls %d", w, n);
}

CHECK(errors_of_streams)
{
	FILE *f = fopen("/dev/full", "w");
	fputs("x", f);
	errno = 0;
	say("%d", fflush(f));
	say("%d %d", errno == ENOSPC, ferror(f) != 0);
	clearerr(f);
	say("%d", ferror(f));
	fclose(f);
	f = fopen("/dev/null", "r");
	errno = 0;
	say("%d", fputc('x', f));
	say("%d", ferror(f) != 0);
	fclose(f);
	errno = 0;
	say("%d", fdopen(999, "r") == nullptr);
	say("%d", errno == EBADF);
	int fd = open("/dev/null", O_RDONLY);
	say("%d", fdopen(fd, "w") == nullptr);
	say("%d", errno == EINVAL);
	close(fd);
}

CHECK(reopened)
{
	char name[] = "/tmp/glibc-reopen-XXXXXX", line[20] = "";
	close(mkstemp(name));
	FILE *f = fopen(name, "w");
	fputs("first", f);
	f = freopen(name, "r", f);
	say("%s", fgets(line, sizeof line, f));
	f = freopen(nullptr, "r+", f);
	say("%d", f != nullptr);
	if (f) fclose(f);
	say("%d %d", remove(name), remove(name) < 0 && errno == ENOENT);
}

CHECK(temporary_names)
{
	char a[] = "/tmp/x-XXXXXX.txt", b[] = "/tmp/d-XXXXXX", c[] = "/tmp/bad-XXXXX";
	int fd = mkstemps(a, 4);
	struct stat st;
	fstat(fd, &st);
	say("%d %o %s", fd >= 0, st.st_mode & 0777, a + strlen(a) - 4);
	say("%d", unlink(a));
	say("%d %d", mkdtemp(b) == b, rmdir(b));
	errno = 0;
	say("%d %d", mkstemp(c), errno);
	fd = mkostemp(strcpy(b, "/tmp/d-XXXXXX"), O_CLOEXEC);
	say("%d", fcntl(fd, F_GETFD));
	unlink(b);
}

CHECK(put_and_get_words)
{
	FILE *f = tmpfile();
	putw(123456789, f);
	rewind(f);
	say("%d", getw(f));
	fclose(f);
}
