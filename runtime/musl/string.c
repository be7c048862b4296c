/* The string functions in which programs spend their time, 16 bytes at a
 * time: SSE2 on x86, NEON on aarch64, by the compiler's vector types. Long
 * loops take twice 32 bytes. x86_64 has a second version for long strings,
 * with AVX2 (string_avx2.h); the first long string makes it ask the CPU for
 * AVX2. i386, which may lack SSE2, includes this file under other names.
 *
 * A vector is read if it is within the string, or within a page that holds
 * a byte of the string. So reads may go beyond the string, but never to a
 * page beyond it. musl compiles this with -ffreestanding: the compiler does
 * not turn a loop into a call of the function that it is in.
 */

#define _GNU_SOURCE
#include <string.h>
#include <stddef.h>
#include <stdint.h>

typedef unsigned char vec __attribute__((__vector_size__(16)));
typedef vec __attribute__((__aligned__(1), __may_alias__)) uvec;
typedef uint64_t __attribute__((__aligned__(1), __may_alias__)) u64;
typedef uint32_t __attribute__((__aligned__(1), __may_alias__)) u32;
typedef uint16_t __attribute__((__aligned__(1), __may_alias__)) u16;

/* Every page has this size or is larger. */
#define PAGE 4096
#define near_page_end(p) (((uintptr_t)(p) & PAGE-1) > PAGE-16)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define inline inline __attribute__((__always_inline__))
/* Keeps long cases in functions of their own, so that short ones need no stack frame. */
#define apart static __attribute__((__noinline__))

static inline vec load(const void *p)
{
	return *(const uvec *)p;
}

static inline void store(void *p, vec v)
{
	*(uvec *)p = v;
}

static inline vec all(unsigned char c)
{
	return (vec){ c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c };
}

static inline vec eq(vec a, vec b)
{
	return (vec)(a==b);
}

/* The lanes of a comparison as bits, STEP for each. */
#if defined(__x86_64__) || defined(__i386__)
#define STEP 1
typedef uint32_t mask;
static inline mask bits(vec v)
{
	typedef char chars __attribute__((__vector_size__(16)));
	return __builtin_ia32_pmovmskb128((chars)v);
}
#else
#define STEP 4
typedef uint64_t mask;
static inline mask bits(vec v)
{
	typedef uint16_t halves __attribute__((__vector_size__(16)));
	typedef unsigned char nibbles __attribute__((__vector_size__(8)));
	return (mask)__builtin_convertvector((halves)v>>4, nibbles);
}
#endif
#define ALL_BITS ((mask)-1 >> (8*sizeof(mask)-16*STEP))
#define first_bit(m) ((sizeof(mask)==8 ? __builtin_ctzll(m) : __builtin_ctz(m))/STEP)
#define last_bit(m) ((sizeof(mask)==8 ? 63-__builtin_clzll(m) : 31-__builtin_clz(m))/STEP)
#define without_bit(m, i) ((m) & ~((((mask)1<<STEP)-1) << (i)*STEP))

/* ---- long loops, and what the CPU can do for them ---- */

typedef unsigned char wide __attribute__((__vector_size__(32)));
typedef wide __attribute__((__aligned__(1), __may_alias__)) uwide;

static inline wide load_wide(const void *p)
{
	return *(const uwide *)p;
}

static inline wide all_wide(unsigned char c)
{
	return (wide){ c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c, c,c,c,c };
}

static inline wide eq_wide(wide a, wide b)
{
#ifdef __clang__
	return (wide)(a==b);
#else
	/* GCC compares vectors that are too wide for the CPU byte by byte. */
	union { wide w; vec v[2]; } x = { a }, y = { b };
	x.v[0] = eq(x.v[0], y.v[0]);
	x.v[1] = eq(x.v[1], y.v[1]);
	return x.w;
#endif
}

