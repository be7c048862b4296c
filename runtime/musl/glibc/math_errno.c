/* math.h: errno of functions that fail (math_error(7)). musl's functions do not set it, which C allows
 * (math_errhandling). EDOM: the argument has no result. ERANGE: a pole, or the result is too large, or became 0. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

#define TOO_LARGE (isfinite(x) && !isfinite(r))
#define TOO_LARGE_OR_SMALL (isfinite(x) && (!isfinite(r) || r == 0))
#define TOO_LARGE_2 (isfinite(x) && isfinite(y) && !isfinite(r))
#define IS_INTEGER(x) ((x) == floorl(x))

/* A function of one number for each type, with its conditions for EDOM and ERANGE. */
#define ONE(name, domain, range) ONE_OF(double, name, domain, range) ONE_OF(float, name##f, domain, range) \
	ONE_OF(long double, name##l, domain, range)
#define ONE_OF(type, f, domain, range) \
type G(f)(type x) \
{ \
	type r = f(x); \
	if (domain) errno = EDOM; \
	else if (range) errno = ERANGE; \
	return r; \
}
#define TWO(name, domain, range) TWO_OF(double, double, name, domain, range) TWO_OF(float, float, name##f, domain, range) \
	TWO_OF(long double, long double, name##l, domain, range)
#define TWO_OF(type, second, f, domain, range) \
type G(f)(type x, second y) \
{ \
	type r = f(x, y); \
	if (domain) errno = EDOM; \
	else if (range) errno = ERANGE; \
	return r; \
}

ONE(exp, 0, TOO_LARGE_OR_SMALL) ONE(exp2, 0, TOO_LARGE_OR_SMALL) ONE(exp10, 0, TOO_LARGE_OR_SMALL)
ONE(expm1, 0, TOO_LARGE) ONE(cosh, 0, TOO_LARGE) ONE(sinh, 0, TOO_LARGE)
ONE(log, x < 0, x == 0) ONE(log2, x < 0, x == 0) ONE(log10, x < 0, x == 0) ONE(log1p, x < -1, x == -1)
ONE(sqrt, x < 0, 0)
ONE(acos, x < -1 || x > 1, 0) ONE(asin, x < -1 || x > 1, 0)
ONE(acosh, x < 1, 0) ONE(atanh, x < -1 || x > 1, x == -1 || x == 1)
ONE(sin, isinf(x), 0) ONE(cos, isinf(x), 0) ONE(tan, isinf(x), 0)
ONE(lgamma, 0, TOO_LARGE)
ONE(tgamma, x < 0 && (isinf(x) || IS_INTEGER(x)), TOO_LARGE_OR_SMALL)
ONE_OF(double, y0, x < 0, x == 0) ONE_OF(float, y0f, x < 0, x == 0)
ONE_OF(double, y1, x < 0, x == 0) ONE_OF(float, y1f, x < 0, x == 0)

TWO(pow, TOO_LARGE_2 && isnan(r), TOO_LARGE_2 || (r == 0 && x != 0 && isfinite(x) && isfinite(y)))
TWO(fmod, !isnan(x) && !isnan(y) && (isinf(x) || y == 0), 0)
TWO(remainder, !isnan(x) && !isnan(y) && (isinf(x) || y == 0), 0)
TWO(hypot, 0, TOO_LARGE_2)
TWO(fdim, 0, TOO_LARGE_2)
TWO(atan2, 0, r == 0 && x != 0 && isfinite(y))

#define SCALED(name, second) TWO_OF(double, second, name, 0, x != 0 && TOO_LARGE_OR_SMALL) \
	TWO_OF(float, second, name##f, 0, x != 0 && TOO_LARGE_OR_SMALL) \
	TWO_OF(long double, second, name##l, 0, x != 0 && TOO_LARGE_OR_SMALL)
SCALED(ldexp, int) SCALED(scalbn, int) SCALED(scalbln, long)

#define BOTH(type, f) void G(f)(type x, type *sine, type *cosine) { f(x, sine, cosine); if (isinf(x)) errno = EDOM; }
BOTH(double, sincos) BOTH(float, sincosf) BOTH(long double, sincosl)
#endif
