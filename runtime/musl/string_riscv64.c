/* Functions that upstream has byte by byte, by words. Only aligned words:
 * the kernel may have to emulate others, a thousand times slower.
 */

#define _GNU_SOURCE
#include <string.h>
#include <stdint.h>

typedef uint64_t __attribute__((__may_alias__)) word;

#define ONES ((word)-1/255)
#define has_zero(x) ((x)-ONES & ~(x) & ONES*128)
#define aligned(p) (!((uintptr_t)(p) % sizeof(word)))
#define both_aligned_at_once(a, b) aligned((uintptr_t)(a)^(uintptr_t)(b))

int memcmp(const void *l, const void *r, size_t n)
{
	const unsigned char *a = l, *b = r;
	if (both_aligned_at_once(a, b)) {
		for (; n && !aligned(a); n--, a++, b++)
			if (*a!=*b) return *a-*b;
		for (; n>=sizeof(word) && *(word *)a==*(word *)b; n-=sizeof(word))
			a += sizeof(word), b += sizeof(word);
	}
	for (; n && *a==*b; n--, a++, b++);
	return n ? *a-*b : 0;
}

int strcmp(const char *l, const char *r)
{
	const unsigned char *a = (void *)l, *b = (void *)r;
	if (both_aligned_at_once(a, b)) {
		for (; !aligned(a); a++, b++)
			if (*a!=*b || !*a) return *a-*b;
		for (; *(word *)a==*(word *)b && !has_zero(*(word *)a); )
			a += sizeof(word), b += sizeof(word);
	}
	for (; *a==*b && *a; a++, b++);
	return *a-*b;
}

void *__memrchr(const void *src, int c, size_t n)
{
	const unsigned char *s = src;
	word k = ONES*(unsigned char)c;
	for (; n && !aligned(s+n); n--)
		if (s[n-1]==(unsigned char)c) return (void *)(s+n-1);
	for (; n>=sizeof k && !has_zero(*(word *)(s+n-sizeof k)^k); n-=sizeof k);
	while (n--) if (s[n]==(unsigned char)c) return (void *)(s+n);
	return 0;
}

weak_alias(__memrchr, memrchr);
