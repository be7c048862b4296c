/* Which C library this claims to be, and properties of its machine. */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* The newest that manylinux wheels ask for (manylinux_2_28). */
#define VERSION "2.28"

const char *G(gnu_get_libc_version)(void) { return VERSION; }
const char *G(gnu_get_libc_release)(void) { return "stable"; }

/* Whether atomic instructions may be left out. "Never" is always correct (sys/single_threaded.h). */
char G(__libc_single_threaded);

/* No such library is loaded into a set-user-ID program. */
int G(__libc_enable_secure);

/* _CS_GNU_LIBC_VERSION and _CS_GNU_LIBPTHREAD_VERSION (confstr(3)). */
size_t G(confstr)(int name, char *buf, size_t size)
{
	const char *s = name==2 ? "glibc " VERSION : name==3 ? "NPTL " VERSION : 0;
	size_t need;
	if (!s) return confstr(name, buf, size);
	need = strlen(s) + 1;
	if (buf && size) {
		size_t n = need < size ? need : size;
		memcpy(buf, s, n);
		buf[n-1] = 0;
	}
	return need;
}

/* _SC_LEVEL1_ICACHE_SIZE and what follows: size, ways, line of five caches. */
#define FIRST_CACHE 185
#define LAST_CACHE 199

#ifdef __x86_64__
static void cpuid(unsigned leaf, unsigned sub, unsigned r[static 4])
{
	__asm__ ("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

/* Leaf 4, or AMD's replacement, describes one cache per subleaf: Intel SDM 2A, AMD APM 3 (E.4.15). */
static long cache(int field, unsigned level, unsigned type)
{
	unsigned r[4], i, leaf;
	cpuid(0, 0, r);
	leaf = r[1]==0x68747541 || r[1]==0x6f677948 ? 0x8000001d : 4; /* AuthenticAMD, HygonGenuine */
	cpuid(leaf & 0x80000000, 0, r);
	if (r[0] < leaf) return 0;
	for (i=0; i<16; i++) {
		long ways, partitions, line, sets;
		cpuid(leaf, i, r);
		if (!(r[0]&31)) return 0;
		if ((r[0]>>5&7) != level || ((r[0]&31) != type && (r[0]&31) != 3)) continue;
		ways = (r[1]>>22) + 1;
		partitions = (r[1]>>12&1023) + 1;
		line = (r[1]&4095) + 1;
		sets = r[2] + 1L;
		return field==0 ? ways*partitions*line*sets : field==1 ? ways : line;
	}
	return 0;
}
#else
static long cache(int field, unsigned level, unsigned type) { return 0; }
#endif

long G(sysconf)(int name)
{
	static const struct { unsigned level, type; } caches[] = { {1,2}, {1,1}, {2,3}, {3,3}, {4,3} };
	if (name == _SC_THREAD_KEYS_MAX) return KEYS_FOR_GLIBC;
	if (name < FIRST_CACHE || name > LAST_CACHE) return sysconf(name);
	name -= FIRST_CACHE;
	return cache(name%3, caches[name/3].level, caches[name/3].type);
}
#endif
