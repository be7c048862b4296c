/* strfromd and similar (TS 18661-1 and -3; C23, 7.24.1.3) print a number as printf does. The format is for one number,
 * without a length, which printf takes for a double's. printf does not know numbers of 128 bits; the code below does. */
#include <float.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

int G(strfromd)(char *to, size_t size, const char *format, double x) { return snprintf(to, size, format, x); }
int G(strfromf)(char *to, size_t size, const char *format, float x) { return snprintf(to, size, format, (double)x); }
G_SAME(strfromf32, strfromf);
G_SAME(strfromf64, strfromd);
G_SAME(strfromf32x, strfromd);

int G(strfroml)(char *to, size_t size, const char *format, long double x)
{
	char with[32];
	size_t l = strlen(format);
	if (!l || l > sizeof with - 2) return -1;
	memcpy(with, format, l-1);
	with[l-1] = 'L';
	with[l] = format[l-1];
	with[l+1] = 0;
	return snprintf(to, size, with, x);
}
G_SAME(strfromf64x, strfroml);

#ifdef __SIZEOF_FLOAT128__
/* IEEE 754's binary128 has 112 bits of fraction. The code computes all decimal digits, so the result is exact. */
#define FRACTION 112
#define BIAS 16383
#define LEAST (1-BIAS) /* exponent of the smallest normal number */
#define BILLION 1000000000
/* The least number has 16,494 digits behind the point; the largest one 4,933 before it. */
#define WORDS_BEHIND 1833
#define WORDS_BEFORE 549

typedef unsigned __int128 bits;

struct text {
	char *to;
	size_t size, n;
};

static void put(struct text *t, char c, size_t times)
{
	for (; times; times--, t->n++)
		if (t->n + 1 < t->size) t->to[t->n] = c;
}

static void put_all(struct text *t, const char *s, size_t n)
{
	while (n--) put(t, *s++, 1);
}

/* Digits, the first one not zero, of 0.DIGITS * 10^point. */
struct decimal {
	int n, point;
	char digits[9*(WORDS_BEHIND+4)];
};

static void work_out(struct decimal *d, bits m, int exponent)
{
	uint32_t words[WORDS_BEFORE+WORDS_BEHIND], *point = words + WORDS_BEFORE, *first = point, *last = point, *p;
	size_t n = 0;
	for (; m; m /= BILLION) *--first = m % BILLION;
	while (exponent > 0) {
		int by = exponent < 29 ? exponent : 29;
		uint64_t carry = 0;
		exponent -= by;
		for (p = last; p-- > first; carry /= BILLION) *p = (carry += (uint64_t)*p << by) % BILLION;
		if (carry) *--first = carry;
	}
	while (exponent < 0) {
		int by = exponent > -9 ? -exponent : 9;
		uint32_t rest = 0;
		exponent += by;
		for (p = first; p < last; p++) {
			uint32_t left = *p & (1u<<by) - 1;
			*p = (*p >> by) + rest;
			rest = left * (BILLION >> by);
		}
		if (rest) *last++ = rest;
		if (first < last && !*first) first++;
	}
	d->point = 9*(point - first);
	for (p = first; p < last; p++) {
		uint32_t unit = BILLION/10, word = *p;
		for (; unit; word %= unit, unit /= 10) {
			char c = '0' + word/unit;
			if (n || c != '0') d->digits[n++] = c;
			else d->point--;
		}
	}
	d->n = n;
}

/* Round to `keep` digits: to the nearest, ties to even. */
static void round_at(struct decimal *d, int keep)
{
	int i, up = 0;
	if (keep >= d->n) return;
	if (keep < 0) {
		d->n = 0;
		return;
	}
	if (d->digits[keep] >= '5') {
		for (i = keep+1; i < d->n && d->digits[i] == '0'; i++);
		up = d->digits[keep] > '5' || i < d->n || (keep && (d->digits[keep-1] & 1));
	}
	d->n = keep;
	if (!up) return;
	for (i = keep; i && d->digits[i-1] == '9'; i--) d->digits[i-1] = '0';
	if (i) {
		d->digits[i-1]++;
		return;
	}
	if (keep) memmove(d->digits+1, d->digits, keep);
	d->digits[0] = '1';
	d->n++;
	d->point++;
}

