/* Checks of a program that carries a tree (test_vfs.py makes it): `checks NAME PATH`, where PATH is the tree's folder
 * "many", with 40 files that hold their own number 1,000 times, and "lib", with libraries. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *folder;

#define CHECK(x) do { if (!(x)) { \
	printf("line %d: %s (errno: %s)\n", __LINE__, #x, strerror(errno)); \
	fflush(stdout); _exit(1); } } while (0)

static void path_of(char *path, const char *name)
{
	snprintf(path, 4096, "%s/%s", folder, name);
}

/* Tells whether a descriptor has the content of that file. Safe in a signal handler. */
static int holds(int fd, int n)
{
	char buf[3001];
	struct stat st;
	if (read(fd, buf, sizeof buf) != 3000 || fstat(fd, &st) || st.st_size != 3000) return 0;
	for (int i=0; i<3000; i+=3)
		if (buf[i] != '0' + n/10 || buf[i+1] != '0' + n%10 || buf[i+2] != '\n') return 0;
	return 1;
}

static int open_number(int n)
{
	char path[4096];
	size_t l = strlen(folder);
	memcpy(path, folder, l);
	memcpy(path + l, "/many/00", 9);
	path[l+6] += n/10;
	path[l+7] += n%10;
	return open(path, O_RDONLY|O_CLOEXEC);
}

static void *use_files(void *arg)
{
	char path[4096];
	struct stat st;
	for (size_t i=0; i<60; i++) {
		int n = ((size_t)arg * 7 + i) % 40, fd = open_number(n), count = 0;
		CHECK(fd >= 0 && holds(fd, n) && !close(fd));
		path_of(path, "many");
		DIR *d = opendir(path);
		CHECK(d);
		while (readdir(d)) count++;
		CHECK(count == 42 && !closedir(d));
		path_of(path, "many/none");
		CHECK(stat(path, &st) && errno == ENOENT);
	}
	return 0;
}

static void threads(void)
{
	pthread_t t[64];
	for (size_t i=0; i<64; i++) CHECK(!pthread_create(t+i, 0, use_files, (void *)i));
	for (size_t i=0; i<64; i++) CHECK(!pthread_join(t[i], 0));
}

static volatile int handled, wrong;

/* qemu-x86_64 7.2 gives a handler a stack that is not aligned. */
#if defined __x86_64__ || defined __i386__
__attribute__((force_align_arg_pointer))
#endif
static void handler(int s)
{
	int e = errno, n = handled % 40, fd = open_number(n);
	if (fd < 0 || !holds(fd, n)) wrong++;
	close(fd);
	handled++;
	errno = e;
}

/* On a small stack with a guard below: the kernel's part (gVisor does not tell its size), the path of open_number,
 * and 8 KiB for the call. */
static void signals(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t size = (getauxval(AT_MINSIGSTKSZ) ? getauxval(AT_MINSIGSTKSZ) : 4096) + 4096 + 8192;
	size = (size + page - 1) & -page;
	char *stack = mmap(0, page + size, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED && !mprotect(stack + page, size, PROT_READ|PROT_WRITE));
	CHECK(!sigaltstack(&(stack_t){ .ss_sp = stack + page, .ss_size = size }, 0));
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART|SA_ONSTACK };
	CHECK(!sigaction(SIGALRM, &sa, 0));
	CHECK(!setitimer(ITIMER_REAL, &(struct itimerval){{ 0, 500 }, { 0, 500 }}, 0));
	for (int i=0; i<20000 && handled < 300; i++) {
		int fd = open_number(i % 40);
		CHECK(fd >= 0 && holds(fd, i % 40) && !close(fd));
	}
	CHECK(!setitimer(ITIMER_REAL, &(struct itimerval){{ 0 }}, 0));
	CHECK(handled > 10 && !wrong);
}

static void forks(void)
{
	int fd = open_number(7), status;
	CHECK(fd >= 0);
	for (int i=0; i<20; i++) {
		pid_t pid = fork();
		if (!pid) {
			struct stat st;
			use_files(0);
			_exit(!fstat(fd, &st) && st.st_size == 3000 && st.st_mtime == 315532800 ? 0 : 2);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status);
	}
}

