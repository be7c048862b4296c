/* malloc, by mimalloc.
 *
 * A release of CPython has the source (configs/packages/mimalloc.yml). It
 * is compiled here as part of this file, without parts that a C library
 * does not need: its own options, environment variables, messages,
 * statistics, constructor and exit handler. Below, constant settings, and
 * system calls that leave errno alone, replace them.
 *
 * None of its names is visible outside: CPython has its own copy, with the
 * same names. clang hides them with the pragma, GCC with -fwhole-program
 * (patches/musl/0010).
 *
 * calloc relies on this to skip memory that is zero already:
 * - A slice that was ever part of a page is marked was_used, or is still
 *   part of that page. Only mi_segment_page_clear turns pages into free
 *   slices. It marks all slices that the page then has, whether it got them
 *   when it was made or later (extend below). A new page is zero if none of
 *   its slices is marked and its segment was zero. Only a new segment
 *   removes marks.
 * - A segment was zero (memid.initially_zero) if its memory is a new
 *   mapping, or blocks of an arena that were never used before: the arena
 *   marks blocks dirty for good when it hands them out.
 * Giving pages back (MADV_DONTNEED) makes memory zero, never the reverse, and
 * changes no mark. Except in a segment's first slices, only the users of
 * blocks write to them.
 */

#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include "dynlink.h"
#include "fork_impl.h"
#include "ksigaction.h"
#include "libc.h"
#include "syscall.h"

/* A test makes it check itself (tests/build/test_allocator_model.py). */
#ifndef MI_DEBUG
#define NDEBUG 1
#define MI_DEBUG 0
#define MI_SECURE 0
#endif
#define MI_STAT 0

/* The thread pointer is used as the thread's id. */
#define MI_PRIM_THREAD_ID() ((mi_threadid_t)__builtin_thread_pointer())

/* How atomic.h waits on a CPU that it does not know. */
#define sleep(seconds) __syscall(SYS_sched_yield)
#include "mimalloc/atomic.h"
#undef sleep

/* musl has a macro, mimalloc a field of this name. */
#undef weak

/* Not for variables: clang loses those that are local to a function. */
#pragma clang attribute push(__attribute__((internal_linkage)), apply_to=function)
#pragma GCC visibility push(hidden)
#define _mi_abandoned_default __malloc_abandoned_default
#define _mi_heap_default __malloc_heap_default
#define _mi_heap_empty __malloc_heap_empty
#define _mi_heap_main __malloc_heap_main
#define _mi_numa_node_count __malloc_numa_node_count
#define _mi_page_empty __malloc_page_empty
#define _mi_process_is_initialized __malloc_process_is_initialized
#define _mi_stats_main __malloc_stats_main

#include "mimalloc.h"
#include "mimalloc/internal.h"
#include "mimalloc/prim.h"

/* CPython's hooks, for its builds without a global lock. */
#define _PyMem_mi_page_clear_qsbr(page) ((void)0)
#define _PyMem_mi_page_reclaimed(page) ((void)0)
#define _PyMem_mi_page_is_safe_to_free(page) 1
#define _PyMem_mi_page_maybe_free(page, queue, force) \
	(_mi_page_free((page), (queue), (force)), true)
#define _PyMem_mi_heap_collect_qsbr(heap) ((void)0)

/* One thread at a time purges. The flag is here, not in the function that
 * tests it, so that a forked child can clear it. */
static mi_atomic_guard_t purging;
#undef mi_atomic_guard
#define mi_atomic_guard(guard) \
	for (uintptr_t expected=0; \
	     !expected && mi_atomic_cas_strong_acq_rel(&purging, &expected, (uintptr_t)1); \
	     expected=1, mi_atomic_store_release(&purging, (uintptr_t)0))

/* At least this much unused memory is given back before a wait (below). */
#define LEAST_UNUSED ((size_t)1<<20)

static __thread struct {
	size_t freed;		/* in this thread's segments, since they were last purged */
	size_t given;		/* given back by this purge; `last` by the one before */
	size_t last;
	unsigned long due;	/* when this thread may give memory back again: ms */
	volatile bool busy;	/* working on its segments */
	bool growing;		/* in realloc, for a large block that may grow again */
} mine;

