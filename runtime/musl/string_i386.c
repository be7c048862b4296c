/* The string functions of ../fast.c if the CPU has SSE2, as all but the
 * oldest have; the kernel says so (AT_HWCAP has cpuid's bits). Otherwise,
 * and for the little that runs before this is known, plain functions.
 */

#define _GNU_SOURCE
#include <string.h>
#include "libc.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((__target__("sse2"))), apply_to=function)
#else
#pragma GCC push_options
#pragma GCC target("sse2")
#endif
#pragma GCC visibility push(hidden)
#define memmove __sse2_memmove
#define memcmp __sse2_memcmp
#define memchr __sse2_memchr
#define __memrchr __sse2_memrchr
#define strcmp __sse2_strcmp
#define strncmp __sse2_strncmp
#define strlen __sse2_strlen
#define strnlen __sse2_strnlen
#define strchr __sse2_strchr
#define __strchrnul __sse2_strchrnul
#define memmem __sse2_memmem
#include "../fast.c"
#undef memmove
#undef memcmp
#undef memchr
#undef __memrchr
#undef strcmp
#undef strncmp
#undef strlen
#undef strnlen
#undef strchr
#undef __strchrnul
#undef memmem
#pragma GCC visibility pop
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#define HAS_SSE2 likely(__hwcap & 1<<26)

void *memmove(void *dest, const void *src, size_t n)
{
	if (HAS_SSE2) return __sse2_memmove(dest, src, n);
	void *d = dest;
	if ((uintptr_t)dest-(uintptr_t)src >= n) {
		__asm__ __volatile__ ("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	} else {
		d = (char *)dest+n-1;
		src = (char *)src+n-1;
		__asm__ __volatile__ ("std; rep movsb; cld" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	}
	return dest;
}

void *memcpy(void *restrict dest, const void *restrict src, size_t n)
{
	return memmove(dest, src, n);
}

int memcmp(const void *l, const void *r, size_t n)
{
	if (HAS_SSE2) return __sse2_memcmp(l, r, n);
	const unsigned char *a = l, *b = r;
	for (; n && *a==*b; n--, a++, b++);
	return n ? *a-*b : 0;
}

void *memchr(const void *src, int c, size_t n)
{
	if (HAS_SSE2) return __sse2_memchr(src, c, n);
	const unsigned char *s = src;
	for (; n && *s!=(unsigned char)c; n--, s++);
	return n ? (void *)s : 0;
}

void *__memrchr(const void *src, int c, size_t n)
{
	if (HAS_SSE2) return __sse2_memrchr(src, c, n);
	const unsigned char *s = src;
	while (n--) if (s[n]==(unsigned char)c) return (void *)(s+n);
	return 0;
}

weak_alias(__memrchr, memrchr);

int strncmp(const char *l, const char *r, size_t n)
{
	if (HAS_SSE2) return __sse2_strncmp(l, r, n);
	const unsigned char *a = (void *)l, *b = (void *)r;
	for (; n && *a==*b && *a; n--, a++, b++);
	return n ? *a-*b : 0;
}

int strcmp(const char *l, const char *r)
{
	if (HAS_SSE2) return __sse2_strcmp(l, r);
	return strncmp(l, r, -1);
}

char *__strchrnul(const char *s, int c)
{
	if (HAS_SSE2) return __sse2_strchrnul(s, c);
	for (; *s && *(unsigned char *)s!=(unsigned char)c; s++);
	return (char *)s;
}

weak_alias(__strchrnul, strchrnul);

char *strchr(const char *s, int c)
{
	if (HAS_SSE2) return __sse2_strchr(s, c);
	s = __strchrnul(s, c);
	return *(unsigned char *)s==(unsigned char)c ? (char *)s : 0;
}

size_t strlen(const char *s)
{
	if (HAS_SSE2) return __sse2_strlen(s);
	return __strchrnul(s, 0)-s;
}

size_t strnlen(const char *s, size_t n)
{
	const char *p = memchr(s, 0, n);
	return p ? p-s : n;
}

void *memmem(const void *h, size_t k, const void *n, size_t l)
{
	return (HAS_SSE2 ? __sse2_memmem : __memmem_twoway)(h, k, n, l);
}
