/* driver LIBRARY [CHECK]: list the library's checks, or run one, which prints its findings. With `-`, run each in
 * its own process, with a line between them. Compiled for glibc and for the target; the library is the same file for both. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct check { const char *name; void (*run)(void); struct check *next; };

static void run_apart(struct check *c)
{
	int status = 0;
	pid_t pid;
	printf("== %s\n", c->name);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(60);
		c->run();
		exit(0);
	}
	waitpid(pid, &status, 0);
	printf("\n== %d\n", status);
}

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
		else if (!strcmp(argv[2], "-")) run_apart(c);
		else if (!strcmp(c->name, argv[2])) {
			alarm(60);
			c->run();
			return 0;
		}
	}
	return argc < 3 || !strcmp(argv[2], "-") ? 0 : 5;
}