/* Larger blocks are mappings of their own (patches/mimalloc/0002). One that
 * grew beyond a segment's part is, too: then remap can grow it, and each step
 * of growth does not leave a copy in an arena. */
#define MI_ARENA_MAX_OBJ_SIZE (mine.growing ? MI_LARGE_OBJ_SIZE_MAX : MI_SEGMENT_SIZE)

/* So much address space is left free behind such a mapping, of some 28 TiB. */
#define ROOM ((size_t)1<<30)

static _Atomic(size_t) freed_in_arenas;
static _Atomic(unsigned long) arenas_due;

/* Counts the threads that have enough; the arenas count as one more. */
static void count_unused(int n)
{
	__atomic_fetch_add(&__malloc_unused, n, __ATOMIC_RELAXED);
}

static void segment_unused(size_t n)
{
	if (mine.freed < LEAST_UNUSED && mine.freed + n >= LEAST_UNUSED) count_unused(1);
	mine.freed += n;
}

static void arena_unused(size_t n)
{
	size_t old = atomic_fetch_add(&freed_in_arenas, n);
	if (old < LEAST_UNUSED && old + n >= LEAST_UNUSED) count_unused(1);
}

/* One huge page costs as much as fifty small ones. Segments get them for the
 * part beyond 8 MiB, and blocks that grow, which are full but for their end. */
#define HUGE ((size_t)2<<20)

static void advise_huge_pages(void *segment, int advice)
{
	if (MI_SEGMENT_SIZE <= 4*HUGE) return;
	__syscall(SYS_madvise, (char *)segment+4*HUGE, MI_SEGMENT_SIZE-4*HUGE, advice);
}

/* Only such segments get huge pages. */
static bool may_get_huge_pages(mi_segment_t *segment)
{
	return segment->memid.memkind == MI_MEM_ARENA && segment->segment_slices == MI_SLICES_PER_SEGMENT;
}

/* Where it is allowed to, the kernel also merges existing small pages into a
 * huge one (khugepaged), even a single one: some seconds after part of a
 * segment was given back, all of it would be resident again. So this is
 * forbidden for such a segment until it is made anew. */
static void segment_in_part(mi_segment_t *segment)
{
	if (segment->in_part || !may_get_huge_pages(segment)) return;
	segment->in_part = true;
	advise_huge_pages(segment, MADV_NOHUGEPAGE);
}

/* It has memory of an earlier segment that was not given back. */
static void segment_again(mi_segment_t *segment)
{
	segment_unused((segment->slice_entries - segment->segment_info_slices)*MI_SEGMENT_SLICE_SIZE);
	if (may_get_huge_pages(segment)) advise_huge_pages(segment, MADV_HUGEPAGE);
}

/* A signal handler that waits while its thread is in here must not touch
 * the segments. All code that does goes through these two, or sets the mark. */
#define _mi_segment_page_alloc segment_page_alloc
#define _mi_segment_page_free segment_page_free
static mi_page_t *segment_page_alloc(mi_heap_t *, size_t, size_t, mi_segments_tld_t *, mi_os_tld_t *);
static void segment_page_free(mi_page_t *, bool, mi_segments_tld_t *);
#include "segment.c"
#undef _mi_segment_page_alloc
#undef _mi_segment_page_free

static bool enter(void)
{
	bool was = mine.busy;
	mine.busy = true;
	atomic_signal_fence(memory_order_seq_cst);
	return was;
}

static void leave(bool was)
{
	atomic_signal_fence(memory_order_seq_cst);
	mine.busy = was;
}

mi_page_t *_mi_segment_page_alloc(mi_heap_t *heap, size_t size, size_t align, mi_segments_tld_t *tld, mi_os_tld_t *os)
{
	bool was = enter();
	mi_page_t *page = segment_page_alloc(heap, size, align, tld, os);
	leave(was);
	return page;
}

void _mi_segment_page_free(mi_page_t *page, bool force, mi_segments_tld_t *tld)
{
	bool was = enter();
	segment_page_free(page, force, tld);
	leave(was);
}