/* The opened file is the one that stat describes. */
static void identity(void)
{
	char path[4096], proc[64];
	struct stat a, b;
	path_of(path, "many/11");
	int fd = open(path, O_RDONLY), copy = dup(fd);
	CHECK(!stat(path, &a) && !fstat(copy, &b));
	CHECK(a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_mode == b.st_mode && a.st_size == b.st_size);
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	if (!access("/proc/self/fd", F_OK)) CHECK(!stat(proc, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fchmod(fd, 0777) && errno == EROFS);
	CHECK(futimens(fd, 0) && errno == EROFS);
	CHECK(fchown(fd, 0, 0) && errno == EROFS);
	CHECK(ftruncate(fd, 1) && write(fd, "x", 1) < 0);
	CHECK(mmap(0, 3000, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(mmap(0, 3000, PROT_READ|PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	path_of(path, "many/12");
	CHECK(!stat(path, &b) && a.st_ino != b.st_ino);
	path_of(path, "many");
	fd = open(path, O_RDONLY|O_DIRECTORY);
	CHECK(!stat(path, &a) && !fstat(fd, &b) && S_ISDIR(b.st_mode) && a.st_ino == b.st_ino);
	CHECK(fchdir(fd) && errno == ENOTDIR);
	/* A memfd that the program made itself is not taken for a carried file. */
	fd = memfd_create("x", 0);
	CHECK(!fstat(fd, &b) && b.st_ino != a.st_ino && !fchmod(fd, 0600));
}

static void positions(void)
{
	char path[4096], first[64][256];
	long at[64];
	size_t n = 0;
	struct dirent *e;
	path_of(path, "many");
	DIR *d = opendir(path);
	CHECK(d);
	for (;;) {
		at[n] = telldir(d);
		if (!(e = readdir(d))) break;
		strcpy(first[n++], e->d_name);
	}
	CHECK(n == 42);
	for (size_t i=0; i<n; i++) {
		size_t k = i * 17 % n;
		seekdir(d, at[k]);
		CHECK((e = readdir(d)) && !strcmp(e->d_name, first[k]));
	}
	rewinddir(d);
	CHECK((e = readdir(d)) && !strcmp(e->d_name, "."));
	int fd = dirfd(d);
	CHECK(fd >= 0 && fd == dirfd(d) && faccessat(fd, "11", R_OK, 0) == 0);
	CHECK((e = readdir(d)) && !strcmp(e->d_name, ".."));
	CHECK(!closedir(d) && fcntl(fd, F_GETFD) < 0);
	fd = open(path, O_RDONLY);
	char buf[100];
	int all = 0;
	for (ssize_t l; (l = posix_getdents(fd, buf, sizeof buf, 0)) > 0; )
		for (ssize_t i=0; i<l; i+=((struct dirent *)(buf+i))->d_reclen) all++;
	CHECK(all == 42);
}

static void many(void)
{
	struct rlimit r;
	int fds[1000], n = 0;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max < 1010 ? r.rlim_max : 1010;
	setrlimit(RLIMIT_NOFILE, &r);
	while (n < 1000 && (fds[n] = open_number(n % 40)) >= 0) n++;
	CHECK(n == 1000);
	while (open_number(0) >= 0);
	CHECK(errno == EMFILE);
	while (n--) CHECK(holds(fds[n], n % 40));
}

static void load(int from_program)
{
	char path[4096], line[8192];
	void *a, *b;
	path_of(path, "lib/libfirst.so");
	a = dlopen(path, RTLD_NOW);
	if (!a) printf("%s\n", dlerror());
	CHECK(a);
	int (*f)(void) = (int (*)(void))dlsym(a, "first");
	CHECK(f && f() == 42);
	/* By another name it is the same file. */
	path_of(path, "lib/../lib/./libfirst.so");
	b = dlopen(path, RTLD_NOW);
	CHECK(a == b);
	path_of(path, "lib/none.so");
	CHECK(!dlopen(path, RTLD_NOW) && strstr(dlerror(), "No such file"));
	path_of(path, "lib/other.so");
	CHECK(!dlopen(path, RTLD_NOW) && strstr(dlerror(), "not an ELF library"));
	FILE *maps = fopen("/proc/self/maps", "r");
	int memfd = 0;
	if (maps) {
		while (fgets(line, sizeof line, maps)) memfd += !!strstr(line, "memfd:");
		fclose(maps);
		CHECK(from_program ? !memfd : memfd);
	}
}

static void loads(void) { load(1); }
static void loads_copies(void) { load(0); }

/* As a sandbox does. */
static void refuse_memfd(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD|BPF_W|BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP|BPF_JEQ|BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ERRNO|EPERM),
		BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof code / sizeof *code, code };
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	CHECK(memfd_create("x", 0) < 0 && errno == EPERM);
}

/* Files in /dev/shm or /tmp work too. */
static void no_memfd(void)
{
	refuse_memfd();
	use_files(0);
	char path[4096];
	struct stat a, b;
	path_of(path, "many");
	int fd = open(path, O_RDONLY|O_DIRECTORY);
	CHECK(!stat(path, &a) && !fstat(fd, &b) && S_ISDIR(b.st_mode) && a.st_ino == b.st_ino);
	load(1);
}

/* If no file can be written, calls that need no descriptor still work. */
static void no_memfd_read_only(void)
{
	char path[4096];
	struct stat st;
	refuse_memfd();
	CHECK(open_number(3) < 0 && errno == EPERM);
	path_of(path, "many/03");
	CHECK(!stat(path, &st) && st.st_size == 3000 && !access(path, R_OK));
	path_of(path, "many");
	DIR *d = opendir(path);
	int n = 0;
	while (d && readdir(d)) n++;
	CHECK(d && n == 42 && dirfd(d) < 0 && errno == EPERM && !closedir(d));
	load(1);
}

static const struct { const char *name; void (*run)(void); } checks[] = {
	{ "threads", threads },
	{ "signals", signals },
	{ "forks", forks },
	{ "identity", identity },
	{ "positions", positions },
	{ "many", many },
	{ "loads", loads },
	{ "loads_copies", loads_copies },
	{ "no_memfd", no_memfd },
	{ "no_memfd_read_only", no_memfd_read_only },
};

int main(int argc, char **argv)
{
	for (size_t i=0; i<sizeof checks / sizeof *checks; i++) {
		if (argc < 3) puts(checks[i].name);
		else if (!strcmp(argv[1], checks[i].name)) {
			folder = argv[2];
			/* Until it is opened for writing. */
			if (argc > 3) close(open(argv[3], O_RDONLY));
			checks[i].run();
			puts("ok");
			return 0;
		}
	}
	return argc > 2;
}
