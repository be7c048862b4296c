/* driver LIBRARY [CHECK]: name the library's checks, or run one, which prints what it found. Compiled for glibc and for
 * the target; the library is the same file for both. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check { const char *name; void (*run)(void); struct check *next; };

int main(int argc, char **argv)
{
	void *library = dlopen(argv[1], RTLD_NOW);
	if (!library) {
		printf("%s\n", dlerror());
		return 3;
	}
	struct check **checks = dlsym(library, "checks");
	if (!checks) return 4;
	for (struct check *c = *checks; c; c = c->next) {
		if (argc < 3) puts(c->name);
		else if (!strcmp(c->name, argv[2])) {
			alarm(60);
			c->run();
			return 0;
		}
	}
	return argc < 3 ? 0 : 5;
}