/* One function is weak, for C++. */
#define weak unused
#include "alloc.c"
#undef weak
#include "alloc-aligned.c"
#include "arena.c"
#include "bitmap.c"
#include "heap.c"
/* Called directly, instead of by its constructor, which does too much. */
#define constructor unused
#include "init.c"
#undef constructor
#define _mi_os_alloc_aligned_at_offset unused_at_offset
#include "os.c"
#undef _mi_os_alloc_aligned_at_offset
#include "page.c"
#include "random.c"

/* mimalloc's own function rounds up the size of a mapping with a very large
 * alignment, and leaves some of it mapped when it is freed. */
void *_mi_os_alloc_aligned_at_offset(size_t size, size_t align, size_t offset, bool commit, bool large, mi_memid_t *id, mi_stats_t *stats)
{
	size_t extra = -offset & (align-1);
	size_t need = _mi_os_good_alloc_size(size) + extra;
	char *p = _mi_os_alloc_aligned(need, align, commit, large, id, stats);
	if (!p) return 0;
	size_t rest = _mi_os_good_alloc_size(need) - need;
	if (rest) _mi_prim_free(p+need, rest);
	return p+extra;
}

/* ---- instead of options.c ---- */

/* Memory that was unused for about so many ms is given back. */
#define PURGE_DELAY 500

/* The rest are zero. Arenas of so many KiB reserve address space without
 * access, which costs nothing where commitments are counted. Segments are
 * then made accessible one by one. A process's first segment is small, and
 * in no arena (patches/mimalloc/0004). */
long mi_option_get(mi_option_t option)
{
	switch (option) {
	case mi_option_eager_commit: return 1;
	case mi_option_eager_commit_delay: return 1;
	case mi_option_purge_decommits: return 1;
	case mi_option_purge_delay: return PURGE_DELAY;
	case mi_option_arena_purge_mult: return 1;
	case mi_option_max_segment_reclaim: return 8;
	case mi_option_arena_reserve: return sizeof(void *)==8 ? 64*1024 : 16*1024;
	default: return 0;
	}
}

long mi_option_get_clamp(mi_option_t option, long min, long max)
{
	long x = mi_option_get(option);
	return x<min ? min : x>max ? max : x;
}

size_t mi_option_get_size(mi_option_t option)
{
	return mi_option_get(option)*MI_KiB;
}

bool mi_option_is_enabled(mi_option_t option)
{
	return mi_option_get(option);
}

void _mi_options_init(void) { }
void _mi_fputs(mi_output_fun *out, void *arg, const char *prefix, const char *s) { }
void _mi_verbose_message(const char *fmt, ...) { }
void _mi_warning_message(const char *fmt, ...) { }

void _mi_error_message(int err, const char *fmt, ...)
{
	if (err==ENOMEM || err==EOVERFLOW) errno = ENOMEM;
#if MI_DEBUG
	else {
		va_list list;
		va_start(list, fmt);
		vdprintf(2, fmt, list);
		abort();
	}
#endif
}

#if MI_DEBUG
void _mi_assert_fail(const char *what, const char *file, unsigned line, const char *function)
{
	dprintf(2, "%s:%u: %s: %s\n", file, line, function, what);
	abort();
}
#endif

/* ---- instead of segment-map.c: nobody asks whether a pointer is ours ---- */

void _mi_segment_map_allocated_at(const mi_segment_t *segment) { }
void _mi_segment_map_freed_at(const mi_segment_t *segment) { }

/* ---- instead of stats.c ---- */

void _mi_stat_increase(mi_stat_count_t *stat, size_t n) { }
void _mi_stat_decrease(mi_stat_count_t *stat, size_t n) { }
void _mi_stat_counter_increase(mi_stat_counter_t *stat, size_t n) { }
void _mi_stats_done(mi_stats_t *stats) { }
void mi_stats_reset(void) { }
void mi_stats_print(void *out) { }

mi_msecs_t _mi_clock_now(void)
{
	struct timespec t;
	__clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec*1000LL + t.tv_nsec/1000000;
}

