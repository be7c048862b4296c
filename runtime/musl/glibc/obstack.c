/* obstack.h: a stack of objects that can grow, in chunks. The header's macros call these functions. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

struct chunk {
	char *limit;
	struct chunk *prev;
	char contents[];
};

struct obstack {
	long chunk_size;
	struct chunk *chunk;
	char *object, *next, *limit;
	void *temp;
	int mask;
	union {
		void *(*plain)(long);
		void *(*with)(void *, long);
	} alloc;
	union {
		void (*plain)(void *);
		void (*with)(void *, void *);
	} free;
	void *arg;
	unsigned has_arg:1, maybe_empty:1, unused:1;
};
_Static_assert(sizeof(struct obstack) == 88, "glibc's struct obstack");

/* The defaults of glibc: the alignment of a long double; a page without malloc's own part. */
#define ALIGNMENT 16
#define CHUNK (4096 - 32)

int G(obstack_exit_failure) = EXIT_FAILURE;

static void no_memory(void)
{
	fprintf(stderr, "memory exhausted\n");
	exit(G(obstack_exit_failure));
}

void (*G(obstack_alloc_failed_handler))(void) = no_memory;

static struct chunk *new_chunk(struct obstack *h, long size, struct chunk *prev)
{
	struct chunk *c = h->has_arg ? h->alloc.with(h->arg, size) : h->alloc.plain(size);
	if (!c) {
		G(obstack_alloc_failed_handler)();
		abort(); /* the handler must not return */
	}
	c->prev = prev;
	h->chunk = c;
	h->limit = c->limit = (char *)c + size;
	return c;
}

static void free_chunk(struct obstack *h, struct chunk *c)
{
	if (h->has_arg) h->free.with(h->arg, c);
	else h->free.plain(c);
}

static char *first_object(const struct obstack *h, struct chunk *c)
{
	return (char *)(((uintptr_t)c->contents + h->mask) & ~(uintptr_t)h->mask);
}

static int begin(struct obstack *h, int size, int alignment)
{
	h->mask = (alignment ? alignment : ALIGNMENT) - 1;
	h->chunk_size = size ? size : CHUNK;
	h->object = h->next = first_object(h, new_chunk(h, h->chunk_size, 0));
	h->maybe_empty = h->unused = 0;
	return 1;
}

int G(_obstack_begin)(struct obstack *h, int size, int alignment, void *(*alloc)(long), void (*free)(void *))
{
	h->alloc.plain = alloc;
	h->free.plain = free;
	h->has_arg = 0;
	return begin(h, size, alignment);
}

int G(_obstack_begin_1)(struct obstack *h, int size, int alignment, void *(*alloc)(void *, long),
	void (*free)(void *, void *), void *arg)
{
	h->alloc.with = alloc;
	h->free.with = free;
	h->arg = arg;
	h->has_arg = 1;
	return begin(h, size, alignment);
}

/* Move the growing object to a new chunk, with room for `more` bytes. */
void G(_obstack_newchunk)(struct obstack *h, int more)
{
	struct chunk *old = h->chunk, *c;
	size_t have = h->next - h->object, size;
	char *to;
	size = have + more + have/8 + h->mask + 100;
	if (size > LONG_MAX || size < have) {
		G(obstack_alloc_failed_handler)();
		abort();
	}
	if (size < h->chunk_size) size = h->chunk_size;
	c = new_chunk(h, size, old);
	to = first_object(h, c);
	memcpy(to, h->object, have);
	/* It was the only object in its chunk. */
	if (!h->maybe_empty && h->object == first_object(h, old)) {
		c->prev = old->prev;
		free_chunk(h, old);
	}
	h->object = to;
	h->next = to + have;
	h->maybe_empty = 0;
}

static int holds(const struct chunk *c, const void *object)
{
	return (uintptr_t)object > (uintptr_t)c && (uintptr_t)object <= (uintptr_t)c->limit;
}

int G(_obstack_allocated_p)(struct obstack *h, void *object)
{
	struct chunk *c = h->chunk;
	while (c && !holds(c, object)) c = c->prev;
	return !!c;
}

/* Free the object and all newer ones; without an object, free everything. */
void G(obstack_free)(struct obstack *h, void *object)
{
	struct chunk *c = h->chunk, *prev;
	for (; c && !holds(c, object); c = prev) {
		prev = c->prev;
		free_chunk(h, c);
		/* An empty object may be at the start of the chunk that is the last one now. */
		h->maybe_empty = 1;
	}
	if (c) {
		h->object = h->next = object;
		h->limit = c->limit;
		h->chunk = c;
	} else if (object) abort();
}
G_SAME(_obstack_free, obstack_free);

int G(_obstack_memory_used)(struct obstack *h)
{
	struct chunk *c;
	int n = 0;
	for (c = h->chunk; c; c = c->prev) n += c->limit - (char *)c;
	return n;
}

/* Add the printed text to the object, without a null byte at its end. */
int G(obstack_vprintf)(struct obstack *h, const char *fmt, va_list ap)
{
	va_list again;
	int n;
	va_copy(again, ap);
	n = vsnprintf(0, 0, fmt, ap);
	if (n >= 0) {
		if (h->limit - h->next < n+1L) G(_obstack_newchunk)(h, n+1);
		h->next += vsnprintf(h->next, n+1L, fmt, again);
	}
	va_end(again);
	return n;
}

int G(obstack_printf)(struct obstack *h, const char *fmt, ...)
{
	va_list ap;
	int n;
	va_start(ap, fmt);
	n = G(obstack_vprintf)(h, fmt, ap);
	va_end(ap);
	return n;
}

int G(__obstack_vprintf_chk)(struct obstack *h, int flag, const char *fmt, va_list ap)
{
	return G(obstack_vprintf)(h, fmt, ap);
}

int G(__obstack_printf_chk)(struct obstack *h, int flag, const char *fmt, ...)
{
	va_list ap;
	int n;
	va_start(ap, fmt);
	n = G(obstack_vprintf)(h, fmt, ap);
	va_end(ap);
	return n;
}
#endif
