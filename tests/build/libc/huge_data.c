/* More data than a huge page holds (runtime/musl/huge_data.h): is all of it right, and is RELRO read-only?
 * Prints the file that the beginning of the data is mapped from (nothing for a huge page), and whether its address fits
 * a huge page. With an argument, huge pages are disabled first. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUMBERS 600000
#define POINTERS 20000
#define STRING2(x) #x
#define STRING(x) STRING2(x)
#if __SIZEOF_POINTER__ == 8
#define WORD ".quad"
#else
#define WORD ".long"
#endif

/* numbers[i] is i; pointers[i] is its address, which is relocated. */
__asm__(
	".data\n.balign 8\nnumbers:\n.set i, 0\n"
	".rept " STRING(NUMBERS) "\n.long i\n.set i, i + 1\n.endr\n"
	".section .data.rel.ro, \"aw\"\n.balign 8\npointers:\n.set i, 0\n"
	".rept " STRING(POINTERS) "\n" WORD " numbers + 4*i\n.set i, i + 1\n.endr\n"
	".text\n");
extern int32_t numbers[] __attribute__((visibility("hidden")));
extern int32_t *pointers[] __attribute__((visibility("hidden")));
static char zeros[300000];
static _Thread_local int local = 5, local_zero;

static int all_there(void)
{
	for (int i = 0; i < NUMBERS; i++) if (numbers[i] != i) return 0;
	for (int i = 0; i < POINTERS; i++) if (pointers[i] != numbers + i) return 0;
	for (unsigned i = 0; i < sizeof zeros; i++) if (zeros[i]) return 0;
	return local == 5 && !local_zero;
}

static int writing_ends(volatile void *address)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		*(volatile char *)address = 1;
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)) return 3;
		execl(argv[0], argv[0], (char *)0);
		return 2;
	}
	if (!all_there() || !writing_ends(pointers) || writing_ends(numbers) || writing_ends(zeros)) return 1;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4200], file[4200];
	uintptr_t start, end;
	while (fgets(line, sizeof line, maps)) {
		*file = 0;
		sscanf(line, "%zx-%zx %*s %*s %*s %*s %s", &start, &end, file);
		if ((uintptr_t)pointers - start < end - start)
			printf("%s,%s\n", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, start % 0x200000 ? "no" : "yes");
	}
	return 0;
}