mi_msecs_t _mi_clock_start(void) { return _mi_clock_now(); }
mi_msecs_t _mi_clock_end(mi_msecs_t start) { return _mi_clock_now() - start; }
mi_msecs_t _mi_prim_clock_now(void) { return _mi_clock_now(); }

/* ---- instead of prim.c ---- */

void _mi_prim_mem_init(mi_os_mem_config_t *config)
{
	os_preloading = false;
	config->page_size = config->alloc_granularity = PAGE_SIZE;
	config->has_overcommit = false;
	config->has_virtual_reserve = true;
	config->must_free_whole = false;
}

static void *map(void *where, size_t size, int prot)
{
#ifdef SYS_mmap2
	void *p = (void *)__syscall(SYS_mmap2, where, size, prot, MAP_PRIVATE|MAP_ANON, -1, 0);
#else
	void *p = (void *)__syscall(SYS_mmap, where, size, prot, MAP_PRIVATE|MAP_ANON, -1, 0);
#endif
	return (unsigned long)p > -4096UL ? 0 : p;
}

int _mi_prim_alloc(size_t size, size_t align, bool commit, bool large, bool *is_large, bool *is_zero, void **addr)
{
	int prot = commit ? PROT_READ|PROT_WRITE : PROT_NONE;
	*is_large = false;
	*is_zero = true;
	if (size > PTRDIFF_MAX) return ENOMEM;
	void *hint = _mi_os_get_aligned_hint(align, size);
	if (!(*addr = map(hint, size, prot))) return ENOMEM;
	if (mine.growing) {
		/* The next mapping comes later: there is room to grow in place. */
		_mi_os_get_aligned_hint(align, ROOM);
		/* All of it, so that it stays one mapping, which mremap can grow. */
		if (commit && size > 4*HUGE) __syscall(SYS_madvise, *addr, size, MADV_HUGEPAGE);
	}
	return 0;
}

int _mi_prim_free(void *p, size_t size)
{
	return -__syscall(SYS_munmap, p, size);
}

int _mi_prim_commit(void *p, size_t size, bool *is_zero)
{
	*is_zero = false;
	int e = -__syscall(SYS_mprotect, p, size, PROT_READ|PROT_WRITE);
	if (!e && size == MI_SEGMENT_SIZE) advise_huge_pages(p, MADV_HUGEPAGE);
	return e;
}

int _mi_prim_decommit(void *p, size_t size, bool *needs_recommit)
{
	*needs_recommit = false;
	mine.given += size;
	return -__syscall(SYS_madvise, p, size, MADV_DONTNEED);
}

int _mi_prim_reset(void *p, size_t size)
{
	return -__syscall(SYS_madvise, p, size, MADV_DONTNEED);
}

int _mi_prim_protect(void *p, size_t size, bool protect)
{
	return -__syscall(SYS_mprotect, p, size, protect ? PROT_NONE : PROT_READ|PROT_WRITE);
}

int _mi_prim_alloc_huge_os_pages(void *hint, size_t size, int node, bool *is_zero, void **addr)
{
	*addr = 0;
	return ENOMEM;
}

size_t _mi_prim_numa_node(void) { return 0; }
size_t _mi_prim_numa_node_count(void) { return 1; }

/* Only addresses are randomized with it: the bytes that the kernel gave to
 * the process are enough, and cost no system call. */
bool _mi_prim_random_buf(void *buf, size_t n)
{
	for (size_t i=0; libc.auxv[i]; i+=2)
		if (libc.auxv[i]==AT_RANDOM) {
			for (size_t j=0; j<n; j+=8)
				memcpy((char *)buf+j, (char *)libc.auxv[i+1]+8, 8);
			return true;
		}
	return false;
}

static void give_back_mine(void)
{
	mi_heap_t *heap = mi_prim_get_default_heap();
	if (mine.freed >= LEAST_UNUSED) count_unused(-1);
	mine.freed = 0;
	if (!mi_heap_is_initialized(heap)) return;
	bool was = enter();
	mi_tld_t *tld = heap->tld;
	for (size_t i=0; i<=MI_SEGMENT_BIN_MAX; i++)
		for (mi_slice_t *s=tld->segments.spans[i].first; s; s=s->next)
			mi_segment_try_purge(_mi_ptr_segment(s), true, &tld->stats);
	leave(was);
}

