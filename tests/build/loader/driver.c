/* driver CHECK DIR: runs one check of the loader. */
#define _GNU_SOURCE
#include "check.h"
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

__thread int program_tls = 1000;
static __thread char program_wide[32] __attribute__((aligned(128))) = "program";

__attribute__((constructor)) static void init(void) { puts("program ctor"); }
__attribute__((destructor)) static void fini(void) { puts("program dtor"); }

static char path[4096];
static const char *dir;
static const char *in_dir(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

#define SYM(h, type, name) type name = (type)(uintptr_t)dlsym(h, #name)
typedef int (*int_f)(void);
typedef void *(*ptr_f)(void);

static void exit_order(void)
{
	load(in_dir("libmain.so"), RTLD_NOW);
	puts("loaded");
}

static int_f sum;
static ptr_f wide_address;
static pthread_barrier_t gate;

static int fresh_thread_is_right(void)
{
	int first = sum(), second = sum();
	char *w = wide_address();
	/* 7+8+0+100+1000 in each thread, and four counters more each time */
	return first == 1115 && second == 1119 && !((uintptr_t)w & 255)
		&& !strcmp(w, "wide") && !strcmp(program_wide, "program")
		&& !((uintptr_t)program_wide & 127);
}

static void *old_thread(void *arg)
{
	pthread_barrier_wait(&gate); /* started */
	pthread_barrier_wait(&gate); /* loaded */
	return (void *)(uintptr_t)fresh_thread_is_right();
}

static void *new_thread(void *arg)
{
	return (void *)(uintptr_t)fresh_thread_is_right();
}

static void tls(void)
{
	pthread_t old[3], new[3];
	void *ok;
	pthread_barrier_init(&gate, 0, 4);
	for (int i = 0; i < 3; i++) CHECK(!pthread_create(old+i, 0, old_thread, 0));
	pthread_barrier_wait(&gate);
	void *h = load(in_dir("libmain.so"), RTLD_NOW);
	sum = (int_f)(uintptr_t)dlsym(h, "tls_sum");
	wide_address = (ptr_f)(uintptr_t)dlsym(h, "tls_wide");
	CHECK(sum && wide_address);
	for (int i = 0; i < 3; i++) CHECK(!pthread_create(new+i, 0, new_thread, 0));
	CHECK(fresh_thread_is_right());
	pthread_barrier_wait(&gate);
	for (int i = 0; i < 3; i++) CHECK(!pthread_join(old[i], &ok) && ok);
	for (int i = 0; i < 3; i++) CHECK(!pthread_join(new[i], &ok) && ok);
	int *shared = dlsym(h, "shared_tls");
	CHECK(shared && *shared == 9);
	CHECK(dlsym(RTLD_DEFAULT, "program_tls") == &program_tls);
}

static void scope(void)
{
	CHECK(!dlopen(in_dir("libmain.so"), RTLD_NOW | RTLD_NOLOAD));
	CHECK(strstr(dlerror(), "not already loaded"));
	void *h = load(in_dir("libmain.so"), RTLD_NOW | RTLD_LOCAL);
	CHECK(!dlsym(RTLD_DEFAULT, "whose") && strstr(dlerror(), "whose"));
	CHECK(!dlsym(dlopen(0, RTLD_NOW), "dep_only"));
	SYM(h, int_f, main_sees);
	SYM(h, int_f, dep_only);
	SYM(h, int_f, dep_sees);
	CHECK(main_sees && main_sees() == 1);
	CHECK(dep_only && dep_only() == 22); /* through the handle's needs */
	CHECK(dep_sees && dep_sees() == 1);  /* libmain.so comes before it */
	CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == h);
	CHECK(dlopen(path, RTLD_NOW) == h);
	CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL) == h);
	SYM(RTLD_DEFAULT, int_f, whose);
	CHECK(whose && whose() == 1);
	CHECK(!dlclose(h) && main_sees() == 1);
	CHECK(dlclose((void *)&path) && strstr(dlerror(), "nvalid"));
}

int interposed(void) { return 9; }

