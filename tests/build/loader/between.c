/* between FUNCTION LIBRARY...: if the segments of a program are far apart, the kernel puts libraries between them.
 * Loads each library, finds it by the address of its function, and calls that. Prints how many lie between the segments. */
#define _GNU_SOURCE
#include "check.h"
#include <link.h>
#include <stdint.h>

static int between(struct dl_phdr_info *info, size_t size, void *code)
{
	uintptr_t a = (uintptr_t)code - info->dlpi_addr, start = -1, end = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = info->dlpi_phdr+i;
		if (p->p_type != PT_LOAD) continue;
		CHECK(a - p->p_vaddr >= p->p_memsz);
		if (p->p_vaddr < start) start = p->p_vaddr;
		if (p->p_vaddr + p->p_memsz > end) end = p->p_vaddr + p->p_memsz;
	}
	return 1 + (a - start < end - start); /* the program is the first */
}

int main(int argc, char **argv)
{
	int found = 0;
	for (int i = 2; i < argc; i++) {
		Dl_info info = { 0 };
		void *library = load(argv[i], RTLD_NOW);
		int (*function)(void) = (int (*)(void))(uintptr_t)dlsym(library, argv[1]);
		CHECK(function && function() == 3);
		CHECK(dladdr((void *)(uintptr_t)function, &info) && !strcmp(info.dli_fname, argv[i]));
		CHECK(!strcmp(info.dli_sname, argv[1]));
		found += dl_iterate_phdr(between, (void *)(uintptr_t)function) - 1;
	}
	printf("%d\n", found);
	return 0;
}
