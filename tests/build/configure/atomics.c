/* Threads increment objects of 1 to 8 bytes where the compiler calls a helper function; no increment may be lost.
 * Prints the sizes that need no lock when they are aligned. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 20000 };

/* On a 32-bit x86 such a struct is aligned to 4 bytes, as OpenSSL's counters are. */
static struct { char one; uint16_t two; uint32_t four; uint64_t eight; } counters;
static volatile size_t sizes[] = { 1, 2, 4, 8, 16, 3, 0 };

static void *count(void *unused)
{
	uint64_t *eight = &counters.eight;
	for (int i = 0; i < ROUNDS; i++) {
		__atomic_add_fetch(&counters.one, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&counters.two, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&counters.four, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(eight, 0x100000001, __ATOMIC_SEQ_CST);
	}
	return unused;
}

int main(void)
{
	static _Alignas(16) char aligned[16];
	pthread_t threads[THREADS];
	unsigned total = THREADS * ROUNDS;
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], 0, count, 0))
			return 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], 0);
	if ((unsigned char)counters.one != (unsigned char)total || counters.two != (uint16_t)total ||
			counters.four != total || counters.eight != total * 0x100000001)
		return 2;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		if (__atomic_is_lock_free(sizes[i], aligned))
			printf("%d ", (int)sizes[i]);
		if (sizes[i] > 1 && __atomic_is_lock_free(sizes[i], aligned + 1))
			return 3;
	}
	return 0;
}