static void next(void)
{
	void *h = load(in_dir("libmain.so"), RTLD_NOW);
	SYM(h, ptr_f, next_getpid);
	SYM(h, ptr_f, next_nothing);
	SYM(h, int_f, pid_of_libc);
	CHECK(next_getpid() == (void *)(uintptr_t)getpid);
	CHECK(!next_nothing());
	CHECK(pid_of_libc() == getpid());
	CHECK(!dlsym(RTLD_NEXT, "no_such_symbol"));
}

struct seen { int count, mine, lib; uintptr_t lib_code; };

static int on_phdr(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct seen *s = arg;
	s->count++;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = info->dlpi_phdr+i;
		if (p->p_type != PT_LOAD) continue;
		uintptr_t start = info->dlpi_addr + p->p_vaddr;
		if ((uintptr_t)on_phdr - start < p->p_memsz) s->mine = s->count;
		if (s->lib_code - start < p->p_memsz) s->lib = s->count;
	}
	if (s->mine == s->count && info->dlpi_tls_data)
		CHECK((uintptr_t)&program_tls - (uintptr_t)info->dlpi_tls_data < 4096);
	return 0;
}

static void phdr(void)
{
	struct seen s = { 0 };
	CHECK(!dl_iterate_phdr(on_phdr, &s));
	CHECK(s.count == 1 && s.mine == 1);
	void *h = load(in_dir("libmain.so"), RTLD_NOW);
	s = (struct seen){ .lib_code = (uintptr_t)dlsym(h, "main_sees") };
	CHECK(!dl_iterate_phdr(on_phdr, &s));
	CHECK(s.count == 3 && s.mine == 1 && s.lib == 2);
}

static void addr(void)
{
	Dl_info info;
	CHECK(dladdr((void *)(uintptr_t)interposed, &info));
	CHECK(!strcmp(info.dli_sname, "interposed") && strstr(info.dli_fname, "driver"));
	CHECK(dladdr((void *)(uintptr_t)printf, &info) && !strcmp(info.dli_sname, "printf"));
	void *h = load(in_dir("libmain.so"), RTLD_NOW);
	char *f = dlsym(h, "main_sees");
	CHECK(dladdr(f+1, &info) && info.dli_saddr == f);
	CHECK(!strcmp(info.dli_sname, "main_sees") && strstr(info.dli_fname, "libmain.so"));
	CHECK(!dladdr(&info, &info));
}

static void self(void)
{
	static const char *const names[] = {
		"libc.so", "libc.so.6", "libc.musl-x86_64.so.1", "libm.so.6", "libdl.so.2",
		"libpthread.so.0", "librt.so.1", "libutil.so.1", "ld-musl-x86_64.so.1",
	};
	void *h = dlopen(0, RTLD_NOW);
	CHECK(h);
	for (unsigned i = 0; i < sizeof names/sizeof *names; i++)
		CHECK(dlopen(names[i], RTLD_NOW) == h);
	CHECK(dlopen("/proc/self/exe", RTLD_NOW) == h);
	CHECK(dlsym(h, "printf") == (void *)(uintptr_t)printf);
	CHECK(dlsym(h, "cos") && dlsym(h, "interposed") == (void *)(uintptr_t)interposed);
#ifdef WITH_ZLIB
	CHECK(dlopen("libz.so.1", RTLD_NOW) == h);
	CHECK(dlopen("libpython3.13.so.1.0", RTLD_NOW) == h);
	CHECK(dlopen("libpython3.so", RTLD_NOW) == h);
#else
	CHECK(dlopen("libz.so.1", RTLD_NOW) != h);
	CHECK(dlopen("libpython3.so", RTLD_NOW) != h);
#endif
}
#ifdef WITH_ZLIB
const char *zlibVersion(void) { return "1"; }
const char *Py_GetVersion(void) { return "3"; }
#endif

static void *use_loader(void *arg)
{
	pthread_barrier_wait(&gate);
	return dlsym(RTLD_DEFAULT, "interposed");
}

static void first_use_in_threads(void)
{
	pthread_t t[8];
	void *r;
	pthread_barrier_init(&gate, 0, 8);
	for (int i = 0; i < 8; i++) CHECK(!pthread_create(t+i, 0, use_loader, 0));
	for (int i = 0; i < 8; i++)
		CHECK(!pthread_join(t[i], &r) && r == (void *)(uintptr_t)interposed);
}

