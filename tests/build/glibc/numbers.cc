// Numbers: errno of functions that fail, exceptions of floating point, numbers as text, null pointers.
#include "check.h"
#include <cerrno>
#include <cfenv>
#include <cfloat>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <initializer_list>
#include <limits>
#include <unistd.h>

// The compiler must call the functions, whatever it knows of their results.
template <class T> static T given(T x)
{
	volatile T y = x;
	return y;
}

static const char *name_of(int e) { return !e ? "-" : e == EDOM ? "EDOM" : e == ERANGE ? "ERANGE" : "other"; }

template <class T> static T values[] = {
	0, -T(0), T(0.5), T(-0.5), 1, -1, 2, -2, -3, T(2.5), T(-2.5), 100, -100, 200, -200, 800, -800, 12000, -12000,
	std::numeric_limits<T>::max(), std::numeric_limits<T>::lowest(), std::numeric_limits<T>::min(),
	std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN(),
};

template <class T> static void tell(const char *name, T (*f)(T))
{
	printf("%s:", name);
	for (T x : values<T>) {
		errno = 0;
		T r = f(given(x));
		printf(" %s%c", name_of(errno), std::isnan(r) ? 'n' : std::isinf(r) ? 'i' : r == 0 ? '0' : '.');
	}
	say("");
}

template <class T> static void tell(const char *name, T (*f)(T, T))
{
	printf("%s:", name);
	int n = 0;
	for (T x : values<T>) for (T y : values<T>) {
		errno = 0;
		T r = f(given(x), given(y));
		const char *e = name_of(errno);
		printf("%s%c%c", n++ % 25 ? " " : "\n ", *e, std::isnan(r) ? 'n' : std::isinf(r) ? 'i' : r == 0 ? '0' : '.');
	}
	say("");
}

#define ALL_TYPES(name) tell<double>(#name, name); tell<float>(#name "f", name##f); tell<long double>(#name "l", name##l)

CHECK(errno_of_exponentials)
{
	ALL_TYPES(exp);
	ALL_TYPES(exp2);
	ALL_TYPES(exp10);
	ALL_TYPES(expm1);
	ALL_TYPES(cosh);
	ALL_TYPES(sinh);
}

CHECK(errno_of_logarithms)
{
	ALL_TYPES(log);
	ALL_TYPES(log2);
	ALL_TYPES(log10);
	ALL_TYPES(log1p);
	ALL_TYPES(sqrt);
}

CHECK(errno_of_angles)
{
	ALL_TYPES(sin);
	ALL_TYPES(cos);
	ALL_TYPES(tan);
	ALL_TYPES(acos);
	ALL_TYPES(asin);
	ALL_TYPES(acosh);
	ALL_TYPES(atanh);
	double sine, cosine;
	errno = 0;
	sincos(given(INFINITY), &sine, &cosine);
	say("%s", name_of(errno));
}

CHECK(errno_of_gammas)
{
	ALL_TYPES(lgamma);
	ALL_TYPES(tgamma);
	tell<double>("y0", y0);
	tell<double>("y1", y1);
}

CHECK(errno_of_functions_of_two_numbers)
{
	ALL_TYPES(pow);
	ALL_TYPES(fmod);
	ALL_TYPES(remainder);
	ALL_TYPES(hypot);
	ALL_TYPES(fdim);
	ALL_TYPES(atan2);
}

CHECK(errno_of_scaling)
{
	for (double x : values<double>) for (int n : { 0, 1, -1, 1000, -1000, 3000, -3000 }) {
		errno = 0;
		double a = ldexp(given(x), given(n));
		printf("%s ", name_of(errno));
		errno = 0;
		double b = scalbln(given(x), given((long)n));
		say("%s %d", name_of(errno), a == b);
	}
}

static sigjmp_buf out;
static void jump(int) { siglongjmp(out, 1); }

CHECK(exceptions_of_floating_point)
{
	say("%#x", fegetexcept());
	say("%#x", feenableexcept(FE_DIVBYZERO | FE_INVALID));
	say("%#x", fegetexcept());
	signal(SIGFPE, jump);
	volatile double zero = 0, sum = 0;
	volatile long double zero_of_x87 = 0;
	if (!sigsetjmp(out, 1)) {
		sum = 1 / zero;
		say("not stopped");
	} else say("stopped, %#x", fegetexcept());
	feenableexcept(FE_INVALID);
	if (!sigsetjmp(out, 1)) {
		sum = zero_of_x87 / zero_of_x87;
		say("not stopped");
	} else say("stopped");
	say("%#x", feenableexcept(FE_ALL_EXCEPT));
	say("%#x", fedisableexcept(FE_ALL_EXCEPT));
	say("%#x", fegetexcept());
	sum = 1 / zero;
	say("%d", std::isinf(sum));
}

