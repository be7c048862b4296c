/* libmvec: math functions for vectors (the x86_64 ABI for vector functions), which compilers call under -ffast-math.
 * They compute lane by lane, so the results are those of the scalar functions. */
#include <math.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC && defined __x86_64__

#define EACH(n) for (int i=0; i<n; i++)
#define VECTOR(type, n) typedef type type##n __attribute__((__vector_size__(n*sizeof(type))))
VECTOR(double, 2); VECTOR(double, 4); VECTOR(double, 8);
VECTOR(float, 4); VECTOR(float, 8); VECTOR(float, 16);

#define ONE(isa, cpu, type, n, f) \
	__attribute__((__target__(cpu))) type##n G(_ZGV##isa##N##n##v_##f)(type##n x) { EACH(n) x[i] = f(x[i]); return x; }
#define TWO(isa, cpu, type, n, f) \
	__attribute__((__target__(cpu))) type##n G(_ZGV##isa##N##n##vv_##f)(type##n x, type##n y) \
	{ EACH(n) x[i] = f(x[i], y[i]); return x; }
#define OF_ISA(isa, cpu, d, s) \
	ONE(isa, cpu, double, d, sin) ONE(isa, cpu, double, d, cos) ONE(isa, cpu, double, d, exp) \
	ONE(isa, cpu, double, d, log) TWO(isa, cpu, double, d, pow) \
	ONE(isa, cpu, float, s, sinf) ONE(isa, cpu, float, s, cosf) ONE(isa, cpu, float, s, expf) \
	ONE(isa, cpu, float, s, logf) TWO(isa, cpu, float, s, powf)
OF_ISA(b, "sse2", 2, 4)
OF_ISA(c, "avx", 4, 8)
OF_ISA(d, "avx2", 4, 8)
OF_ISA(e, "avx512f", 8, 16)
#endif
