// Files, processes, the machine, the loader, contexts, _FORTIFY_SOURCE and exceptions through callbacks.
#include "check.h"
#include <arpa/inet.h>
#include <cerrno>
#include <climits>
#include <cmath>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <dlfcn.h>
#include <error.h>
#include <execinfo.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <ftw.h>
#include <functional>
#include <getopt.h>
#include <glob.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <search.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

namespace fs = std::filesystem;

static fs::path scratch()
{
	char name[] = "/tmp/glibc-check-XXXXXX";
	return mkdtemp(name);
}

CHECK(files)
{
	auto folder = scratch();
	fs::create_directories(folder / "a/b");
	std::ofstream(folder / "a/x") << "hello";
	int n = 0;
	for (auto &entry : fs::recursive_directory_iterator(folder)) n += entry.exists();
	std::string word;
	std::ifstream(folder / "a/x") >> word;
	fs::copy_file(folder / "a/x", folder / "y");
	fs::create_symlink("y", folder / "z");
	say("%d %s %d %d %d", n, word.c_str(), (int)fs::file_size(folder / "y"), fs::is_symlink(folder / "z"),
		fs::last_write_time(folder / "y").time_since_epoch().count() != 0);
	struct stat st, st64;
	int a = stat((folder / "z").c_str(), &st), b = fstatat(AT_FDCWD, (folder / "z").c_str(), &st64, AT_SYMLINK_NOFOLLOW);
	say("%d %d %d %d", a, b, S_ISREG(st.st_mode), S_ISLNK(st64.st_mode));
	fs::remove_all(folder);
}

CHECK(stdio)
{
	FILE *f = tmpfile();
	for (int i = 0; i < 100000; i++) putc_unlocked('a' + i % 26, f);
	rewind(f);
	int c, n = 0;
	while ((c = getc_unlocked(f)) != EOF) n += c == 'b';
	say("%d %d %d", n, feof_unlocked(f) != 0, ferror_unlocked(f));
	say("%d %ld", fseeko(f, -5, SEEK_END), (long)ftello(f));
	char line[10];
	say("%s", fgets(line, sizeof line, f));
	fclose(f);
	char *made = nullptr;
	size_t size = 0;
	f = open_memstream(&made, &size);
	fprintf(f, "%s-%d", "x", 5);
	fclose(f);
	say("%s %zu", made, size);
	free(made);
}

static int seen(const char *path, const struct stat *st, int type, struct FTW *at)
{
	say("%s %d %d", path + at->base, type, at->level);
	return 0;
}

static int seen_plainly(const char *path, const struct stat *st, int type)
{
	say("%s %d", strrchr(path, '/'), type);
	return 0;
}

CHECK(walks)
{
	auto folder = scratch();
	fs::rename(folder, "/tmp/glibc-check-walk-" + std::to_string(getpid()));
	folder = "/tmp/glibc-check-walk-" + std::to_string(getpid());
	fs::create_directory(folder / "sub");
	std::ofstream(folder / "sub/file") << 1;
	auto in = (folder / "sub").string();
	nftw(in.c_str(), seen, 5, FTW_PHYS);
	nftw(in.c_str(), seen, 5, FTW_DEPTH);
	ftw(in.c_str(), seen_plainly, 5);
	fs::remove(folder / "sub/file");
	fs::create_symlink("nowhere", folder / "sub/link");
	nftw(in.c_str(), seen, 5, FTW_PHYS);
	nftw(in.c_str(), seen, 5, 0);
	ftw(in.c_str(), seen_plainly, 5);
	fs::remove_all(folder);
}

CHECK(exceptions_through_callbacks)
{
	int caught = 0;
	auto attempt = [&](std::function<void()> f) {
		try {
			f();
		} catch (int x) {
			caught = caught * 10 + x;
		}
	};
	int v[] = { 3, 1, 2 };
	attempt([&] { qsort(v, 3, sizeof *v, [](const void *, const void *) -> int { throw 1; }); });
	attempt([&] { bsearch(v, v, 3, sizeof *v, [](const void *, const void *) -> int { throw 2; }); });
	attempt([] { ftw("/tmp", [](const char *, const struct stat *, int) -> int { throw 3; }, 5); });
	attempt([] {
		struct dirent **names;
		scandir("/", &names, [](const struct dirent *) -> int { throw 4; }, nullptr);
	});
	void *tree = nullptr;
	tsearch(v, &tree, [](const void *, const void *) { return 0; });
	attempt([&] { tsearch(v + 1, &tree, [](const void *, const void *) -> int { throw 5; }); });
	size_t n = 3;
	attempt([&] { lfind(v, v, &n, sizeof *v, [](const void *, const void *) -> int { throw 6; }); });
	attempt([&] { twalk(tree, [](const void *, VISIT, int) { throw 7; }); });
	say("%d", caught);
}

