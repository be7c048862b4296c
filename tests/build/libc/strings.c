/* Checks of the memory and string functions against byte-wise ones:
 * strings CHECK; without one, lists them.
 *
 * Every buffer lies between two pages without access, at its start or at
 * its end: reading or writing a page too far is a crash. Built with
 * -fno-builtin: the compiler must call what is tested. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

enum { PAGE=4096, ROOM=4*PAGE };

/* The current operation, for the message. */
static size_t at[4];

static void fail(int line, const char *what)
{
	printf("strings.c:%d: %s (%zu %zu %zu %zu)\n", line, what, at[0], at[1], at[2], at[3]);
	exit(1);
}

static void doing(size_t a, size_t b, size_t c, size_t d)
{
	at[0] = a, at[1] = b, at[2] = c, at[3] = d;
}

/* ROOM bytes, with inaccessible pages before and after. */
static unsigned char *guarded(void)
{
	/* On each side as much as the largest page of any kernel. */
	enum { SIDE=65536 };
	unsigned char *p = mmap(0, ROOM+2*SIDE, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
	if (p==MAP_FAILED || mprotect(p+SIDE, ROOM, PROT_READ|PROT_WRITE)) {
		/* The pages are larger than the protected area. */
		perror("guarded");
		exit(1);
	}
	return p+SIDE;
}

#include "random.h"

/* With PART=n in the environment, one case of n is checked, each time others. */
static int left_out(void)
{
	static int part;
	if (!part) part = getenv("PART") ? atoi(getenv("PART")) : 1;
	return part>1 && next_random()%part;
}

static int sign(int x) { return (x>0)-(x<0); }

/* Where to put n bytes: 0 to 63 bytes after the start, or before the end. */
enum { PLACES=128 };

static unsigned char *place(unsigned char *room, size_t n, int where)
{
	return where<64 ? room+where : room+ROOM-n-(where-64);
}

static const size_t long_ones[] = { 301, 320, 352, 383, 384, 385, 416, 449, 480, 511, 512, 513, 767, 1000, 1023, 1024, 1025, 2047, 2049,
	3000, 4095, 4096, 4097, 5000, 6143, 8191, 8192, 8193, 10000, 12000 };
enum { SIZES=301+sizeof long_ones/sizeof *long_ones };

static size_t size(int i) { return i<=300 ? i : long_ones[i-301]; }

/* The bytes before and after the result must not change. */
static void check_rest(const unsigned char *room, const unsigned char *p, size_t n, unsigned char with)
{
	const unsigned char *a = p-room<80 ? room : p-80, *z = room+ROOM-p-n<80 ? room+ROOM : p+n+80;
	for (; a<p; a++) CHECK(*a==with);
	for (a=p+n; a<z; a++) CHECK(*a==with);
}

static void copying(void *(*copy)(void *, const void *, size_t))
{
	unsigned char *to = guarded(), *from = guarded(), *d, *s;
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) for (int b=a%7; b<PLACES; b+=size(i)>300 ? 19 : 7) {
		if (left_out()) continue;
		size_t n = size(i);
		doing(n, a, b, 0);
		d = place(to, n, a);
		s = place(from, n, b);
		for (size_t k=0; k<n; k++) s[k] = k*7+a+1;
		unsigned char *low = d-to<80 ? to : d-80, *high = to+ROOM-d-n<80 ? to+ROOM : d+n+80;
		for (unsigned char *p=low; p<high; p++) *p = 0xee;
		CHECK(copy(d, s, n)==d);
		for (size_t k=0; k<n; k++) CHECK(d[k]==(unsigned char)(k*7+a+1));
		check_rest(to, d, n, 0xee);
		for (size_t k=0; k<n; k++) CHECK(s[k]==(unsigned char)(k*7+a+1));
	}
}

static void check_memcpy(void) { copying((void *(*)(void *, const void *, size_t))memcpy); }
static void check_memmove(void) { copying(memmove); }