static void put_digits(struct text *t, const struct decimal *d, int from, int n)
{
	for (; n > 0; n--, from++) put(t, from >= 0 && from < d->n ? d->digits[from] : '0', 1);
}

static void put_exponent(struct text *t, char letter, int e, const char *format)
{
	char s[16];
	put(t, letter, 1);
	put_all(t, s, snprintf(s, sizeof s, format, e));
}

static void put_decimal(struct text *t, struct decimal *d, char type, int precision)
{
	int e, strips = (type|32) == 'g', is_f = (type|32) == 'f';
	if (precision < 0) precision = 6;
	if (strips && !precision) precision = 1;
	round_at(d, is_f ? d->point + precision : strips ? precision : precision+1);
	e = d->n ? d->point-1 : 0;
	if (strips) {
		is_f = e >= -4 && e < precision;
		precision = is_f ? precision-1-e : precision-1;
		while (d->n && d->digits[d->n-1] == '0') d->n--;
		/* The digits behind the point without zeros at the end. */
		e = is_f ? d->n - d->point : d->n-1;
		if (precision > e) precision = e > 0 ? e : 0;
		e = d->n ? d->point-1 : 0;
	}
	if (is_f) {
		if (d->n && d->point > 0) put_digits(t, d, 0, d->point);
		else put(t, '0', 1);
		if (precision) put(t, '.', 1);
		put_digits(t, d, d->n ? d->point : 0, precision);
		return;
	}
	put_digits(t, d, 0, 1);
	if (precision) put(t, '.', 1);
	put_digits(t, d, 1, precision);
	put_exponent(t, type & 32 ? 'e' : 'E', e, "%+.2d");
}

static void put_hexadecimal(struct text *t, bits m, int e, char type, int precision)
{
	const char *digits = type & 32 ? "0123456789abcdef" : "0123456789ABCDEF";
	int n = FRACTION/4;
	if (precision >= 0 && precision < n) {
		int drop = 4*(n-precision);
		bits unit = (bits)1 << drop, rest = m & unit-1;
		m -= rest;
		if (rest > unit/2 || (rest == unit/2 && m & unit)) m += unit;
	}
	if (precision < 0)
		for (precision = n; precision && !(m >> 4*(n-precision) & 15); precision--);
	put_all(t, type & 32 ? "0x" : "0X", 2);
	put(t, digits[(int)(m >> FRACTION)], 1);
	if (precision) put(t, '.', 1);
	for (int i=1; i<=precision; i++) put(t, i<=n ? digits[(int)(m >> 4*(n-i)) & 15] : '0', 1);
	put_exponent(t, type & 32 ? 'p' : 'P', e, "%+d");
}

int G(strfromf128)(char *to, size_t size, const char *format, __float128 x)
{
	struct text t = { to, size };
	char type = format[strlen(format)-1];
	int precision = -1, e;
	bits m;
	if (format[1] == '.') precision = atoi(format+2);
	memcpy(&m, &x, sizeof m);
	e = (int)(m >> FRACTION) & 0x7fff;
	if (m >> 127) put(&t, '-', 1);
	m &= ((bits)1 << FRACTION) - 1;
	if (e == 0x7fff) put_all(&t, m ? type & 32 ? "nan" : "NAN" : type & 32 ? "inf" : "INF", 3);
	else {
		if (e) m |= (bits)1 << FRACTION;
		e = e ? e - BIAS : LEAST;
		if ((type|32) == 'a') put_hexadecimal(&t, m, m ? e : 0, type, precision);
		else {
			struct decimal d;
			work_out(&d, m, e - FRACTION);
			put_decimal(&t, &d, type, precision);
		}
	}
	if (size) to[t.n < size ? t.n : size-1] = 0;
	return t.n;
}
#endif
#endif