static volatile int stop;
static void *keep_loading(void *arg)
{
	while (!stop) dlopen("no-such-library.so", RTLD_NOW);
	return 0;
}

static void fork_while_loading(void)
{
	pthread_t t;
	int status;
	CHECK(!pthread_create(&t, 0, keep_loading, 0));
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();
		if (!pid) {
			alarm(20);
			void *h = load(in_dir("libplain.so"), RTLD_NOW);
			SYM(h, int_f, plain_sum);
			_exit(plain_sum() != 18);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status);
	}
	stop = 1;
	pthread_join(t, 0);
}

static void lazy(void)
{
	void *h = load(in_dir("liblazy.so"), RTLD_LAZY);
	SYM(h, int_f, here);
	SYM(h, int_f, call_later);
	CHECK(here() == 5);
	CHECK(!dlopen(in_dir("liblazydata.so"), RTLD_LAZY) && strstr(dlerror(), "later"));
	load(in_dir("liblater.so"), RTLD_NOW | RTLD_GLOBAL);
	CHECK(call_later() == 6);
	load(in_dir("liblazydata.so"), RTLD_LAZY);
}

static void tables(void)
{
	static const char *const names[] = {
		"libplain.so", "libsysv.so", "libgnu.so", "librelr.so", "libnow.so",
	};
	for (unsigned i = 0; i < sizeof names/sizeof *names; i++) {
		void *h = load(in_dir(names[i]), RTLD_NOW);
		SYM(h, int_f, plain_sum);
		CHECK(plain_sum && plain_sum() == 18);
	}
}

static int write_is_fatal(void *address)
{
	int status;
	fflush(stdout);
	pid_t pid = fork();
	if (!pid) {
		*(void *volatile *)address = 0;
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

char *const relocated = path;

static void program_relro(void)
{
	CHECK(write_is_fatal((void *)&relocated));
	CHECK(!write_is_fatal(&dir));
	CHECK(dlopen(0, RTLD_NOW)); /* this writes to the dynamic section */
	CHECK(write_is_fatal((void *)&relocated));
}

static void relro(void)
{
	void *h = load(in_dir("libhidden.so"), RTLD_NOW);
	SYM(h, ptr_f, relro_address);
	SYM(h, int_f, const_value);
	CHECK(const_value() == 2);
	CHECK(write_is_fatal(relro_address()));
	CHECK(!write_is_fatal(dlsym(h, "writable")));
}

static void failed_load_leaves_no_trace(void)
{
	struct seen before = { 0 }, after = { 0 };
	load(in_dir("libplain.so"), RTLD_NOW);
	dl_iterate_phdr(on_phdr, &before);
	for (int i = 0; i < 3; i++) {
		CHECK(!dlopen(in_dir("libmissing.so"), RTLD_NOW));
		CHECK(!dlopen(in_dir("libweaktls.so"), RTLD_NOW));
	}
	dl_iterate_phdr(on_phdr, &after);
	CHECK(before.count == after.count);
	tls();
}

static const struct { const char *name; void (*f)(void); } checks[] = {
	{ "exit_order", exit_order }, { "tls", tls }, { "scope", scope },
	{ "next", next }, { "phdr", phdr }, { "addr", addr }, { "self", self },
	{ "first_use_in_threads", first_use_in_threads },
	{ "fork_while_loading", fork_while_loading }, { "lazy", lazy },
	{ "tables", tables }, { "relro", relro },
	{ "program_relro", program_relro },
	{ "failed_load_leaves_no_trace", failed_load_leaves_no_trace },
};

int main(int argc, char **argv)
{
	dir = argc > 2 ? argv[2] : ".";
	if (argc > 2 && !strcmp(argv[1], "load")) {
		load(argv[2], RTLD_NOW);
		puts("ok");
		return 0;
	}
	for (unsigned i = 0; argc > 2 && i < sizeof checks/sizeof *checks; i++)
		if (!strcmp(argv[1], checks[i].name)) {
			checks[i].f();
			puts("ok");
			return 0;
		}
	for (unsigned i = 0; i < sizeof checks/sizeof *checks; i++) puts(checks[i].name);
	return 2;
}