static void check_overlap(void)
{
	static unsigned char want[ROOM];
	unsigned char *room = guarded();
	static const int shifts[] = { 0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100,
		127, 128, 129, 200, 255, 256, 500, 1000, 2000, 4000, 4096 };
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a+=size(i)>300 ? 13 : 1)
	for (size_t j=0; j<sizeof shifts/sizeof *shifts; j++) for (int back=0; back<2; back++) {
		if (left_out()) continue;
		size_t n = size(i), whole = n+shifts[j];
		if (whole>ROOM-64) continue;
		doing(n, a, shifts[j], back);
		unsigned char *p = place(room, whole, a);
		unsigned char *d = back ? p : p+shifts[j], *s = back ? p+shifts[j] : p;
		for (size_t k=0; k<whole; k++) p[k] = k*13+(k>>8)+1;
		for (size_t k=0; k<whole; k++) want[k] = p[k];
		for (size_t k=0; k<n; k++) want[d-p+k] = s[k];
		CHECK(memmove(d, s, n)==d);
		for (size_t k=0; k<whole; k++) CHECK(p[k]==want[k]);
	}
}

static void check_memset(void)
{
	unsigned char *room = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) for (int c=0; c<3; c++) {
		if (left_out()) continue;
		size_t n = size(i);
		doing(n, a, c, 0);
		unsigned char *d = place(room, n, a), with = c==1 ? 0xa5 : c;
		unsigned char *low = d-room<80 ? room : d-80, *high = room+ROOM-d-n<80 ? room+ROOM : d+n+80;
		for (unsigned char *p=low; p<high; p++) *p = 0xee;
		/* Only the lowest byte counts. */
		CHECK(memset(d, with|0x1200, n)==d);
		for (size_t k=0; k<n; k++) CHECK(d[k]==with);
		check_rest(room, d, n, 0xee);
	}
}

static int slow_compare(const unsigned char *a, const unsigned char *b, size_t n, int to_null)
{
	for (; n; n--, a++, b++) {
		if (*a!=*b) return *a-*b;
		if (to_null && !*a) return 0;
	}
	return 0;
}

static void check_memcmp(void)
{
	unsigned char *one = guarded(), *two = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) for (int b=a%11; b<PLACES; b+=size(i)>300 ? 23 : 11) {
		if (left_out()) continue;
		size_t n = size(i);
		unsigned char *p = place(one, n, a), *q = place(two, n, b);
		for (size_t k=0; k<n; k++) p[k] = q[k] = next_random();
		doing(n, a, b, 0);
		CHECK(!memcmp(p, q, n));
		if (!n) continue;
		/* One difference at the start, at the end, or at two places. */
		for (int r=0; r<6; r++) {
			size_t k = r==0 ? 0 : r==1 ? n-1 : next_random()%n, l = r<4 ? k : next_random()%n;
			unsigned char old = q[k], other = q[l];
			q[k] += 1+next_random()%255;
			if (l!=k) q[l] ^= 0x80;
			doing(n, a, b, k);
			CHECK(sign(memcmp(p, q, n))==sign(slow_compare(p, q, n, 0)));
			CHECK(sign(memcmp(q, p, n))==sign(slow_compare(q, p, n, 0)));
			q[l] = other;
			q[k] = old;
		}
	}
}

static void check_strcmp(void)
{
	unsigned char *one = guarded(), *two = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) for (int b=a%11; b<PLACES; b+=size(i)>300 ? 37 : 11) {
		if (left_out()) continue;
		size_t n = size(i);
		unsigned char *p = place(one, n+1, a), *q = place(two, n+1, b);
		for (size_t k=0; k<n; k++) p[k] = q[k] = 1+next_random()%255;
		p[n] = q[n] = 0;
		doing(n, a, b, 0);
		CHECK(!strcmp((char *)p, (char *)q));
		CHECK(!strncmp((char *)p, (char *)q, SIZE_MAX));
		for (int r=0; r<5 && n; r++) {
			size_t k = r==0 ? 0 : r==1 ? n-1 : next_random()%n, limit = k+next_random()%5;
			unsigned char old = q[k];
			/* Sometimes the string ends there. */
			q[k] = r==2 ? 0 : 1+(old+next_random()%254)%255;
			doing(n, a, b, k);
			CHECK(sign(strcmp((char *)p, (char *)q))==sign(slow_compare(p, q, n+1, 1)));
			CHECK(sign(strcmp((char *)q, (char *)p))==sign(slow_compare(q, p, n+1, 1)));
			CHECK(sign(strncmp((char *)p, (char *)q, limit))==sign(slow_compare(p, q, limit, 1)));
			CHECK(!strncmp((char *)p, (char *)q, k));
			q[k] = old;
		}
	}
	/* No null byte within the limit, and no accessible page after it. */
	for (size_t n=0; n<100; n++) {
		unsigned char *p = one+ROOM-n, *q = two+ROOM-n;
		for (size_t k=0; k<n; k++) p[k] = q[k] = 5;
		doing(n, 0, 0, 0);
		CHECK(!strncmp((char *)p, (char *)q, n));
		CHECK(!strncmp((char *)p, (char *)q-0, n));
		CHECK(strnlen((char *)p, n)==n);
	}
}

