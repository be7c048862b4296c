/* The program's data on a huge page, before it is relocated (patches/musl/0016).
 *
 * The interpreter writes to nearly all of its data while it starts: 66,000 relocations, then its types. Each page of
 * 4 KiB costs a fault and a copy; 350 of them are a tenth of the time of `python3 -c pass`. Here 2 MiB are copied at
 * once, to a huge page that replaces them. For this the data must begin at a multiple of 2 MiB: in the file's addresses
 * by runtime/interpreter/data.ld, and in memory because the kernel maps files so on file systems that know huge pages
 * (ext4, XFS, Btrfs). If any condition does not hold, nothing is changed.
 *
 * Before relocation: no address may come from the data, and no call may leave this file. */
#define SYSCALL_NO_TLS 1
#include <sys/mman.h>
#include "syscall.h"

#define HUGE_PAGE 0x200000UL

/* Most 32-bit CPUs have only mmap2, which is the same where the offset is 0. (This code returns before it there.) */
#ifndef SYS_mmap
#define SYS_mmap SYS_mmap2
#endif

/* Copies the part of a segment that is in the file and belongs on the page. The rest is zero in both places. */
static void copy_segment(size_t page, size_t data, size_t start, size_t size)
{
	size_t end = start + size < data + HUGE_PAGE ? start + size : data + HUGE_PAGE;
	for (; start < end; start+=sizeof(size_t))
		*(size_t *)(page + (start - data)) = *(size_t *)start;
}

/* base: what the kernel added to the program's addresses; aux: the auxiliary vector, by type. */
static void data_on_huge_page(size_t base, const size_t *aux)
{
	const Phdr *writable[4];
	size_t n = 0, phdr = aux[AT_PHDR];
	for (size_t i=0; i<aux[AT_PHNUM]; i++, phdr+=aux[AT_PHENT]) {
		const Phdr *p = (void *)phdr;
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_W)) continue;
		if (n == sizeof writable / sizeof *writable) return;
		writable[n++] = p;
	}
	if (!n) return;
	/* Segments are in the order of their addresses. If there is less data, the memory after it may be another's. */
	size_t data = base + writable[0]->p_vaddr;
	size_t end = base + writable[n-1]->p_vaddr + writable[n-1]->p_memsz;
	if (sizeof(size_t) < 8 || data & HUGE_PAGE-1 || end - data < HUGE_PAGE) return;

	size_t map = __syscall(SYS_mmap, 0, 2*HUGE_PAGE, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
	if (map > -4096UL) return;
	size_t page = map + HUGE_PAGE-1 & -HUGE_PAGE;
	__syscall(SYS_madvise, page, HUGE_PAGE, MADV_HUGEPAGE);

	/* If writing to its first byte also makes its last page resident, it is one huge page, not 512 small ones. */
	size_t small = aux[AT_PAGESZ];
	unsigned char there = 0;
	*(volatile size_t *)page = 0;
	if (!__syscall(SYS_mincore, page + HUGE_PAGE - small, small, &there) && (there & 1)) {
		for (size_t i=0; i<n; i++)
			copy_segment(page, data, base + writable[i]->p_vaddr, writable[i]->p_filesz);
		__syscall(SYS_mremap, page, HUGE_PAGE, HUGE_PAGE, MREMAP_MAYMOVE|MREMAP_FIXED, data);
	}
	/* All of it, or the room left on the page. */
	__syscall(SYS_munmap, map, 2*HUGE_PAGE);
}