/* Also gives back memory freed in segments that ended threads left behind. */
static void give_back_arenas(void)
{
	mi_heap_t *heap = mi_prim_get_default_heap();
	bool was = enter();
	if (mi_heap_is_initialized(heap)) _mi_abandoned_collect(heap, true, &heap->tld->segments);
	if (atomic_exchange(&freed_in_arenas, 0) >= LEAST_UNUSED) count_unused(-1);
	mi_arenas_try_purge(true, true, &_mi_stats_main);
	leave(was);
}

/* mimalloc looks for memory to give back only where it frees more of the
 * same, and postpones it where it allocates nearby. So each thread also
 * checks all its free memory twice a second, while it allocates. */
static void look_for_unused(bool force, unsigned long long beat, void *arg)
{
	static __thread mi_msecs_t next;
	/* Not while the thread's heap is taken apart. */
	if (force || beat%64) return;
	mi_msecs_t now = _mi_clock_now(), due = next;
	if (due && now < due) return;
	next = now + PURGE_DELAY;
	if (!due) return;
	give_back_mine();
	mi_arenas_try_purge(true, true, &_mi_stats_main);
}

/* A waiting thread does not allocate. So it gives memory back before it
 * waits, but for each MiB at most every 25 ms, or all of it every
 * PURGE_DELAY: this must cost a few percent of the time at most. Much more
 * than the last time is given back at once. */
#define MUCH 32

static unsigned long next_time(size_t given)
{
	size_t ms = given/((1<<20)/25) + 25;
	return _mi_clock_now() + (ms < PURGE_DELAY ? ms : PURGE_DELAY);
}

static unsigned long left(unsigned long due, unsigned long now)
{
	return due-now > PURGE_DELAY ? 0 : due-now;
}

/* Memory that is freed in segments left behind is not counted. */
static bool left_behind(void)
{
	return mi_atomic_load_relaxed(&_mi_abandoned_default.abandoned_count)
		|| mi_atomic_load_relaxed(&_mi_abandoned_default.abandoned_visited_count);
}

static int give_back(int how)
{
	bool segments = mine.freed >= LEAST_UNUSED;
	bool arenas = freed_in_arenas >= LEAST_UNUSED || (segments && left_behind());
	unsigned long now = _mi_clock_now();
	int in = segments && how != WAIT_IS_SURE && mine.freed/MUCH < mine.last ? left(mine.due, now) : 0;
	int later = arenas && how != WAIT_IS_SURE ? left(arenas_due, now) : 0;
	segments &= !in;
	arenas &= !later;
	if (!in || (later && later < in)) in = later;
	if (how != WAIT_IN_PARTS) in = 0;
	if (!segments && !arenas) return in;

	/* A signal between this and the wait would not end the wait. That must
	 * not become more likely than without this code. */
	unsigned long all[_NSIG/8/sizeof(long)], old[_NSIG/8/sizeof(long)], came[_NSIG/8/sizeof(long)] = { 0 };
	memset(all, -1, sizeof all);
	__syscall(SYS_rt_sigprocmask, SIG_BLOCK, all, old, _NSIG/8);
	mine.given = 0;
	if (segments) {
		give_back_mine();
		mine.due = next_time(mine.given);
		mine.last = mine.given < LEAST_UNUSED ? LEAST_UNUSED : mine.given;
	}
	if (arenas) {
		give_back_arenas();
		arenas_due = next_time(mine.given);
	}
	__syscall(SYS_rt_sigpending, came, _NSIG/8);
	for (int sig=1; sig<_NSIG; sig++) {
		unsigned long bit = 1UL << (sig-1)%(8*sizeof(long));
		struct k_sigaction sa;
		if ((came[(sig-1)/(8*sizeof(long))] & ~old[(sig-1)/(8*sizeof(long))] & bit)
		    && !__syscall(SYS_rt_sigaction, sig, 0, &sa, _NSIG/8)
		    && (uintptr_t)sa.handler > 1 && !(sa.flags & SA_RESTART))
			in = -EINTR;
	}
	__syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, 0, _NSIG/8);
	return in;
}

