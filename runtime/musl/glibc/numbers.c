/* Numbers in text: errno; C23's strtol and similar, which read 0b101 in base 2 and 0 (7.24.1.7). */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* If there is no number, errno stays as it is: EINVAL is for an invalid base (strtol(3)). */
#define KEEPING_ERRNO(type, name, text, with, pass, has_base) \
type G(name)(const text *s, text **end with) \
{ \
	int e = errno; \
	text *stop; \
	type n = name(s, &stop pass); \
	if (stop == s && has_base) errno = e; \
	if (end) *end = stop; \
	return n; \
}
#define COMMA ,
#define INTEGER(type, name, text) KEEPING_ERRNO(type, name, text, COMMA int base, COMMA base, (!base || (base > 1 && base < 37)))
#define REAL(type, name, text) KEEPING_ERRNO(type, name, text, , , 1)
INTEGER(long, strtol, char) INTEGER(unsigned long, strtoul, char)
INTEGER(long long, strtoll, char) INTEGER(unsigned long long, strtoull, char)
INTEGER(intmax_t, strtoimax, char) INTEGER(uintmax_t, strtoumax, char)
INTEGER(long, wcstol, wchar_t) INTEGER(unsigned long, wcstoul, wchar_t)
INTEGER(long long, wcstoll, wchar_t) INTEGER(unsigned long long, wcstoull, wchar_t)
REAL(double, strtod, char) REAL(float, strtof, char) REAL(long double, strtold, char)
REAL(double, wcstod, wchar_t) REAL(float, wcstof, wchar_t) REAL(long double, wcstold, wchar_t)

/* The digits of a binary number with a prefix, or null. */
static const char *binary_digits(const char *s, int base, int *negative)
{
	if (base && base != 2) return 0;
	while (isspace((unsigned char)*s)) s++;
	*negative = *s == '-';
	if (*s == '-' || *s == '+') s++;
	return s[0] == '0' && (s[1]|32) == 'b' && (s[2] == '0' || s[2] == '1') ? s+2 : 0;
}

/* An overflow of strtoull exceeds every limit here. */
static long long with_sign(unsigned long long n, int negative, long long min, long long max)
{
	if (n > (unsigned long long)max + negative) {
		errno = ERANGE;
		return negative ? min : max;
	}
	return negative ? -n : n;
}

#define SIGNED(name, type, min, max) \
type G(__isoc23_##name)(const char *s, char **end, int base) \
{ \
	int negative; \
	const char *digits = binary_digits(s, base, &negative); \
	return digits ? with_sign(strtoull(digits, end, 2), negative, min, max) : G(name)(s, end, base); \
}
#define UNSIGNED(name, type, max) \
type G(__isoc23_##name)(const char *s, char **end, int base) \
{ \
	int negative; \
	const char *digits = binary_digits(s, base, &negative); \
	type n; \
	if (!digits) return G(name)(s, end, base); \
	n = name(digits, end, 2); \
	return negative && n != max ? -n : n; \
}

SIGNED(strtol, long, LONG_MIN, LONG_MAX)
SIGNED(strtoll, long long, LLONG_MIN, LLONG_MAX)
SIGNED(strtoimax, intmax_t, INTMAX_MIN, INTMAX_MAX)
UNSIGNED(strtoul, unsigned long, ULONG_MAX)
UNSIGNED(strtoull, unsigned long long, ULLONG_MAX)
UNSIGNED(strtoumax, uintmax_t, UINTMAX_MAX)

long G(__isoc23_strtol_l)(const char *s, char **end, int base, locale_t l) { return G(__isoc23_strtol)(s, end, base); }
unsigned long G(__isoc23_strtoul_l)(const char *s, char **end, int base, locale_t l) { return G(__isoc23_strtoul)(s, end, base); }
long long G(__isoc23_strtoll_l)(const char *s, char **end, int base, locale_t l) { return G(__isoc23_strtoll)(s, end, base); }
unsigned long long G(__isoc23_strtoull_l)(const char *s, char **end, int base, locale_t l) { return G(__isoc23_strtoull)(s, end, base); }
#endif