static inline int any(wide v)
{
#ifdef __clang__
	typedef uint64_t words __attribute__((__vector_size__(32)));
	return !!__builtin_reduce_or((words)v);
#else
	union { wide w; vec v[2]; } u = { v };
	return !!bits(u.v[0]|u.v[1]);
#endif
}

#if defined(__x86_64__) || defined(__i386__)
#define AVX2 1
#define STOSB 2
#define MOVSB 4
#define ASKED 8
/* The first four letters of "AuthenticAMD" and "HygonGenuine". */
#define VENDOR_AMD 0x68747541
#define VENDOR_HYGON 0x6f677948
static int asked;

static __attribute__((__noinline__, __cold__)) int ask_cpu(void)
{
	uint32_t a = 0, b, c = 0, d, most, vendor, xcr;
	int can = ASKED;
	__asm__ ("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	most = a, vendor = b;
	if (most >= 7) {
		a = 7, c = 0;
		__asm__ ("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		if (b & 1<<9) {
			can |= STOSB;
			/* AMD's take up to 20 times as long to copy, by the places (glibc's bug 30994). */
			if (vendor!=VENDOR_AMD && vendor!=VENDOR_HYGON) can |= MOVSB;
		}
		int avx2 = b & 1<<5;
		a = 1, c = 0;
		__asm__ ("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		/* Both the CPU and the kernel, which has to save it. */
		if (avx2 && c & 1<<27 && c & 1<<28) {
			__asm__ ("xgetbv" : "=a"(xcr), "=d"(d) : "c"(0));
			if ((xcr & 6)==6) can |= AVX2;
		}
	}
	__atomic_store_n(&asked, can, __ATOMIC_RELAXED);
	return can;
}

static inline int cpu_can(int what)
{
	int can = __atomic_load_n(&asked, __ATOMIC_RELAXED);
	if (unlikely(!can)) can = ask_cpu();
	return can & what;
}
#endif

#ifdef MOVSB
/* From this length on the CPU's own instruction is better, if the CPU says so. */
#define STRING_INSTRUCTION 4096

/* Not for overlapping memory: then it copies byte by byte. */
static inline int can_copy_by_instruction(const unsigned char *d, const unsigned char *s, size_t n)
{
	return n >= STRING_INSTRUCTION && (uintptr_t)s-(uintptr_t)d >= n && cpu_can(MOVSB);
}

static inline void *copy_by_instruction(unsigned char *d, const unsigned char *s, size_t n)
{
	vec a = load(s);
	size_t k = -(uintptr_t)d & 15;
	unsigned char *p = d+k;
	store(d, a);
	s += k;
	n -= k;
	__asm__ __volatile__ ("rep movsb" : "+D"(p), "+S"(s), "+c"(n) : : "memory");
	return d;
}

static inline int can_fill_by_instruction(size_t n)
{
	return n >= STRING_INSTRUCTION && cpu_can(STOSB);
}

static inline void *fill_by_instruction(unsigned char *d, int c, size_t n)
{
	unsigned char *p = d;
	__asm__ __volatile__ ("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
	return d;
}
#endif

/* Leaves more than a few vectors to AVX2, if the CPU has it. */
#if defined(__x86_64__) && defined(__clang__)
#include "string_avx2.h"
#define TRY_AVX2(call) do { if (cpu_can(AVX2)) return call; } while (0)
#else
#define TRY_AVX2(call) ((void)0)
#endif

/* ---- copying and filling ---- */

/* Everything is read before anything is written, so overlapping does not matter. */
static inline void copy_to_16(unsigned char *d, const unsigned char *s, size_t n)
{
	if (n>=8) {
		uint64_t a = *(u64 *)s, b = *(u64 *)(s+n-8);
		*(u64 *)d = a;
		*(u64 *)(d+n-8) = b;
	} else if (n>=4) {
		uint32_t a = *(u32 *)s, b = *(u32 *)(s+n-4);
		*(u32 *)d = a;
		*(u32 *)(d+n-4) = b;
	} else if (n) {
		unsigned char a = s[0], b = s[n/2], c = s[n-1];
		d[0] = a;
		d[n/2] = b;
		d[n-1] = c;
	}
}

/* Forwards, n>128, with aligned writes. The end is read first, because the
 * loop may overwrite it. */
apart void *forwards(unsigned char *d, const unsigned char *s, size_t n)
{
	unsigned char *p = (void *)(((uintptr_t)d & -32)+32), *end = d+n-64;
	ptrdiff_t from = s-d;
	wide a = load_wide(s), y = load_wide(s+n-64), z = load_wide(s+n-32), e, f;
	e = load_wide(p+from);
	f = load_wide(p+from+32);
	*(uwide *)d = a;
	for (;;) {
		*(wide *)p = e;
		*(wide *)(p+32) = f;
		p += 64;
		if (p>=end) break;
		e = load_wide(p+from);
		f = load_wide(p+from+32);
	}
	*(uwide *)end = y;
	*(uwide *)(end+32) = z;
	return d;
}

apart void *backwards(unsigned char *d, const unsigned char *s, size_t n)
{
	unsigned char *p = (void *)((uintptr_t)(d+n-1) & -32);
	ptrdiff_t from = s-d;
	wide z = load_wide(s+n-32), a = load_wide(s), b = load_wide(s+32), e, f;
	e = load_wide(p+from-32);
	f = load_wide(p+from-64);
	*(uwide *)(d+n-32) = z;
	for (;;) {
		*(wide *)(p-32) = e;
		*(wide *)(p-64) = f;
		p -= 64;
		if (p<=d+64) break;
		e = load_wide(p+from-32);
		f = load_wide(p+from-64);
	}
	*(uwide *)(d+32) = b;
	*(uwide *)d = a;
	return d;
}

apart void *copy_long(unsigned char *d, const unsigned char *s, size_t n)
{
	if ((uintptr_t)d-(uintptr_t)s < n) return backwards(d, s, n);
#ifdef MOVSB
	if (can_copy_by_instruction(d, s, n)) return copy_by_instruction(d, s, n);
#endif
	return forwards(d, s, n);
}

void *memmove(void *dest, const void *src, size_t n)
{
	unsigned char *d = dest;
	const unsigned char *s = src;
	if (n<16) {
		copy_to_16(d, s, n);
		return dest;
	}
	if (n<=32) {
		vec a = load(s), z = load(s+n-16);
		store(d, a);
		store(d+n-16, z);
		return dest;
	}
	if (n<=64) {
		vec a = load(s), b = load(s+16), y = load(s+n-32), z = load(s+n-16);
		store(d, a);
		store(d+16, b);
		store(d+n-32, y);
		store(d+n-16, z);
		return dest;
	}
	if (n<=128) {
		vec a = load(s), b = load(s+16), c = load(s+32), e = load(s+48);
		vec w = load(s+n-64), x = load(s+n-48), y = load(s+n-32), z = load(s+n-16);
		store(d, a);
		store(d+16, b);
		store(d+32, c);
		store(d+48, e);
		store(d+n-64, w);
		store(d+n-48, x);
		store(d+n-32, y);
		store(d+n-16, z);
		return dest;
	}
	TRY_AVX2(copy_avx2(d, s, n));
	return copy_long(d, s, n);
}

#ifndef __i386__
void *memcpy(void *restrict, const void *restrict, size_t) __attribute__((__alias__("memmove")));
#endif

/* On i386 musl's own is as good. */
#ifndef __i386__
apart void *fill(unsigned char *d, int c, size_t n)
{
	wide v = all_wide(c);
	unsigned char *p = (void *)(((uintptr_t)d & -32)+32), *end = d+n-64;
	*(uwide *)d = v;
	for (; p<end; p+=64) {
		*(wide *)p = v;
		*(wide *)(p+32) = v;
	}
	*(uwide *)end = v;
	*(uwide *)(end+32) = v;
	return d;
}

apart void *fill_long(unsigned char *d, int c, size_t n)
{
#ifdef STOSB
	if (can_fill_by_instruction(n)) return fill_by_instruction(d, c, n);
#endif
	return fill(d, c, n);
}

void *memset(void *dest, int c, size_t n)
{
	unsigned char *d = dest;
	if (n<16) {
		uint64_t x = 0x0101010101010101ULL * (unsigned char)c;
		if (n>=8) {
			*(u64 *)d = x;
			*(u64 *)(d+n-8) = x;
		} else if (n>=4) {
			*(u32 *)d = x;
			*(u32 *)(d+n-4) = x;
		} else if (n) {
			d[0] = c;
			d[n/2] = c;
			d[n-1] = c;
		}
		return dest;
	}
	if (n>128) {
		TRY_AVX2(fill_avx2(d, c, n));
		return fill_long(d, c, n);
	}
	vec v = all(c);
	store(d, v);
	store(d+n-16, v);
	if (n<=32) return dest;
	store(d+16, v);
	store(d+n-32, v);
	if (n<=64) return dest;
	store(d+32, v);
	store(d+48, v);
	store(d+n-64, v);
	store(d+n-48, v);
	return dest;
}
#endif

/* ---- comparing ---- */

static inline int compare_u64(const unsigned char *a, const unsigned char *b)
{
	uint64_t x = __builtin_bswap64(*(u64 *)a), y = __builtin_bswap64(*(u64 *)b);
	return (x>y)-(x<y);
}

static inline int compare_u32(const unsigned char *a, const unsigned char *b)
{
	uint32_t x = __builtin_bswap32(*(u32 *)a), y = __builtin_bswap32(*(u32 *)b);
	return (x>y)-(x<y);
}

static inline int differ_at(const unsigned char *a, const unsigned char *b, mask m)
{
	size_t i = first_bit(m);
	return a[i]-b[i];
}

/* How many bytes are equal, in steps of 64 up to n. */
apart size_t equal(const unsigned char *a, const unsigned char *b, size_t n)
{
	size_t i = 0;
	for (; n-i >= 64; i+=64)
		if (any(~(eq_wide(load_wide(a+i), load_wide(b+i)) & eq_wide(load_wide(a+i+32), load_wide(b+i+32)))))
			break;
	return i;
}

static inline int compare_rest(const unsigned char *a, const unsigned char *b, size_t n)
{
	mask m;
	const unsigned char *last = a+n-16;
	for (; a<last; a+=16, b+=16)
		if ((m = bits(eq(load(a), load(b))) ^ ALL_BITS)) return differ_at(a, b, m);
	b += last-a;
	if ((m = bits(eq(load(last), load(b))) ^ ALL_BITS)) return differ_at(last, b, m);
	return 0;
}

apart int compare_long(const unsigned char *a, const unsigned char *b, size_t n)
{
	mask m;
	if ((m = bits(eq(load(a), load(b))) ^ ALL_BITS)) return differ_at(a, b, m);
	size_t k = 16 + equal(a+16, b+16, n-16);
	/* If there is another round, at least 16 remain. */
	if (n-k < 16) k = n-16;
	return compare_rest(a+k, b+k, n-k);
}

int memcmp(const void *l, const void *r, size_t n)
{
	const unsigned char *a = l, *b = r;
	if (n>64) TRY_AVX2(compare_avx2(a, b, n));
	if (n>=16) return n>128 ? compare_long(a, b, n) : compare_rest(a, b, n);
	int x;
	if (n>=8) return (x = compare_u64(a, b)) ? x : compare_u64(a+n-8, b+n-8);
	if (n>=4) return (x = compare_u32(a, b)) ? x : compare_u32(a+n-4, b+n-4);
	for (size_t i=0; i<n; i++) if ((x = a[i]-b[i])) return x;
	return 0;
}

/* Number of 16-byte steps until one of the two reaches the end of a page. */
static inline size_t steps_in_page(const unsigned char *a, const unsigned char *b)
{
	size_t x = (uintptr_t)a & PAGE-1, y = (uintptr_t)b & PAGE-1;
	return (PAGE - (x>y ? x : y)) / 16;
}

int strcmp(const char *l, const char *r)
{
	const unsigned char *a = (void *)l, *b = (void *)r;
	for (;;) {
		for (size_t k=steps_in_page(a, b); k; k--, a+=16, b+=16) {
			vec x = load(a);
			mask m = bits(eq(x, load(b)) & ~eq(x, all(0))) ^ ALL_BITS;
			if (m) return differ_at(a, b, m);
		}
		for (int i=0; i<16; i++, a++, b++)
			if (*a!=*b || !*a) return *a-*b;
	}
}

int strncmp(const char *l, const char *r, size_t n)
{
	const unsigned char *a = (void *)l, *b = (void *)r;
	while (n) {
		for (size_t k=steps_in_page(a, b); k; k--, a+=16, b+=16, n-=16) {
			vec x = load(a);
			mask m = bits(eq(x, load(b)) & ~eq(x, all(0))) ^ ALL_BITS;
			if (m) return first_bit(m)<n ? differ_at(a, b, m) : 0;
			if (n<=16) return 0;
		}
		for (int i=0; i<16 && n; i++, a++, b++, n--)
			if (*a!=*b || !*a) return *a-*b;
	}
	return 0;
}

/* ---- searching ---- */

/* The first block of 64 bytes that has c, before end; p is a multiple of 64. */
apart const unsigned char *find(const unsigned char *p, int c, const unsigned char *end)
{
	wide v = all_wide(c);
	for (; p<end; p+=64)
		if (any(eq_wide(*(wide *)p, v) | eq_wide(*(wide *)(p+32), v))) break;
	return p;
}

/* The same backwards: the end of the last such block, or of the rest of less
 * than 64 bytes at start; p is a multiple of 16. */
apart const unsigned char *find_back(const unsigned char *p, int c, const unsigned char *start)
{
	wide v = all_wide(c);
	for (; p-start >= 64; p-=64)
		if (any(eq_wide(load_wide(p-32), v) | eq_wide(load_wide(p-64), v))) break;
	return p;
}

/* The first block of 64 bytes with c or a null byte. */
apart const unsigned char *find_end(const unsigned char *p, int c)
{
	wide v = all_wide(c), zero = all_wide(0);
	for (;; p+=64) {
		wide x = *(wide *)p, y = *(wide *)(p+32);
		if (any(eq_wide(x, zero) | eq_wide(y, zero) | eq_wide(x, v) | eq_wide(y, v))) return p;
	}
}

apart const unsigned char *find_null(const unsigned char *p)
{
	wide zero = all_wide(0);
	while (!any(eq_wide(*(wide *)p, zero) | eq_wide(*(wide *)(p+32), zero))) p += 64;
	return p;
}

/* p is a multiple of 16. */
apart void *find_long(const unsigned char *p, int c, const unsigned char *end)
{
	vec v = all(c);
	mask m;
	for (; p<end && (uintptr_t)p & 48; p+=16)
		if ((m = bits(eq(*(vec *)p, v)))) goto found;
	if (p<end) p = find(p, c, end);
	for (; p<end; p+=16)
		if ((m = bits(eq(*(vec *)p, v)))) goto found;
	return 0;
found:
	p += first_bit(m);
	return p<end ? (void *)p : 0;
}

/* The memory may end before n bytes if c comes before its end: all reads
 * but the first are aligned. */
void *memchr(const void *src, int c, size_t n)
{
	const unsigned char *s = src, *p = (void *)((uintptr_t)s & -16);
	mask m;
	vec v = all(c);
	if (!n) return 0;
	if (likely(!near_page_end(s))) m = bits(eq(load(s), v));
	else m = bits(eq(*(vec *)p, v)) >> (s-p)*STEP;
	if (m) {
		size_t i = first_bit(m);
		return i<n ? (void *)(s+i) : 0;
	}
	/* strnlen and others may pass more than the memory can hold. */
	if (n > ~(uintptr_t)s) n = ~(uintptr_t)s;
	if (s+n <= p+16) return 0;
	if (n>64) TRY_AVX2(find_avx2(p+16, c, s+n));
	for (int k=0; k<4; k++) {
		p += 16;
		if (s+n <= p) return 0;
		if ((m = bits(eq(*(vec *)p, v)))) {
			p += first_bit(m);
			return p<s+n ? (void *)p : 0;
		}
	}
	return find_long(p+16, c, s+n);
}

/* p is a multiple of 16; there are 16 bytes from start. */
apart void *find_back_long(const unsigned char *p, int c, const unsigned char *start)
{
	vec v = all(c);
	mask m;
	if (p-start >= 128) p = find_back(p, c, start);
	for (; p-start >= 16; p-=16)
		if ((m = bits(eq(*(vec *)(p-16), v)))) return (void *)(p-16+last_bit(m));
	if ((m = bits(eq(load(start), v)))) return (void *)(start+last_bit(m));
	return 0;
}

void *__memrchr(const void *src, int c, size_t n)
{
	const unsigned char *s = src;
	vec v = all(c);
	mask m;
	if (n<16) {
		if (!n) return 0;
		if (unlikely(near_page_end(s))) m = bits(eq(load(s+n-16), v)) >> (16-n)*STEP;
		else m = bits(eq(load(s), v)) & (((mask)1 << n*STEP) - 1);
		return m ? (void *)(s+last_bit(m)) : 0;
	}
	const unsigned char *p = s+n-16;
	if ((m = bits(eq(load(p), v)))) return (void *)(p+last_bit(m));
	TRY_AVX2(p>s ? find_back_avx2(p, c, s) : 0);
	return find_back_long((void *)((uintptr_t)(p+15) & -16), c, s);
}

#ifndef __i386__
weak_alias(__memrchr, memrchr);
#endif

/* s is a multiple of 16. */
apart size_t null_long(const char *str, const unsigned char *s)
{
	mask m;
	for (; (uintptr_t)s & 48; s+=16)
		if ((m = bits(eq(*(vec *)s, all(0))))) goto found;
	for (s=find_null(s); !(m = bits(eq(*(vec *)s, all(0)))); s+=16);
found:
	return s+first_bit(m)-(unsigned char *)str;
}

size_t strlen(const char *str)
{
	const unsigned char *s = (void *)((uintptr_t)str & -16);
	mask m;
	if (likely(!near_page_end(str))) m = bits(eq(load(str), all(0)));
	else m = bits(eq(*(vec *)s, all(0))) >> ((unsigned char *)str-s)*STEP;
	if (m) return first_bit(m);
	for (int k=0; k<3; k++) {
		s += 16;
		if ((m = bits(eq(*(vec *)s, all(0))))) return s+first_bit(m)-(unsigned char *)str;
	}
	TRY_AVX2(find_null_avx2(s+16)-(unsigned char *)str);
	return null_long(str, s+16);
}

size_t strnlen(const char *s, size_t n)
{
	const char *p = memchr(s, 0, n);
	return p ? p-s : n;
}

static inline mask end_bits(vec x, vec v)
{
	return bits(eq(x, all(0)) | eq(x, v));
}

/* s is a multiple of 16. */
apart char *end_long(const unsigned char *s, int c)
{
	vec v = all(c);
	mask m;
	for (; (uintptr_t)s & 48; s+=16)
		if ((m = end_bits(*(vec *)s, v))) goto found;
	for (s=find_end(s, c); !(m = end_bits(*(vec *)s, v)); s+=16);
found:
	return (char *)s+first_bit(m);
}

static inline char *find_or_end(const char *str, int c)
{
	const unsigned char *s = (void *)((uintptr_t)str & -16);
	vec v = all(c);
	mask m;
	if (likely(!near_page_end(str))) m = end_bits(load(str), v);
	else m = end_bits(*(vec *)s, v) >> ((unsigned char *)str-s)*STEP;
	if (m) return (char *)str+first_bit(m);
	for (int k=0; k<3; k++) {
		s += 16;
		if ((m = end_bits(*(vec *)s, v))) return (char *)s+first_bit(m);
	}
	TRY_AVX2(find_end_avx2(s+16, c));
	return end_long(s+16, c);
}

char *__strchrnul(const char *s, int c)
{
	return find_or_end(s, c);
}

#ifndef __i386__
weak_alias(__strchrnul, strchrnul);
#endif

char *strchr(const char *s, int c)
{
	char *r = find_or_end(s, c);
	return *(unsigned char *)r==(unsigned char)c ? r : 0;
}

/* ---- looking for bytes in bytes ---- */

/* The first 64 places from p on of which one has a, and b at distance far;
 * or the place where less than 64 are left before end. */
apart const unsigned char *find_pair_16(const unsigned char *p, int a, int b, size_t far, const unsigned char *end)
{
	wide v = all_wide(a), w = all_wide(b);
	for (; end-p >= 64; p+=64)
		if (any((eq_wide(load_wide(p), v) & eq_wide(load_wide(p+far), w))
		      | (eq_wide(load_wide(p+32), v) & eq_wide(load_wide(p+far+32), w)))) break;
	return p;
}

static inline const unsigned char *find_pair(const unsigned char *p, int a, int b, size_t far, const unsigned char *end)
{
	TRY_AVX2(find_pair_avx2(p, a, b, far, end));
	return find_pair_16(p, a, b, far, end);
}

/* A vector with n<16 bytes from p on, and any others after them. No other page is read. */
static inline vec load_some(const unsigned char *p, size_t n)
{
	if (likely(!near_page_end(p))) return load(p);
	union { unsigned char c[32]; vec v[2]; } u;
	u.v[0] = load(p+n-16);
	return load(u.c+16-n);
}

/* Compares the second byte first, then those between it and the last. */
static inline int is_needle(const unsigned char *p, const unsigned char *n, size_t l)
{
	return l==2 || p[1]==n[1] && (l==3 || !memcmp(p+2, n+2, l-3));
}

/* musl's own, which always takes linear time (patches/musl/0011). */
hidden void *__memmem_twoway(const void *, size_t, const void *, size_t);

/* Only places with both the first and the last byte of the needle are
 * compared. After too many of these in vain, musl's own takes over. */
void *memmem(const void *h0, size_t k, const void *n0, size_t l)
{
	const unsigned char *h = h0, *n = n0, *p = h, *end;
	if (l<2) return l ? memchr(h, *n, k) : (void *)h;
	if (k<l) return 0;
	end = h+k-l+1;
	size_t far = l-1, vain = 0;
	vec v = all(n[0]), w = all(n[far]);
	mask m;
	while (end-p >= 16) {
		/* If nothing was found here, the next match may be far. */
		const unsigned char *stop = end-p > 128 ? p+128 : end;
		for (; stop-p >= 16; p+=16) {
			m = bits(eq(load(p), v) & eq(load(p+far), w));
			while (unlikely(m)) {
				size_t i = first_bit(m);
				if (is_needle(p+i, n, l)) return (void *)(p+i);
				m = without_bit(m, i);
				vain += 1 + l/128;
			}
			if (unlikely(vain > 32 + (p-h)/8)) return __memmem_twoway(p+16, h+k-p-16, n, l);
		}
		if (end-p >= 256) p = find_pair(p, n[0], n[far], far, end);
	}
	if (p==end) return 0;
	size_t rest = end-p;
	m = bits(eq(load_some(p, rest), v) & eq(load_some(p+far, rest), w)) & (((mask)1 << rest*STEP) - 1);
	for (; m; m = without_bit(m, first_bit(m)))
		if (is_needle(p+first_bit(m), n, l)) return (void *)(p+first_bit(m));
	return 0;
}