void _mi_prim_thread_init_auto_done(void)
{
	mi_register_deferred_free(look_for_unused, 0);
}

void _mi_prim_thread_done_auto_done(void) { }
void _mi_prim_thread_associate_default_heap(mi_heap_t *heap) { }

#pragma GCC visibility pop
#pragma clang attribute pop

#if defined(__GNUC__) && !defined(__clang__)
#define visible __attribute__((__externally_visible__))
#else
#define visible
#endif

/* Called before a wait (patches/musl/0036). */
visible int __malloc_idle(int how)
{
	return mine.busy || (mine.freed < LEAST_UNUSED && freed_in_arenas < LEAST_UNUSED) ? 0 : give_back(how);
}

/* mimalloc takes the first thread that comes here as the main one. Two
 * threads that start at the same time must not compete for that. */
__attribute__((__constructor__))
static void init(void)
{
	mi_process_init();
}

/* mimalloc aligns blocks of up to eight bytes to eight only. */
static inline size_t at_least_16(size_t n)
{
	return n<16 ? 16 : n;
}

visible void *__libc_malloc(size_t n)
{
	return mi_malloc(at_least_16(n));
}

visible void *__libc_calloc(size_t m, size_t n)
{
	size_t size;
	if (__builtin_mul_overflow(m, n, &size)) {
		errno = ENOMEM;
		return 0;
	}
	if (size <= MI_LARGE_OBJ_SIZE_MAX) return mi_zalloc(at_least_16(size));

	/* The block is a mapping, or a part of one. It is zero when it is new,
	 * and again after its pages were given back, except in older qemu-user,
	 * which reports success and does nothing. */
	volatile char *p = mi_malloc(size);
	if (!p) return 0;
#ifdef MI_ENCODE_FREELIST
	/* In this build, the encoded "no block follows" is not zero. */
	((mi_block_t *)p)->next = 0;
#endif
	if (_mi_ptr_segment((void *)p)->memid.initially_zero) return (void *)p;
	*p = 1;
	if (__syscall(SYS_madvise, p, -(-size & -PAGE_SIZE), MADV_DONTNEED) || *p) memset((void *)p, 0, size);
	return (void *)p;
}

/* Gives a block's slices their offsets back to the first, as far as they are
 * used. A huge block may have more slices than its segment has entries. */
static void point_back(mi_slice_t *slice, size_t count, const mi_slice_t *end)
{
	for (size_t i=1; i<count && i<=MI_MAX_SLICE_OFFSET; i++) {
		slice[i].slice_offset = i*sizeof *slice;
		slice[i].slice_count = 0;
		slice[i].xblock_size = 1;
	}
	size_t last = count <= end-slice ? count-1 : end-slice;
	slice[last].slice_offset = last*sizeof *slice;
	slice[last].slice_count = 0;
	slice[last].xblock_size = 1;
}

/* A large block is a run of slices of its segment. It can take the next
 * slices if they are free. */
static bool extend(void *p, size_t n)
{
	mi_segment_t *segment = _mi_ptr_segment(p);
	if (mi_atomic_load_relaxed(&segment->thread_id) != _mi_prim_thread_id()) return false;
	if (segment->kind != MI_SEGMENT_NORMAL || n > MI_LARGE_OBJ_SIZE_MAX) return false;
	mi_page_t *page = _mi_segment_page_of(segment, p);
	if (page->xblock_size <= MI_MEDIUM_OBJ_SIZE_MAX || mi_page_has_aligned(page)) return false;

	mi_segments_tld_t *tld = &mi_page_heap(page)->tld->segments;
	mi_slice_t *slice = mi_page_to_slice(page), *next = slice+slice->slice_count;
	size_t count = (n + MI_SEGMENT_SLICE_SIZE-1) / MI_SEGMENT_SLICE_SIZE;
	size_t more = count - slice->slice_count;
	if (count <= slice->slice_count) more = 0;
	else if (next >= mi_segment_slices_end(segment) || mi_slice_is_used(next) || next->slice_count < more)
		return false;
	else if (!mi_segment_ensure_committed(segment, mi_slice_start(next), more*MI_SEGMENT_SLICE_SIZE, tld->stats))
		return false;
	if (more) {
		bool was = enter();
		mi_span_queue_delete(mi_span_queue_for(next->slice_count, tld), next);
		mi_segment_slice_split(segment, next, more, tld);
		slice->slice_count = count;
		point_back(slice, count, mi_segment_slices_end(segment));
		leave(was);
	}
	page->xblock_size = slice->slice_count*MI_SEGMENT_SLICE_SIZE;
	return true;
}

