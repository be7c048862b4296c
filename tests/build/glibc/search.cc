// Patterns, options, tables, folders, users.
#include "check.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <glob.h>
#include <grp.h>
#include <initializer_list>
#include <libgen.h>
#include <pwd.h>
#include <search.h>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <wordexp.h>

static std::string folder()
{
	char name[] = "/tmp/glibc-check-XXXXXX";
	std::string made = mkdtemp(name);
	for (auto file : { "a1", "a2", "b1.txt", ".hidden", "sub/x", "sub/y", "a10" }) {
		if (strchr(file, '/')) mkdir((made + "/sub").c_str(), 0755);
		close(open((made + "/" + file).c_str(), O_CREAT | O_WRONLY, 0644));
	}
	return made;
}

static void gone(const std::string &made)
{
	for (auto file : { "a1", "a2", "b1.txt", ".hidden", "sub/x", "sub/y", "a10" }) unlink((made + "/" + file).c_str());
	rmdir((made + "/sub").c_str());
	rmdir(made.c_str());
}

CHECK(glob_patterns)
{
	auto made = folder();
	if (chdir(made.c_str())) return;
	for (auto pattern : { "*", "a?", "[ab]1*", "[!a]*", "sub/*", "*/x", ".*d*", "none*", "a\\1", "[", "a[0-9]", "./a*", "*b/" }) {
		for (int flags : { 0, GLOB_MARK, GLOB_NOCHECK, GLOB_NOESCAPE, GLOB_PERIOD | GLOB_NOSORT }) {
			glob_t g{};
			int r = glob(pattern, flags, nullptr, &g), length = 0;
			for (size_t i = 0; !r && i < g.gl_pathc; i++) length += strlen(g.gl_pathv[i]);
			if (flags & GLOB_PERIOD) say("%s %d: %d %d", pattern, flags, r, r ? 0 : length > 0);
			else say("%s %d: %d %zu %d %s", pattern, flags, r, r ? 0 : g.gl_pathc, length, r ? "" : g.gl_pathv[0]);
			globfree(&g);
		}
	}
	gone(made);
}

CHECK(glob_in_parts)
{
	auto made = folder();
	if (chdir(made.c_str())) return;
	glob_t g{};
	g.gl_offs = 2;
	say("%d", glob("a*", GLOB_DOOFFS, nullptr, &g));
	say("%d", glob("s*/*", GLOB_DOOFFS | GLOB_APPEND, nullptr, &g));
	say("%zu %d", g.gl_pathc, g.gl_pathv[0] == nullptr && g.gl_pathv[1] == nullptr);
	for (size_t i = 0; i < g.gl_pathc; i++) say("%s", g.gl_pathv[2 + i]);
	globfree(&g);
	say("%d", glob("/no/such/folder/*", GLOB_ERR, nullptr, &g));
	gone(made);
}

CHECK(glob_braces)
{
	auto made = folder();
	if (chdir(made.c_str())) return;
	for (auto pattern : { "{a1,b*,none}", "{sub/{x,y},a2}", "a{1,10}", "{a1}", "{}", "{none,nowhere}", "a{1", "{a,b}1*", "x{1,2}" }) {
		for (int flags : { 0, GLOB_NOCHECK, GLOB_NOMAGIC }) {
			glob_t g{};
			int r = glob(pattern, GLOB_BRACE | flags, nullptr, &g);
			std::string all;
			for (size_t i = 0; !r && i < g.gl_pathc; i++) all += std::string(" ") + g.gl_pathv[i];
			say("%s %d: %d%s", pattern, flags, r, all.c_str());
			globfree(&g);
		}
	}
	gone(made);
}

CHECK(glob_homes)
{
	setenv("HOME", "/tmp", 1);
	for (auto pattern : { "~", "~/.", "~root" }) {
		for (int flags : { GLOB_TILDE, GLOB_TILDE_CHECK, GLOB_TILDE | GLOB_NOCHECK }) {
			glob_t g{};
			int r = glob(pattern, flags, nullptr, &g);
			say("%s %d: %d %s", pattern, flags, r, r ? "" : g.gl_pathv[0]);
			globfree(&g);
		}
	}
}

CHECK(fnmatch_patterns)
{
	const char *cases[][2] = {
		{ "*.c", "x.c" }, { "*.c", ".c" }, { "a/*", "a/b/c" }, { "[a-c]x", "bx" }, { "[!a-c]x", "bx" }, { "[[:digit:]]", "7" }, { "[[:upper:]]", "A" },
		{ "\\*", "*" }, { "\\*", "x" }, { "?", "/" }, { "*", "" }, { "a*b*c", "aXbYc" }, { "[", "[" }, { "[]]", "]" }, { "[a-]", "-" }, { "FOO*", "foobar" },
		{ "a/b", "a/b/c" }, { "*/b", ".a/b" }, { "[[:foo:]]", "f" }, { "\xc3\xa9*", "\xc3\xa9x" },
	};
	for (auto &c : cases) {
		printf("%s %s:", c[0], c[1]);
		for (int flags : { 0, FNM_PATHNAME, FNM_PERIOD, FNM_NOESCAPE, FNM_CASEFOLD, FNM_LEADING_DIR, FNM_PATHNAME | FNM_PERIOD })
			printf(" %d", fnmatch(c[0], c[1], flags));
		say("%s", "");
	}
}