static void check_memchr(void)
{
	unsigned char *room = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) {
		if (left_out()) continue;
		size_t n = size(i);
		unsigned char *p = place(room, n, a);
		/* The byte sought surrounds the buffer. */
		unsigned char *low = p-room<80 ? room : p-80, *high = room+ROOM-p-n<80 ? room+ROOM : p+n+80;
		for (unsigned char *q=low; q<high; q++) *q = 0xc3;
		for (size_t k=0; k<n; k++) p[k] = k%2 ? 0xc2 : 0x43;
		doing(n, a, 0, 0);
		CHECK(!memchr(p, 0xc3, n));
		CHECK(!memrchr(p, 0xc3, n));
		for (size_t k=0; k<n; k+=n<=300 ? 1 : 1+next_random()%50) {
			size_t l = next_random()%n;
			doing(n, a, k, l);
			p[k] = 0xc3;
			CHECK(memchr(p, 0xc3|0x700, n)==p+k);
			CHECK(memrchr(p, 0xc3|0x700, n)==p+k);
			unsigned char old = p[l];
			p[l] = 0xc3;
			CHECK(memchr(p, 0xc3, n)==p+(k<l ? k : l));
			CHECK(memrchr(p, 0xc3, n)==p+(k<l ? l : k));
			p[l] = old;
			p[k] = k%2 ? 0xc2 : 0x43;
		}
	}
	/* The limit is all of memory if the byte is known to be there. */
	unsigned char *p = room+100;
	p[5000] = 77;
	for (int k=0; k<5000; k++) p[k] = 1;
	doing(0, 0, 0, 0);
	CHECK(memchr(p, 77, SIZE_MAX-(uintptr_t)p)==p+5000);
	CHECK(memchr(p, 77, SIZE_MAX)==p+5000);
}

static void check_strlen(void)
{
	unsigned char *room = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) {
		if (left_out()) continue;
		size_t n = size(i);
		char *p = (char *)place(room, n+1, a);
		for (unsigned char *q=room; q<(unsigned char *)p && q<room+80; q++) *q = 0;
		if (p+n+1<(char *)room+ROOM) p[n+1] = 'x';
		for (size_t k=0; k<n; k++) p[k] = k%3 ? 0x80 : 1;
		p[n] = 0;
		doing(n, a, 0, 0);
		CHECK(strlen(p)==n);
		CHECK(strnlen(p, SIZE_MAX)==n);
		for (size_t limit=n>20 ? n-20 : 0; limit<n+20; limit++) CHECK(strnlen(p, limit)==(limit<n ? limit : n));
		CHECK(!strchr(p, 'x'));
		CHECK(strchr(p, 0)==p+n);
		CHECK(strchrnul(p, 'x')==p+n);
		CHECK(!strrchr(p, 'x'));
		for (size_t k=0; k<n; k+=n<=300 ? 1 : 1+next_random()%50) {
			size_t l = next_random()%n;
			doing(n, a, k, l);
			p[k] = 'x';
			CHECK(strchr(p, 'x'|0x500)==p+k);
			CHECK(strchrnul(p, 'x')==p+k);
			CHECK(strrchr(p, 'x')==p+k);
			char old = p[l];
			p[l] = 'x';
			CHECK(strchr(p, 'x')==p+(k<l ? k : l));
			CHECK(strrchr(p, 'x')==p+(k<l ? l : k));
			p[l] = old;
			p[k] = k%3 ? 0x80 : 1;
		}
	}
}

