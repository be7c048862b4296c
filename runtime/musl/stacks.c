/* Keeps the stacks of ended threads for new threads (patches/musl/0014).
 *
 * Mapping a stack, guarding it and unmapping it is a quarter of a short thread's cost, and each unmapping
 * interrupts the other CPUs. A few stacks are kept. Only their last pages stay resident, where the next thread
 * starts. A slot is taken and filled by one atomic exchange of a pointer, so fork() may come at any moment.
 * All other data about a stack is stored in it, for the holder of its pointer. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include "pthread_impl.h"

#define SLOTS 4
#define RESIDENT 16384

struct kept {
	size_t size, guard;
};

static void *volatile slots[SLOTS];

/* Returns a stack of this size, guard included, whose last `tail` bytes are zero; or null. A stack of another
 * size is unmapped: a program's threads seldom differ in size, and then change it for all later threads. */
void *__take_stack(size_t size, size_t guard, size_t tail)
{
	for (int i=0; i<SLOTS; i++) {
		unsigned char *end = slots[i];
		if (!end || a_cas_p(&slots[i], end, 0) != end) continue;
		struct kept kept = ((struct kept *)end)[-1];
		if (kept.size == size && kept.guard == guard) {
			memset(end - tail, 0, tail);
			return end - size;
		}
		__munmap(end - kept.size, kept.size);
	}
	return 0;
}

/* Keeps the stack of a thread that has ended, or unmaps it. */
void __keep_stack(unsigned char *map, size_t size, size_t guard)
{
	unsigned char *end = map + size;
	if (guard && size > guard + RESIDENT) for (int i=0; i<SLOTS; i++) {
		if (slots[i]) continue;
		if (__madvise(map + guard, size - guard - RESIDENT, MADV_DONTNEED)) break;
		((struct kept *)end)[-1] = (struct kept){ size, guard };
		if (!a_cas_p(&slots[i], 0, end)) return;
	}
	__munmap(map, size);
}
