/* Reads calls, one per line, makes them and prints the result of each. A program that carries a tree and the same
 * tree on disk must give the same results.
 *
 *	CALL TAB NUMBER TAB PATH TAB PATH
 *
 * A path may begin with "@", the root, and with "3:", relative to the descriptor that `keep 3` opened. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

extern char **environ;

static const char *root;
static int kept[4] = { -1, -1, -1, -1 };

struct path {
	int fd;
	char text[9000];
};

static void expand(struct path *p, const char *s)
{
	p->fd = AT_FDCWD;
	if (*s >= '0' && *s < '4' && s[1] == ':') {
		p->fd = kept[*s - '0'];
		s += 2;
	}
	if (*s == '@') snprintf(p->text, sizeof p->text, "%s%s", root, s + 1);
	else snprintf(p->text, sizeof p->text, "%s", s);
}

static int result(int r)
{
	if (r < 0) printf("%s", strerror(errno));
	else printf("ok");
	return r;
}

static const char *type(mode_t m)
{
	return S_ISDIR(m) ? "folder" : S_ISLNK(m) ? "link" : S_ISREG(m) ? "file" : "other";
}

static void show_stat(int r, const struct stat *st)
{
	if (result(r) < 0) return;
	printf(" %s %o", type(st->st_mode), (unsigned)st->st_mode & 07777);
	if (!S_ISDIR(st->st_mode)) printf(" %lld %d", (long long)st->st_size, st->st_mtime == 315532800);
}

static void show_content(int fd)
{
	struct stat st;
	char buf[4096];
	uint32_t hash = 0;
	ssize_t n;
	size_t all = 0;
	if (fstat(fd, &st)) {
		printf(" no fstat");
		return;
	}
	show_stat(0, &st);
	printf(" cloexec=%d", fcntl(fd, F_GETFD));
	if (!S_ISREG(st.st_mode)) return;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		for (all += n; n; n--) hash = hash * 31 + (unsigned char)buf[n-1];
	printf(" read %zu %08x%s", all, hash, n < 0 ? " failed" : "");
	if (st.st_size) {
		unsigned char *m = mmap(0, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (m == MAP_FAILED) printf(" no map");
		else {
			printf(" map %02x", m[st.st_size - 1]);
			munmap(m, st.st_size);
		}
		printf(" end %lld", (long long)lseek(fd, 0, SEEK_END));
	}
}

static void show_open(int fd)
{
	if (result(fd) < 0) return;
	show_content(fd);
	close(fd);
}

/* The same numbers for all CPUs; the flags themselves differ between CPUs. */
static int open_flags(long n)
{
	static const int flags[] = { O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC, O_APPEND };
	int all = n & 3;
	for (int i=0; i<7; i++) if (n & 4<<i) all |= flags[i];
	return all;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show_folder(DIR *d)
{
	char *names[4096], line[600];
	size_t n = 0;
	struct dirent *e;
	if (!d) {
		result(-1);
		return;
	}
	while (errno = 0, e = readdir(d)) {
		snprintf(line, sizeof line, "%s=%d", e->d_name, e->d_type);
		if (n < 4096) names[n++] = strdup(line);
	}
	printf("%s %zu:", errno ? strerror(errno) : "ok", n);
	qsort(names, n, sizeof *names, by_name);
	for (size_t i=0; i<n; i++) {
		printf(" %s", names[i]);
		free(names[i]);
	}
	if (closedir(d)) printf(" not closed");
}

static void show_program(int r, pid_t pid)
{
	int status;
	if (r) {
		printf("%s", strerror(r));
		return;
	}
	waitpid(pid, &status, 0);
	printf("ok %d", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
}

static void try_exec(const char *path)
{
	int p[2], e = 0;
	if (pipe2(p, O_CLOEXEC)) abort();
	pid_t pid = vfork();
	if (!pid) {
		execve(path, (char *[]){ "x", "exit", 0 }, environ);
		e = errno;
		if (write(p[1], &e, sizeof e) < 0) _exit(126);
		_exit(126);
	}
	close(p[1]);
	if (read(p[0], &e, sizeof e) != sizeof e) e = 0;
	close(p[0]);
	if (e) waitpid(pid, 0, 0);
	show_program(e, pid);
}

static void spawn(const char *path, const char *input)
{
	posix_spawn_file_actions_t fa;
	pid_t pid;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, input, O_RDONLY, 0);
	int r = posix_spawn(&pid, path, &fa, 0, (char *[]){ "x", "size", 0 }, environ);
	posix_spawn_file_actions_destroy(&fa);
	show_program(r, pid);
}

#define IS(name) (!strcmp(call, name))

static void make_call(const char *call, long n, const char *a, const char *b)
{
	static struct path p, q;
	struct stat st;
	struct statvfs vfs;
	char buf[5000], *s;
	struct timespec now[2] = {{ .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW }};
	int at, r;
	expand(&p, a);
	expand(&q, b);
	at = p.fd;

	if (IS("keep")) {
		if (kept[n] >= 0) close(kept[n]);
		result(kept[n] = openat(at, p.text, O_RDONLY|O_DIRECTORY|O_CLOEXEC));
	} else if (IS("stat")) show_stat(at == AT_FDCWD ? stat(p.text, &st) : fstatat(at, p.text, &st, 0), &st);
	else if (IS("lstat")) show_stat(at == AT_FDCWD ? lstat(p.text, &st) : fstatat(at, p.text, &st, AT_SYMLINK_NOFOLLOW), &st);
	else if (IS("fstatat")) show_stat(fstatat(at, p.text, &st, n), &st);
	else if (IS("statx")) {
		struct statx x;
		r = result(statx(at, p.text, n, STATX_BASIC_STATS, &x));
		if (!r) printf(" %s %o", type(x.stx_mode), x.stx_mode & 07777);
		if (!r && !S_ISDIR(x.stx_mode)) printf(" %llu %d", (unsigned long long)x.stx_size, x.stx_mtime.tv_sec == 315532800);
	} else if (IS("statvfs")) {
		r = result(statvfs(p.text, &vfs));
		if (!r) printf(" %d %lu", !!(vfs.f_flag & ST_RDONLY), (unsigned long)vfs.f_namemax);
	} else if (IS("open")) show_open(at == AT_FDCWD ? open(p.text, open_flags(n), 0600)
		: openat(at, p.text, open_flags(n), 0600));
	else if (IS("fopen")) {
		static const char *const modes[] = { "r", "re", "w", "a", "r+", "w+", "wx" };
		FILE *f = fopen(p.text, modes[n]);
		if (result(f ? 0 : -1) == 0) {
			show_content(fileno(f));
			fclose(f);
		}
	} else if (IS("freopen")) {
		FILE *f = fopen("/dev/null", "r");
		f = freopen(p.text, "r", f);
		if (result(f ? 0 : -1) == 0) {
			show_content(fileno(f));
			fclose(f);
		}
	} else if (IS("access")) result(at == AT_FDCWD ? access(p.text, n) : faccessat(at, p.text, n, 0));
	else if (IS("faccessat")) result(faccessat(at, p.text, n & 7, n & ~7));
	else if (IS("readlink")) {
		r = result(at == AT_FDCWD ? readlink(p.text, buf, n) : readlinkat(at, p.text, buf, n));
		if (r >= 0) printf(" %.*s", r, buf);
	} else if (IS("realpath")) {
		s = realpath(p.text, buf);
		if (result(s ? 0 : -1) == 0) printf(" %s", s);
	} else if (IS("opendir")) {
		if (at == AT_FDCWD) show_folder(opendir(p.text));
		else {
			int fd = openat(at, p.text, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
			show_folder(fd < 0 ? 0 : fdopendir(fd));
		}
	} else if (IS("scandir")) {
		struct dirent **list;
		r = result(scandir(p.text, &list, 0, alphasort));
		if (r >= 0) printf(" %d", r);
		while (r-- > 0) free(list[r]);
		if (r >= -1) free(list);
	} else if (IS("getxattr")) {
		r = n ? lgetxattr(p.text, "user.x", buf, 10) : getxattr(p.text, "user.x", buf, 10);
		if (r < 0 && errno == EOPNOTSUPP) errno = ENODATA;
		if (r < 0 && errno == EPERM) errno = ENODATA; /* for a symbolic link */
		result(r);
	} else if (IS("listxattr")) result(n ? llistxattr(p.text, buf, 1000) : listxattr(p.text, buf, 1000));
	else if (IS("setxattr")) result(setxattr(p.text, "user.x", "1", 1, 0));
	else if (IS("removexattr")) result(removexattr(p.text, "user.x"));
	else if (IS("mkdir")) result(at == AT_FDCWD ? mkdir(p.text, 0700) : mkdirat(at, p.text, 0700));
	else if (IS("mknod")) result(at == AT_FDCWD ? mknod(p.text, S_IFREG|0600, 0) : mknodat(at, p.text, S_IFREG|0600, 0));
	else if (IS("unlink")) result(at == AT_FDCWD ? unlink(p.text) : unlinkat(at, p.text, 0));
	else if (IS("rmdir")) result(at == AT_FDCWD ? rmdir(p.text) : unlinkat(at, p.text, AT_REMOVEDIR));
	else if (IS("remove")) result(remove(p.text));
	else if (IS("rename")) result(at == AT_FDCWD && q.fd == AT_FDCWD ? rename(p.text, q.text) : renameat(at, p.text, q.fd, q.text));
	else if (IS("link")) result(at == AT_FDCWD && q.fd == AT_FDCWD && !n ? link(p.text, q.text) : linkat(at, p.text, q.fd, q.text, n));
	else if (IS("symlink")) result(at == AT_FDCWD ? symlink("x", p.text) : symlinkat("x", at, p.text));
	else if (IS("chmod")) result(at == AT_FDCWD ? chmod(p.text, 0600) : fchmodat(at, p.text, 0600, 0));
	else if (IS("chown")) result(fchownat(at, p.text, 0, 0, n));
	else if (IS("utimens")) result(utimensat(at, p.text, now, n));
	else if (IS("truncate")) result(truncate(p.text, 0));
	else if (IS("mkdtemp")) {
		snprintf(buf, sizeof buf, "%s/XXXXXX", p.text);
		s = mkdtemp(buf);
		result(s ? 0 : -1);
		if (s) rmdir(s);
	} else if (IS("mkstemp")) {
		snprintf(buf, sizeof buf, "%s/XXXXXX", p.text);
		r = result(mkstemp(buf));
		if (r >= 0) unlink(buf);
	} else if (IS("exec")) try_exec(p.text);
	else if (IS("spawn")) spawn(p.text, q.text);
	else printf("no such call: %s", call);
	printf("\n");
}

int main(int argc, char **argv)
{
	static char line[40000];
	/* `exec` and `spawn` also start this program. */
	if (argc == 2 && !strcmp(argv[1], "exit")) return 42;
	if (argc == 2 && !strcmp(argv[1], "size")) {
		struct stat st;
		return fstat(0, &st) ? 99 : S_ISDIR(st.st_mode) ? 0 : st.st_size % 90;
	}
	root = argv[1];
	setvbuf(stdout, 0, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin)) {
		char *parts[4] = { "", "0", "", "" };
		line[strcspn(line, "\n")] = 0;
		char *at = line;
		for (int i=0; i<4 && at; i++) parts[i] = strsep(&at, "\t");
		make_call(parts[0], strtol(parts[1], 0, 0), parts[2], parts[3]);
	}
	return 0;
}