CHECK(signaling_nans)
{
	say("%d %d", issignaling(__builtin_nansf("")), issignaling(__builtin_nanf("")));
	say("%d %d", issignaling(__builtin_nans("")), issignaling(__builtin_nan("")));
	static volatile long double signaling = __builtin_nansl(""), quiet = __builtin_nanl("");
	say("%d %d %d", issignaling(signaling), issignaling(quiet), issignaling(1.0L));
	unsigned long long bits[][2] = {
		{ 1, 0x7fff000000000000 }, { 0, 0x7fff000000000000 }, { 0, 0x7fff800000000000 }, { 0, 0xffff000000000001 }, { 5, 5 },
	};
	for (auto &b : bits) {
		__float128 x;
		memcpy(&x, b, sizeof x);
		printf("%d ", issignaling(x));
	}
	say("");
}

CHECK(numbers_as_text)
{
	char buf[64];
	for (const char *format : { "%f", "%e", "%g", "%a", "%.0f", "%.3e", "%.12g", "%.2a", "%G", "%E", "%F", "%A" })
		for (double x : { 0.0, -0.0, 1.0, -1.5, 0.1, 2.5, 1e10, 1e-10, 123456789.0, double(INFINITY), -double(NAN) }) {
			int n = strfromd(buf, sizeof buf, format, x);
			printf("%d %s", n, buf);
			n = strfromf(buf, sizeof buf, format, (float)x);
			printf(" %d %s", n, buf);
			if ((*(strchr(format, 0) - 1) | 32) == 'a') say(""); // musl's %a of a long double has another exponent
			else {
				n = strfroml(buf, sizeof buf, format, x);
				say(" %d %s", n, buf);
			}
		}
	say("%d %s", strfromd(buf, 4, "%f", 1234.5), buf);
	say("%d", strfroml(nullptr, 0, "%.100f", 1.0L));
}

// Numbers of 128 bits. No header of C++ declares it.
extern "C" int strfromf128(char *, size_t, const char *, __float128);

static void tell(const char *format, __float128 x)
{
	static char buf[20000];
	int n = strfromf128(buf, sizeof buf, format, x);
	say("%s %d %s", format, n, buf);
}

CHECK(numbers_of_128_bits_as_text)
{
	__float128 tenth = 1, third = 1, large = 1, small = 1;
	tenth /= given(10);
	third /= given(3);
	for (int i = 0; i < 16383; i++) large *= given(2);
	for (int i = 0; i < 16494; i++) small /= given(2);
	const __float128 all[] = {
		0, -(__float128)0.0, 1, -1, tenth, third, -third, large, small, small * 3, large / 3, 0.5, 1.5, 2.5, 0.25, 0.125,
		9.5, 99.5, 999999.5, 9999995, 0.0001, 0.00001, 0.00009999995, 123456789, 1e22, 1e-22, 1e300, 1e-300,
		(__float128)__LDBL_MAX__, (__float128)__LDBL_MIN__, __builtin_inf(), -__builtin_inf(), __builtin_nan(""),
	};
	for (__float128 x : all)
		for (const char *format : { "%f", "%e", "%g", "%a", "%.0f", "%.1f", "%.5f", "%.0e", "%.3e", "%.40e", "%.0g", "%.1g",
		     "%.3g", "%.36g", "%.0a", "%.1a", "%.5a", "%.30a", "%F", "%E", "%G", "%A" })
			tell(format, x);
	tell("%.17000f", small);
	tell("%.17000f", -large / 7);
	char buf[8];
	say("%d %s", strfromf128(buf, sizeof buf, "%.20f", tenth), buf);
	say("%d", strfromf128(nullptr, 0, "%f", large));
}

CHECK(numbers_of_128_bits_at_random)
{
	unsigned long long state = 1;
	for (int i = 0; i < 300; i++) {
		unsigned long long half[2];
		for (auto &h : half) {
			for (int k = 0; k < 8; k++) state = state * 6364136223846793005 + 1442695040888963407;
			h = state;
		}
		if (i % 3) half[1] = (half[1] & 0x8000ffffffffffff) | (unsigned long long)(0x3fff + i % 97 - 48) << 48;
		if (i % 5 == 0) half[0] = 0;
		__float128 x;
		memcpy(&x, half, sizeof x);
		for (const char *format : { "%e", "%.34e", "%g", "%.9g", "%a", "%.3f" }) tell(format, x);
	}
}

CHECK(null_pointers)
{
	void *none = given((void *)nullptr);
	say("[%p] [%10p] [%-10p] [%.2p] [%.9p] [%010p] [%+p] [%3p]", none, none, none, none, none, none, none, none);
	char buf[64];
	wchar_t wide[64];
	say("%d %s", snprintf(buf, sizeof buf, "%2$p %1$d", 3, none), buf);
	say("%d %ls", swprintf(wide, 64, L"[%p] [%8p] [%-8p]", none, none, (void *)0x123), wide);
	say("%p", (void *)0x123);
}