/* Whether the process may have so much more memory (RLIMIT_AS, RLIMIT_DATA,
 * commitments). */
static bool may_have(size_t n)
{
	void *p = map(0, n, PROT_READ|PROT_WRITE);
	if (p) __syscall(SYS_munmap, p, n);
	return p;
}

/* A huge block may have a mapping, and a segment, of its own. The kernel makes
 * the mapping longer, in place or elsewhere, or shorter, and copies nothing. It
 * stays one mapping, and leaves nothing behind.
 *
 * A move that fails may have unmapped the memory at its target, and other
 * threads may have mapped something there since. So the target is not touched
 * again, not even to unmap it, and nothing is moved from then on. The block
 * stays where it was. Limits do not come to that: they are tried before. */
static void *remap(void *p, size_t n)
{
	static volatile int broken;
	mi_segment_t *segment = _mi_ptr_segment(p);
	if (mi_atomic_load_relaxed(&segment->thread_id) != _mi_prim_thread_id()) return 0;
	if (segment->kind != MI_SEGMENT_HUGE) return 0;
	if (segment->memid.memkind != MI_MEM_OS || segment->memid.mem.os.base != segment) return 0;
	mi_page_t *page = _mi_segment_page_of(segment, p);
	if (mi_page_has_aligned(page) || n > PTRDIFF_MAX - 2*MI_SEGMENT_SIZE) return 0;

	size_t slices = mi_segment_calculate_slices(_mi_os_good_alloc_size(n), 0, 0);
	if (slices > UINT32_MAX) return 0;
	size_t old = _mi_os_good_alloc_size(mi_segment_size(segment));
	size_t new = _mi_os_good_alloc_size(slices*MI_SEGMENT_SLICE_SIZE);
	mi_heap_t *heap = mi_page_heap(page);
	mi_page_queue_t *queue = mi_page_queue_of(page);

	/* A move can help only if there was no room, or too much memory. If part
	 * of a block has got other properties, the block is two mappings. */
	long r = old==new ? (long)segment : __syscall(SYS_mremap, segment, old, new, 0);
	if (r == -ENOMEM && !broken && may_have(new-old)) {
		mi_memid_t id;
		void *to = _mi_os_alloc_aligned(new, MI_SEGMENT_ALIGN, false, false, &id, &heap->tld->stats);
		if (!to) return 0;
		r = __syscall(SYS_mremap, segment, old, new, MREMAP_MAYMOVE|MREMAP_FIXED, to);
		if (r == (long)to) {
			segment = to;
			page = &segment->slices[segment->segment_info_slices];
			segment->memid.mem.os.base = to;
			segment->cookie = _mi_ptr_cookie(segment);
			*(page->prev ? &page->prev->next : &queue->first) = page;
			*(page->next ? &page->next->prev : &queue->last) = page;
		} else broken = 1;
	}
	if (r != (long)segment) return 0;

	heap->tld->segments.current_size += (slices - segment->segment_slices)*MI_SEGMENT_SLICE_SIZE;
	segment->segment_slices = slices;
	segment->slice_entries = slices < MI_SLICES_PER_SEGMENT ? slices : MI_SLICES_PER_SEGMENT;
	segment->segment_size = slices*MI_SEGMENT_SLICE_SIZE;
	page->slice_count = slices - segment->segment_info_slices;
	point_back(mi_page_to_slice(page), page->slice_count, mi_segment_slices_end(segment));
	size_t size = (size_t)page->slice_count*MI_SEGMENT_SLICE_SIZE;
	page->xblock_size = size < MI_HUGE_BLOCK_SIZE ? size : MI_HUGE_BLOCK_SIZE;
	return _mi_segment_page_start(segment, page, 0);
}

