/* fuzz LIBRARY COPY COUNT SEED: damages a library's headers and tables in
 * COUNT ways, and loads each result. The loader may refuse or load it; it must
 * not crash or hang before the library's own code runs. The library's code is
 * made non-executable just before it runs: a fault at a jump into it is the
 * library's, any other is the loader's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

__thread int program_tls; /* libmain.so needs one */

enum { LOADED, REFUSED, NO_MESSAGE, NUM_RESULTS };

static const char *copy;
static unsigned char *file, *damaged;
static size_t size;

static uint64_t state;
static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1d >> 16;
}
static size_t below(size_t n) { return n ? rnd() % n : 0; }

/* Places in the file of the parts to damage. */
static struct { size_t at, len; } parts[16];
static int nparts;

static void add_part(size_t at, size_t len)
{
	if (at >= size || nparts == 16) return;
	if (len > size-at) len = size-at;
	parts[nparts].at = at;
	parts[nparts++].len = len;
}

static void find_parts(void)
{
	const ElfW(Ehdr) *eh = (void *)file;
	const ElfW(Phdr) *ph = (void *)(file + eh->e_phoff);
	const ElfW(Dyn) *d = 0;
	add_part(0, sizeof *eh);
	add_part(eh->e_phoff, eh->e_phnum * sizeof *ph);
	for (int i = 0; i < eh->e_phnum; i++) if (ph[i].p_type == PT_DYNAMIC) {
		add_part(ph[i].p_offset, ph[i].p_filesz);
		d = (void *)(file + ph[i].p_offset);
	}
	for (; d->d_tag != DT_NULL; d++) switch (d->d_tag) {
	case DT_HASH: case DT_GNU_HASH: case DT_SYMTAB: case DT_REL:
	case DT_RELA: case DT_JMPREL: case 36 /* DT_RELR */: case DT_INIT_ARRAY:
	case DT_VERSYM: case DT_VERNEED: case 0x6ffffffc /* DT_VERDEF */:
		for (int i = 0; i < eh->e_phnum; i++)
			if (ph[i].p_type == PT_LOAD && d->d_un.d_ptr - ph[i].p_vaddr < ph[i].p_filesz)
				add_part(d->d_un.d_ptr - ph[i].p_vaddr + ph[i].p_offset, 96);
	}
}

static uint64_t value(uint64_t old)
{
	switch (below(10)) {
	case 0: return 0;
	case 1: return ~(uint64_t)0 >> below(64);
	case 2: return (uint64_t)1 << below(64);
	case 3: return old ^ (uint64_t)1 << below(64);
	case 4: return old + below(33) - 16;
	case 5: return below(size + 4096);
	case 6: return below(64);
	case 7: return old + below(3)*4096 - 4096;
	case 8: return -old;
	}
	return rnd();
}

static size_t damage(void)
{
	memcpy(damaged, file, size);
	for (int n = 1+below(3); n; n--) {
		/* Headers and the dynamic section are damaged as often as everything else. */
		int i = below(2) ? below(3) : below(nparts);
		size_t width = (size_t)1 << below(4);
		size_t at = parts[i].at + below(parts[i].len / width) * width;
		uint64_t v = 0;
		if (at+width > size) continue;
		memcpy(&v, damaged+at, width);
		v = value(v);
		memcpy(damaged+at, &v, width);
	}
	return below(20) ? size : below(size);
}

static struct { uintptr_t start, end; } disarmed[64];
static int ndisarmed;

/* The loader calls this before its work, before the resolvers of IFUNCs, and
 * after its work, before the constructors. */
void _dl_debug_state(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/maps", "r");
	while (f && fgets(line, sizeof line, f)) {
		unsigned long start, end;
		char exec, *name = strchr(line, '/');
		if (!name || strncmp(name, copy, strlen(copy)) || ndisarmed == 64) continue;
		sscanf(line, "%lx-%lx %*c%*c%c", &start, &end, &exec);
		if (exec == 'x' && mprotect((void *)start, end-start, PROT_READ)) _exit(99);
		disarmed[ndisarmed].start = start;
		disarmed[ndisarmed++].end = end;
	}
	if (f) fclose(f);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	for (int i = 0; i < ndisarmed; i++)
		if ((uintptr_t)info->si_addr - disarmed[i].start
		    < disarmed[i].end - disarmed[i].start) _exit(LOADED);
	signal(sig, SIG_DFL); /* and again */
}

static int try(size_t len)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	int fd = open(copy, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, damaged, len) != (ssize_t)len) _exit(98);
	close(fd);
	sigaction(SIGSEGV, &sa, 0);
	sigaction(SIGBUS, &sa, 0);
	alarm(30);
	if (dlopen(copy, RTLD_NOW)) return LOADED;
	const char *e = dlerror();
	if (e && getenv("FUZZ_VERBOSE")) dprintf(2, "%s\n", e);
	return e && *e && strstr(e, "rror") ? REFUSED : NO_MESSAGE;
}

int main(int argc, char **argv)
{
	int results[NUM_RESULTS] = { 0 }, bad = 0;
	if (argc != 5) return 2;
	copy = argv[2];
	state = strtoull(argv[4], 0, 0);
	FILE *f = fopen(argv[1], "rb");
	if (!f) return 2;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	file = malloc(size+8);
	damaged = malloc(size+8);
	if (fread(file, 1, size, f) != size) return 2;
	fclose(f);
	find_parts();
	for (int i = 0, n = atoi(argv[3]); i < n; i++) {
		size_t len = damage();
		int status;
		pid_t pid = fork();
		if (!pid) {
			if (!getenv("FUZZ_VERBOSE")) dup2(open("/dev/null", O_WRONLY), 1);
			_exit(try(len));
		}
		waitpid(pid, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) < NUM_RESULTS) {
			results[WEXITSTATUS(status)]++;
			if (WEXITSTATUS(status) != NO_MESSAGE) continue;
		}
		printf("mutation %d: status %#x\n", i, status);
		if (getenv("FUZZ_KEEP")) {
			char name[600];
			snprintf(name, sizeof name, "%s.%d", copy, i);
			rename(copy, name);
		}
		bad++;
	}
	printf("loaded %d refused %d bad %d\n", results[LOADED], results[REFUSED], bad);
	return bad ? 1 : 0;
}