CHECK(words)
{
	setenv("CHECK_WORD", "one two", 1);
	for (auto text : { "plain", "a b  c", "'quoted text' \"and $CHECK_WORD\"", "$CHECK_WORD" }) {
		wordexp_t w{};
		int r = wordexp(text, &w, WRDE_NOCMD);
		std::string all;
		for (size_t i = 0; !r && i < w.we_wordc; i++) all += std::string("|") + w.we_wordv[i];
		say("%s: %d %s", text, r, all.c_str());
		if (!r) wordfree(&w);
	}
	wordexp_t w{};
	say("%d", wordexp("$(echo x)", &w, WRDE_NOCMD) == WRDE_CMDSUB);
}

static void options(const char *spec, std::initializer_list<const char *> given, int only = 0)
{
	static const option longs[] = {
		{ "help", no_argument, nullptr, 'h' }, { "file", required_argument, nullptr, 'f' }, { "level", optional_argument, nullptr, 'l' },
		{ "verbose", no_argument, nullptr, 'v' }, { "version", no_argument, nullptr, 'V' }, {},
	};
	char *args[12] = { (char *)"program" };
	int n = 1, c, which = -1;
	for (auto text : given) args[n++] = (char *)text;
	optind = 0;
	opterr = 0;
	optopt = 0;
	std::string all;
	while ((c = only ? getopt_long_only(n, args, spec, longs, &which) : getopt_long(n, args, spec, longs, &which)) != -1) {
		all += std::string(" ") + (c == 1 ? "arg" : std::string(1, (char)c)) + "=" + (optarg ? optarg : "");
		if (c == '?' || c == ':') all += std::string("(") + (optopt ? (char)optopt : '0') + ")";
	}
	all += " --";
	for (int i = optind; i < n; i++) all += std::string(" ") + args[i];
	say("%s", all.c_str());
}

CHECK(long_options)
{
	options("hf:l::v", { "--help", "--file", "x", "--file=y", "--level", "--level=3", "-f", "z", "-l", "-l5" });
	options("hf:v", { "one", "-v", "two", "-f", "x", "--", "-h", "three" });
	options("+hf:v", { "-v", "one", "-h" });
	options("-hf:v", { "one", "-v", "two" });
	options("hv", { "--ver" });
	options("hv", { "--verb", "--hel" });
	options("hv", { "--unknown", "-x", "--help=no" });
	options(":f:", { "-f" });
	options(":f:", { "--file" });
	options("f:", { "-f" });
	options("hv", { "-hv", "-" });
	options("hf:", { "-hfname", "-f", "-h" });
	options("hv", { "-help", "-file", "x" }, 1);
}

CHECK(hash_tables)
{
	say("%d", hcreate(30) != 0);
	for (auto name : { "one", "two", "three" }) hsearch({ (char *)name, (void *)name }, ENTER);
	ENTRY *found = hsearch({ (char *)"two", nullptr }, FIND);
	say("%s", found ? (char *)found->data : "none");
	say("%d", hsearch({ (char *)"four", nullptr }, FIND) == nullptr);
	hdestroy();
	hsearch_data table{};
	ENTRY *got = nullptr;
	say("%d", hcreate_r(10, &table) != 0);
	say("%d", hsearch_r({ (char *)"a", (void *)"b" }, ENTER, &got, &table) != 0);
	say("%d", hsearch_r({ (char *)"a", nullptr }, FIND, &got, &table) != 0);
	say("%s", (char *)got->data);
	hdestroy_r(&table);
}

CHECK(trees)
{
	static const int numbers[] = { 5, 2, 8, 1, 9, 3 };
	void *root = nullptr;
	auto compare = [](const void *a, const void *b) { return *(const int *)a - *(const int *)b; };
	for (auto &n : numbers) say("%d", **(const int **)tsearch(&n, &root, compare));
	int key = 8, none = 7;
	say("%d %d", **(const int **)tfind(&key, &root, compare), tfind(&none, &root, compare) == nullptr);
	static std::string order;
	twalk(root, [](const void *node, VISIT when, int) {
		if (when == postorder || when == leaf) order += std::to_string(**(const int **)node) + " ";
	});
	say("%s", order.c_str());
	say("%d %d", tdelete(&key, &root, compare) != nullptr, tfind(&key, &root, compare) == nullptr);
	static int destroyed;
	tdestroy(root, [](void *) { destroyed++; });
	say("%d", destroyed);
	int list[5] = { 4, 6 };
	size_t n = 2;
	int wanted = 9;
	lsearch(&wanted, list, &n, sizeof *list, compare);
	say("%zu %d %d", n, list[2], lfind(&wanted, list, &n, sizeof *list, compare) == list + 2);
	struct { void *next, *previous; } a{}, b{};
	insque(&a, nullptr);
	insque(&b, &a);
	say("%d %d", a.next == &b, b.previous == &a);
	remque(&b);
	say("%d", a.next == nullptr);
}