static void check_strncpy(void)
{
	unsigned char *from = guarded(), *to = guarded();
	for (int i=0; i<SIZES; i++) for (int a=0; a<PLACES; a++) {
		if (left_out()) continue;
		size_t n = size(i), l = next_random()%3 ? next_random()%(n+1) : n;
		/* Without a null byte where the limit ends first. */
		unsigned char *s = place(from, l<n ? l+1 : n, a), *d = place(to, n, next_random()%PLACES);
		for (size_t k=0; k<l; k++) s[k] = 1 + next_random()%255;
		if (l<n) s[l] = 0;
		unsigned char *low = d-to<80 ? to : d-80, *high = to+ROOM-d-n<80 ? to+ROOM : d+n+80;
		for (unsigned char *q=low; q<high; q++) *q = 0xc3;
		doing(n, a, l, 0);
		CHECK(stpncpy((char *)d, (char *)s, n)==(char *)d+l);
		for (size_t k=0; k<n; k++) CHECK(d[k]==(k<l ? s[k] : 0));
		for (unsigned char *q=low; q<d; q++) CHECK(*q==0xc3);
		for (unsigned char *q=d+n; q<high; q++) CHECK(*q==0xc3);
		for (size_t k=0; k<n; k++) d[k] = 0xc3;
		CHECK(strncpy((char *)d, (char *)s, n)==(char *)d);
		for (size_t k=0; k<n; k++) CHECK(d[k]==(k<l ? s[k] : 0));
	}
}

static unsigned char *find(unsigned char *h, size_t k, const unsigned char *n, size_t l)
{
	for (; k>=l; h++, k--) {
		size_t i = 0;
		while (i<l && h[i]==n[i]) i++;
		if (i==l) return h;
	}
	return 0;
}

/* With few letters, many places look like the string sought. */
static void check_memmem(void)
{
	unsigned char *room = guarded(), *other = guarded();
	for (int i=0; i<SIZES; i++) for (int a=i%3; a<PLACES; a+=3) {
		if (left_out()) continue;
		size_t k = size(i), l = next_random() % (a%5 ? 9 : 200);
		unsigned letters = 1 + next_random() % (a%2 ? 3 : 200);
		unsigned char *h = place(room, k, a), *n = place(other, l, next_random()%PLACES);
		/* The string sought must not be found outside the buffer. */
		unsigned char *low = h-room<80 ? room : h-80, *high = room+ROOM-h-k<80 ? room+ROOM : h+k+80;
		for (unsigned char *q=low; q<high; q++) *q = 'a';
		for (size_t j=0; j<k; j++) h[j] = 'a' + next_random()%letters;
		for (size_t j=0; j<l; j++) n[j] = 'a' + next_random()%letters;
		doing(k, a, l, letters);
		CHECK(memmem(h, k, n, l)==find(h, k, n, l));
		if (!l || l>k) continue;
		size_t where = next_random()%(k-l+1);
		doing(k, a, l, where);
		memcpy(h+where, n, l);
		CHECK(memmem(h, k, n, l)==find(h, k, n, l));
		/* All bytes of the string sought but one. */
		h[where+next_random()%l] ^= 0x80;
		CHECK(memmem(h, k, n, l)==find(h, k, n, l));
		memcpy(h+k-l, n, l);
		CHECK(memmem(h, k, n, l)==find(h, k, n, l));
		CHECK(memmem(h, k-1, n, l)==find(h, k-1, n, l));
	}
	/* Nearly every place matches. */
	memset(room, 'a', ROOM);
	for (size_t l=2; l<600; l++) {
		memset(other, 'a', l);
		doing(0, 0, l, 0);
		other[l/2] = 'b';
		CHECK(!memmem(room, ROOM, other, l));
		room[ROOM-1-l/3] = 'b';
		CHECK(memmem(room, ROOM, other, l)==find(room, ROOM, other, l));
		room[ROOM-1-l/3] = 'a';
	}
}

static const struct { const char *name; void (*run)(void); } checks[] = {
	{ "memcpy", check_memcpy }, { "memmove", check_memmove }, { "overlap", check_overlap },
	{ "memset", check_memset }, { "memcmp", check_memcmp }, { "strcmp", check_strcmp },
	{ "memchr", check_memchr }, { "strlen", check_strlen }, { "strncpy", check_strncpy }, { "memmem", check_memmem },
};

#include "main.h"