CHECK(exceptions)
{
	int n = 0;
	for (int i = 0; i < 1000; i++) {
		try {
			if (i % 2) throw std::runtime_error("odd");
			std::vector<int>().at(5);
		} catch (std::out_of_range &) {
			n += 1;
		} catch (std::exception &e) {
			n += strlen(e.what());
		}
	}
	say("%d", n);
}

static ucontext_t main_context, routine;
static int steps;

static void co(int a, int b, int c, int d, int e, int f, int g, int h)
{
	steps = a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
	swapcontext(&routine, &main_context);
	try {
		throw 5;
	} catch (int x) {
		steps += x * 1000;
	}
}

CHECK(contexts)
{
	static char stack[65536];
	getcontext(&routine);
	routine.uc_stack.ss_sp = stack;
	routine.uc_stack.ss_size = sizeof stack;
	routine.uc_link = &main_context;
	makecontext(&routine, (void (*)())co, 8, 1, 2, 3, 4, 5, 6, 7, 8);
	swapcontext(&main_context, &routine);
	say("%d", steps);
	swapcontext(&main_context, &routine);
	say("%d", steps);
	volatile int times = 0;
	ucontext_t here;
	getcontext(&here);
	if (++times < 3) setcontext(&here);
	say("%d", times);
}

CHECK(end_of_a_context)
{
	pid_t pid = fork();
	if (!pid) {
		static char stack[65536];
		getcontext(&routine);
		routine.uc_stack.ss_sp = stack;
		routine.uc_stack.ss_size = sizeof stack;
		routine.uc_link = nullptr;
		makecontext(&routine, (void (*)())+[] { say("ran"); }, 0);
		setcontext(&routine);
		_exit(9);
	}
	int status;
	waitpid(pid, &status, 0);
	say("%d", status);
}

CHECK(jumps)
{
	jmp_buf buf;
	sigjmp_buf sbuf;
	volatile int n = 0;
	if (int r = setjmp(buf)) n = n * 10 + r;
	else longjmp(buf, 3);
	if (int r = sigsetjmp(sbuf, 1)) n = n * 10 + r;
	else siglongjmp(sbuf, 4);
	say("%d", (int)n);
}

/* What the function does to a process: the signal, and what it said. */
static void fate(std::function<void()> f)
{
	int fds[2], status;
	char text[200] = "";
	if (pipe(fds)) return;
	pid_t pid = fork();
	if (!pid) {
		dup2(fds[1], 2);
		signal(SIGABRT, SIG_DFL);
		f();
		_exit(0);
	}
	close(fds[1]);
	ssize_t n = 0, got;
	while ((got = read(fds[0], text + n, sizeof text - 1 - n)) > 0) n += got;
	close(fds[0]);
	waitpid(pid, &status, 0);
	say("%d %s", status & 0x7f, text);
}

extern "C" {
void *__memset_chk(void *, int, size_t, size_t);
int __sprintf_chk(char *, int, size_t, const char *, ...);
int __snprintf_chk(char *, size_t, int, size_t, const char *, ...);
char *__strcpy_chk(char *, const char *, size_t);
char *__strncat_chk(char *, const char *, size_t, size_t);
ssize_t __read_chk(int, void *, size_t, size_t);
char *__realpath_chk(const char *, char *, size_t);
int __open_2(const char *, int);
long __fdelt_chk(long);
wchar_t *__wmemcpy_chk(wchar_t *, const wchar_t *, size_t, size_t);
size_t __fread_chk(void *, size_t, size_t, size_t, FILE *);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
}