CHECK(folders)
{
	auto made = folder();
	dirent **names = nullptr;
	int n = scandir(made.c_str(), &names, [](const dirent *d) { return (int)(d->d_name[0] != '.'); }, versionsort);
	for (int i = 0; i < n; i++) say("%s %d", names[i]->d_name, names[i]->d_type == DT_DIR);
	n = scandir(made.c_str(), &names, nullptr, alphasort);
	say("%d %s %s", n, names[0]->d_name, names[2]->d_name);
	DIR *d = opendir(made.c_str());
	int count = 0;
	while (readdir(d)) count++;
	rewinddir(d);
	while (readdir(d)) count++;
	say("%d %d", count, fcntl(dirfd(d), F_GETFD));
	closedir(d);
	errno = 0;
	say("%d", opendir("/no/such") == nullptr);
	say("%d", errno == ENOENT);
	errno = 0;
	say("%d %d", opendir("/etc/passwd") == nullptr, mkdir(made.c_str(), 0700));
	gone(made);
}

CHECK(paths)
{
	for (auto text : { "/usr/lib/x", "x", "/", "a/b/", "", ".", "/a" }) {
		char a[40], b[40];
		strcpy(a, text);
		strcpy(b, text);
		say("%s %s", dirname(a), __xpg_basename(b));
	}
	auto made = folder();
	if (chdir(made.c_str())) return;
	char *whole = realpath("sub/../a1", nullptr), *here = get_current_dir_name();
	say("%d %d", whole && made + "/a1" == whole, here && made == here);
	errno = 0;
	say("%d", realpath("sub/none/x", nullptr) == nullptr);
	say("%d", errno == ENOENT);
	say("%d %d", symlink("a1", "link"), symlink("loop", "loop"));
	char target[10] = "";
	say("%zd %s", readlink("link", target, sizeof target), target);
	errno = 0;
	say("%d", realpath("loop", nullptr) == nullptr);
	say("%d", errno == ELOOP);
	unlink("link");
	unlink("loop");
	gone(made);
}

CHECK(files_and_their_data)
{
	auto made = folder();
	auto file = made + "/a1";
	timespec when[2] = { { 1000, 5 }, { 2000, 7 } };
	say("%d", utimensat(AT_FDCWD, file.c_str(), when, 0));
	struct stat st;
	stat(file.c_str(), &st);
	say("%ld %ld %ld", (long)st.st_atim.tv_sec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	say("%d", chmod(file.c_str(), 0640));
	say("%d", truncate(file.c_str(), 100));
	stat(file.c_str(), &st);
	say("%o %d", st.st_mode, (int)st.st_size);
	struct statx sx;
	say("%d", statx(AT_FDCWD, file.c_str(), 0, STATX_SIZE, &sx));
	say("%d", (int)sx.stx_size);
	say("%d %d", access(file.c_str(), R_OK), faccessat(AT_FDCWD, "/no/such", F_OK, 0));
	say("%d", rename(file.c_str(), (made + "/a9").c_str()));
	say("%d", rename((made + "/a9").c_str(), file.c_str()));
	say("%d %d", mkfifo((made + "/fifo").c_str(), 0600), unlink((made + "/fifo").c_str()));
	int fd = open(file.c_str(), O_RDWR);
	say("%d %ld", posix_fallocate(fd, 0, 5000), (long)lseek(fd, 0, SEEK_END));
	say("%zd %d", pwrite(fd, "data", 4, 10), lockf(fd, F_TLOCK, 0));
	char b[5] = "";
	say("%zd", pread(fd, b, 4, 10));
	say("%s", b);
	say("%d", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	struct statvfs fs;
	say("%d", fstatvfs(fd, &fs));
	say("%d", fs.f_bsize > 0);
	close(fd);
	gone(made);
}

CHECK(users)
{
	passwd *p = getpwnam("root");
	say("%s %d %s", p ? p->pw_name : "", p ? p->pw_uid : -1, p ? p->pw_dir : "");
	p = getpwuid(0);
	say("%s", p ? p->pw_name : "");
	say("%d", getpwnam("no-such-user") == nullptr);
	group *g = getgrgid(0);
	say("%s", g ? g->gr_name : "");
	passwd entry, *found = nullptr;
	char room[1000];
	say("%d %d", getpwnam_r("root", &entry, room, sizeof room, &found), found == &entry);
	say("%d %d", getpwnam_r("root", &entry, room, 3, &found) == ERANGE, found == nullptr);
	say("%d %d", getpwnam_r("no-such-user", &entry, room, sizeof room, &found), found == nullptr);
	gid_t groups[20];
	int n = 20;
	say("%d", getgrouplist("root", 0, groups, &n) > 0);
	say("%d", (int)groups[0]);
	setpwent();
	int count = 0;
	while (getpwent()) count++;
	endpwent();
	say("%d", count > 0);
}
