/* math.h: functions that musl has as macros only, or not at all. */
#define _GNU_SOURCE
#include <float.h>
#include <math.h>
#include <stdint.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* The result has the infinity's sign (isinf(3)). */
#define CLASSES(suffix, type) \
int G(isnan##suffix)(type x) { return x != x; } \
int G(isinf##suffix)(type x) { return !isinf(x) ? 0 : x > 0 ? 1 : -1; } \
int G(__isnormal##suffix)(type x) { return isnormal(x); }
CLASSES(, double)
CLASSES(f, float)
CLASSES(l, long double)
int G(finitel)(long double x) { return isfinite(x); }

/* A NaN whose fraction's first bit is 0 (IEEE 754-2008, 6.2.1). */
int G(__issignaling)(double x)
{
	union { double f; uint64_t i; } u = { x };
	return x != x && !(u.i>>51 & 1);
}

int G(__issignalingf)(float x)
{
	union { float f; uint32_t i; } u = { x };
	return x != x && !(u.i>>22 & 1);
}

#if LDBL_MANT_DIG == 64
int G(__issignalingl)(long double x)
{
	union { long double f; uint64_t i; } u = { x };
	return x != x && !(u.i>>62 & 1);
}
#endif

#ifdef __SIZEOF_FLOAT128__
int G(__issignalingf128)(__float128 x)
{
	union { __float128 f; uint64_t i[2]; } u = { x };
	uint64_t high = u.i[1] & INT64_MAX;
	return high>>48 == 0x7fff && !(high>>47 & 1) && (high<<17 || u.i[0]);
}
#endif

/* Bessel functions (bessel(3)), with the precision of a double: musl has no others. */
long double G(j0l)(long double x) { return j0(x); }
long double G(j1l)(long double x) { return j1(x); }
long double G(y0l)(long double x) { return y0(x); }
long double G(y1l)(long double x) { return y1(x); }
long double G(jnl)(int n, long double x) { return jn(n, x); }
long double G(ynl)(int n, long double x) { return yn(n, x); }

/* TS 18661-1: to the nearest, ties to even, in every rounding mode. */
double G(roundeven)(double x)
{
	double r = round(x); /* ties away from zero */
	return fabs(x - trunc(x)) == 0.5 && fmod(r, 2) ? r - copysign(1, x) : r;
}

float G(roundevenf)(float x)
{
	float r = roundf(x);
	return fabsf(x - truncf(x)) == 0.5f && fmodf(r, 2) ? r - copysignf(1, x) : r;
}
#endif