CHECK(fortify)
{
	static char b[64];
	static wchar_t w[4];
	static struct pollfd p[2];
	fate([] { __memset_chk(b, 0, 9, 8); });
	fate([] { __sprintf_chk(b, 1, 4, "%s", "long text"); });
	fate([] { __snprintf_chk(b, 9, 1, 8, "%s", "x"); });
	fate([] { __strcpy_chk(b, "12345678", 8); });
	fate([] { __strncat_chk(strcpy(b, "1234"), "5678", 4, 8); });
	fate([] { __read_chk(0, b, 9, 8); });
	fate([] { __realpath_chk("/", b, sizeof b); });
	fate([] { close(2), __fdelt_chk(5000); }); /* what glibc says of it differs by release */
	fate([] { __wmemcpy_chk(w, w, 5, 4); });
	fate([] { __fread_chk(b, 8, 3, 3, stdin); });
	fate([] { __poll_chk(p, 3, 0, sizeof p); });
	fate([] { __open_2("/tmp/x", O_CREAT | O_WRONLY); });
	say("%s %d %s", (char *)__memset_chk(b, 0, 8, 8), __sprintf_chk(b, 1, 8, "%s", "1234567"), b);
	say("%ld %s", __fdelt_chk(70), __strncat_chk(strcpy(b, "123"), "4567", 4, 8));
}

CHECK(loader)
{
	Dl_info info;
	void *extra = nullptr;
	int found = dladdr((void *)strtol, &info);
	say("%d %d", found, dladdr((void *)fate, &info) && strstr(info.dli_fname, "checks.so"));
	say("%d %d", dladdr1((void *)fate, &info, &extra, RTLD_DL_LINKMAP), extra != nullptr);
	say("%d %d %d %d", dlsym(RTLD_DEFAULT, "strlen") != nullptr, dlsym(RTLD_DEFAULT, "gnu_get_libc_version") != nullptr,
		dlvsym(RTLD_DEFAULT, "memcpy", "GLIBC_2.14") != nullptr, dlsym(RTLD_DEFAULT, "no_such_function") == nullptr);
	auto sort = (decltype(&qsort))dlsym(RTLD_DEFAULT, "qsort");
	say("%d", sort == qsort);
	void *libc = dlopen("libc.so.6", RTLD_NOW), *none = dlopen("libno-such-thing.so", RTLD_NOW);
	say("%d %d %d", libc != nullptr, dlsym(libc, "__sched_cpualloc") != nullptr, none == nullptr && dlerror());
	say("%d", gnu_get_libc_version()[0]);
	void *resolv = dlopen("libresolv.so.2", RTLD_NOW);
	say("%d %d", resolv != nullptr, dlsym(resolv, "dn_expand") != nullptr);
}

CHECK(machine)
{
	char text[64];
	say("%d %ld %d %d", sysconf(_SC_NPROCESSORS_ONLN) > 0, sysconf(_SC_PAGESIZE), sysconf(_SC_PHYS_PAGES) > 1000,
		(int)sysconf(_SC_CLK_TCK));
	say("%d", confstr(_CS_GNU_LIBC_VERSION, text, sizeof text) > 8 && !strncmp(text, "glibc 2.", 8));
	say("%d", sysconf(_SC_LEVEL1_DCACHE_LINESIZE) > 0);
	struct rusage usage;
	int r = getrusage(RUSAGE_SELF, &usage);
	say("%d %d", r, usage.ru_maxrss > 100);
	struct rlimit limit;
	r = getrlimit(RLIMIT_NOFILE, &limit);
	say("%d %d", r, limit.rlim_cur > 10);
	double load[3];
	say("%d", getloadavg(load, 3));
}

CHECK(memory)
{
	void *p = malloc(100), *q = memalign(64, 100), *r = aligned_alloc(4096, 4096), *s = pvalloc(1);
	say("%d %d %d %d", malloc_usable_size(p) >= 100, (int)((size_t)q % 64), (int)((size_t)r % 4096), (int)((size_t)s % 4096));
	struct mallinfo2 info = mallinfo2();
	say("%d", info.arena != (size_t)-1);
	free(p);
	free(q);
	free(r);
	free(s);
	say("%d", reallocarray(nullptr, SIZE_MAX / 2, 4) == nullptr && errno == ENOMEM);
}

CHECK(options)
{
	char *args[] = { (char *)"prog", (char *)"one", (char *)"-a", (char *)"two", (char *)"-b", (char *)"value", nullptr };
	int c;
	optind = 1;
	while ((c = getopt(6, args, "ab:")) != -1) say("%c %s", c, optarg ? optarg : "");
	say("%d %s %s", optind, args[optind], args[optind + 1]);
	struct option longs[] = { { "name", 1, nullptr, 'n' }, {} };
	char *more[] = { (char *)"prog", (char *)"x", (char *)"--name=y", nullptr };
	optind = 1;
	c = getopt_long(3, more, "", longs, nullptr);
	say("%c %s", c, optarg);
	c = getopt_long(3, more, "", longs, nullptr);
	say("%d %s", c, more[optind]);
}

