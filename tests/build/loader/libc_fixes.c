/* Bugs that other patches of musl fix. */
#define _GNU_SOURCE
#include "check.h"
#include <iconv.h>
#include <math.h>
#include <time.h>
#include <unistd.h>

static int by_byte(const void *a, const void *b)
{
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

/* CVE-2026-40200: needs more elements than the 32nd Leonardo number
 * where a word has 32 bits; with 64 no memory is large enough. */
static void qsort_of_many(void)
{
	size_t n = 15000000;
	unsigned char *a = malloc(n);
	CHECK(a);
	for (size_t i = 0; i < n; i++) a[i] = (i * 2654435761u) >> 24;
	alarm(120);
	qsort(a, n, 1, by_byte);
	for (size_t i = 1; i < n; i++) CHECK(a[i-1] <= a[i]);
	free(a);
}

/* CVE-2026-6042: one character took about a second and was wrong. */
static void iconv_of_gb18030(void)
{
	static const struct { const char in[5], out[5]; } known[] = {
		{ "\x81\x30\x81\x30", "\xc2\x80" },         /* U+0080 */
		{ "\x81\x35\xee\x34", "\xe1\xb8\x80" },     /* U+1E00 */
		{ "\x82\x35\x8f\x33", "\xe9\xbe\xa6" },     /* U+9FA6 */
		{ "\x84\x31\xa4\x39", "\xef\xbf\xbf" },     /* U+FFFF */
		{ "\x90\x30\x81\x30", "\xf0\x90\x80\x80" }, /* U+10000 */
		{ "\xe3\x32\x9a\x35", "\xf4\x8f\xbf\xbf" }, /* U+10FFFF */
	};
	iconv_t cd = iconv_open("UTF-8", "GB18030");
	CHECK(cd != (iconv_t)-1);
	alarm(20);
	for (int round = 0; round < 1000; round++)
		for (unsigned i = 0; i < sizeof known/sizeof *known; i++) {
			char buf[8] = { 0 }, *in = (char *)known[i].in, *out = buf;
			size_t in_left = 4, out_left = sizeof buf;
			CHECK(iconv(cd, &in, &in_left, &out, &out_left) == 0);
			CHECK(!strcmp(buf, known[i].out));
		}
	char buf[8], *in = "\xe3\x32\x9a\x36", *out = buf;
	size_t in_left = 4, out_left = sizeof buf;
	CHECK(iconv(cd, &in, &in_left, &out, &out_left) == (size_t)-1);
	iconv_close(cd);
}

/* tzname[] is null until tzset is called. */
static void strptime_before_tzset(void)
{
	struct tm tm = { 0 };
	char *end = strptime("GARBLED rest", "%Z", &tm);
	CHECK(end && !strcmp(end, " rest"));
}

/* Already fixed upstream in 1.2.6; this notices if it comes back. */
static void fma_of_zero(void)
{
	volatile double tiny = 0x1p-1000, zero = 0;
	CHECK(signbit(fma(-tiny, tiny, zero)));
	CHECK(!signbit(fma(tiny, tiny, -zero)));
	CHECK(signbit(fma(-zero, tiny, -zero)));
	CHECK(!signbit(fma(-zero, tiny, zero)));
}

/* To the last places. */
static void exp2_of_fractions(void)
{
	volatile double x = 2.3, y = -0.7;
	CHECK(fabs(exp2(x) - 4.924577653379664) < 0x1p-48);
	CHECK(fabs(exp2(y) - 0.6155722066724582) < 0x1p-51);
}

static const struct { const char *name; void (*f)(void); } checks[] = {
	{ "strptime_before_tzset", strptime_before_tzset },
	{ "fma_of_zero", fma_of_zero },
	{ "exp2_of_fractions", exp2_of_fractions },
	{ "iconv_of_gb18030", iconv_of_gb18030 },
	{ "qsort_of_many", qsort_of_many },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc > 1 && i < sizeof checks/sizeof *checks; i++)
		if (!strcmp(argv[1], checks[i].name)) {
			checks[i].f();
			puts("ok");
			return 0;
		}
	for (unsigned i = 0; i < sizeof checks/sizeof *checks; i++) puts(checks[i].name);
	return 2;
}