visible void *__libc_realloc(void *p, size_t n)
{
	size_t size = mi_usable_size(p);
	/* Neither function moves the padding of MI_PADDING, nor remap the last
	 * page of MI_SECURE, a guard. */
	if (!MI_PADDING_SIZE && n > size && size > MI_MEDIUM_OBJ_SIZE_MAX && extend(p, n)) return p;
	void *q = 0;
	mine.growing = n > size && n > MI_LARGE_OBJ_SIZE_MAX;
	if (!MI_PADDING_SIZE && !MI_SECURE && n > MI_LARGE_OBJ_SIZE_MAX && size > MI_LARGE_OBJ_SIZE_MAX) q = remap(p, n);
	if (!q) q = mi_realloc(p, at_least_16(n));
	mine.growing = false;
	return q;
}

visible void __libc_free(void *p)
{
	mi_free(p);
}

/* Checks and results are musl's. */
static void *aligned(size_t align, size_t n)
{
	if ((align & -align) != align) {
		errno = EINVAL;
		return 0;
	}
	if (n > PTRDIFF_MAX - align || align >= 1ULL<<35) {
		errno = ENOMEM;
		return 0;
	}
	if (align <= 16) return __libc_malloc(n);
	void *p = mi_malloc_aligned(n, align);
	if (!p) errno = ENOMEM;
	return p;
}

static size_t usable(void *p)
{
	return mi_usable_size(p);
}

/* Weak: a program may have its own. */
extern visible __typeof(malloc) malloc __attribute__((__weak__, __alias__("__libc_malloc")));
extern visible __typeof(calloc) calloc __attribute__((__weak__, __alias__("__libc_calloc")));
extern visible __typeof(realloc) realloc __attribute__((__weak__, __alias__("__libc_realloc")));
extern visible __typeof(free) free __attribute__((__weak__, __alias__("__libc_free")));
extern visible void *aligned_alloc(size_t, size_t) __attribute__((__weak__, __alias__("aligned")));
extern visible size_t malloc_usable_size(void *) __attribute__((__weak__, __alias__("usable")));

/* Called by a thread when no code of the program will run in it any more:
 * it leaves its memory to the other threads. */
visible void __malloc_thread_exit(void)
{
	mine.busy = true;
	if (mine.freed >= LEAST_UNUSED) {
		if (mine.freed >= MUCH*LEAST_UNUSED || !left(arenas_due, _mi_clock_now())) {
			mine.given = 0;
			give_back_mine();
			arenas_due = next_time(mine.given);
		} else count_unused(-1);
	}
	mine.freed = 0;
	mi_thread_done();
	if (mine.freed >= LEAST_UNUSED) count_unused(-1);
	/* Others may still free its blocks: let them check. */
	if (left_behind()) arena_unused(LEAST_UNUSED);
}

/* In the child of a fork only this thread lives on. mimalloc has no lock
 * that another thread could hold, but it waits for others in three places:
 * for a thread that purges, for readers of the abandoned segments, and for a
 * thread that is handing a block back to this thread's heap. */
static bool forget_handing_back(mi_heap_t *heap, mi_page_queue_t *queue, mi_page_t *page, void *a, void *b)
{
	mi_thread_free_t t = mi_atomic_load_relaxed(&page->xthread_free);
	if (mi_tf_delayed(t) == MI_DELAYED_FREEING)
		mi_atomic_store_release(&page->xthread_free, mi_tf_set_delayed(t, MI_USE_DELAYED_FREE));
	return true;
}

visible void __malloc_atfork(int who)
{
	if (who<=0) return;
	mi_heap_t *heap = mi_prim_get_default_heap();
	mi_atomic_store_release(&purging, (uintptr_t)0);
	mi_atomic_store_release(&_mi_abandoned_default.abandoned_readers, (size_t)0);
	mi_atomic_store_release(&thread_count, (size_t)1);
	__malloc_unused = (mine.freed >= LEAST_UNUSED) + (freed_in_arenas >= LEAST_UNUSED);
	if (mi_heap_is_initialized(heap))
		mi_heap_visit_pages(heap, forget_handing_back, 0, 0);
}