CHECK(globs)
{
	glob_t g;
	int r = glob("/proc/self/stat*", 0, nullptr, &g);
	say("%d %d %s", r, g.gl_pathc > 1, g.gl_pathv[0]);
	globfree(&g);
	say("%d", glob("/no/such/*", 0, nullptr, &g));
}

CHECK(processes)
{
	char *args[] = { (char *)"sh", (char *)"-c", (char *)"exit 7", nullptr };
	pid_t pid;
	int status = 0, r = posix_spawn(&pid, "/bin/sh", nullptr, nullptr, args, environ);
	waitpid(pid, &status, 0);
	say("%d %d", r, WEXITSTATUS(status));
	FILE *f = popen("echo hello", "r");
	char line[20], *got = fgets(line, sizeof line, f);
	say("%s %d", got, pclose(f));
	say("%d", WEXITSTATUS(system("exit 3")));
}

CHECK(signals)
{
	static volatile int got;
	struct sigaction sa = {};
	sa.sa_sigaction = [](int n, siginfo_t *info, void *) { got = n * 100 + (info->si_pid == getpid()); };
	sa.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR1, &sa, nullptr);
	kill(getpid(), SIGUSR1);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, nullptr);
	raise(SIGUSR2);
	timespec none = {};
	say("%d %d %s", (int)got, sigtimedwait(&set, nullptr, &none), strsignal(SIGTERM));
}

CHECK(sockets)
{
	int pair[2];
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	char text[8] = "hello", control[CMSG_SPACE(sizeof(int))] = {};
	iovec v = { text, 6 };
	msghdr m = {};
	m.msg_iov = &v;
	m.msg_iovlen = 1;
	m.msg_control = control;
	m.msg_controllen = sizeof control;
	cmsghdr *c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), pair, sizeof(int));
	ssize_t sent = sendmsg(pair[0], &m, 0);
	memset(text, 0, sizeof text);
	memset(control, 0, sizeof control);
	ssize_t got = recvmsg(pair[1], &m, 0);
	int fd;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
	say("%zd %zd %s %d %zu", sent, got, text, fcntl(fd, F_GETFD) >= 0, m.msg_controllen);
	addrinfo hints = {}, *found = nullptr;
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	int r = getaddrinfo("127.0.0.1", "80", &hints, &found);
	say("%d %d %s", r, found ? ntohs(((sockaddr_in *)found->ai_addr)->sin_port) : 0, inet_ntoa(((sockaddr_in *)found->ai_addr)->sin_addr));
	freeaddrinfo(found);
	fd_set fds;
	FD_ZERO(&fds);
	FD_SET(pair[0], &fds);
	timeval now = {};
	say("%d", select(pair[0] + 1, nullptr, &fds, nullptr, &now));
}

CHECK(errors)
{
	fate([] { error(0, ENOENT, "a %s", "message"); });
	fate([] { error_at_line(0, 0, "file.c", 7, "wrong"); });
	say("%u", error_message_count);
	fate([] { errno = EACCES; perror("name"); });
}

CHECK(random_bytes)
{
	unsigned a = 0, b = 0;
	say("%zd %d", getrandom(&a, sizeof a, 0), getentropy(&b, sizeof b));
	say("%d", a != b);
}

CHECK(times)
{
	time_t t = 86400 * 365;
	tm got;
	setenv("TZ", "EST5EDT,M3.2.0,M11.1.0", 1);
	tzset();
	localtime_r(&t, &got);
	char text[80];
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z %j %U", &got);
	say("%s %ld %s", text, (long)mktime(&got), strptime("2024-02-29", "%Y-%m-%d", &got) ? "ok" : "bad");
	say("%d %d", got.tm_mon, got.tm_mday);
}

CHECK(math)
{
	for (double x : { -2.5, -0.5, 0.5, 1.5, 2.5, 0.49999999999999994 }) say("%g %g", rint(x), std::nearbyint(x));
	int e;
	say("%g %d %g", std::frexp(10.0, &e), e, std::ldexp(0.5, 4));
	say("%d %d %d", std::isnan(NAN), std::isinf(-INFINITY), std::fpclassify(1e-310));
	say("%.10f %.10f %.10f", std::lgamma(5.5), std::cyl_bessel_j(0, 1.0), std::erf(0.5));
	say("%.10f %.10f", std::tgamma(4.5), std::cbrt(27.5));
	say("%Lf", std::fma(2.0L, 3.0L, 4.0L));
}
