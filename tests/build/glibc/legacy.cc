// Older parts of glibc: objects that grow, walks of files, who has called.
#include "check.h"
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <execinfo.h>
#include <fcntl.h>
#include <fts.h>
#include <initializer_list>
#include <obstack.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

extern "C" int _obstack_allocated_p(struct obstack *, void *);

static int chunks;

static void *take(size_t n)
{
	chunks++;
	return malloc(n);
}

static void give_back(void *p)
{
	chunks--;
	free(p);
}

#define obstack_chunk_alloc take
#define obstack_chunk_free give_back

CHECK(obstacks)
{
	struct obstack o;
	int made = obstack_init(&o);
	say("%d %ld %d", made, obstack_chunk_size(&o), obstack_alignment_mask(&o));
	void *first = obstack_alloc(&o, 1);
	for (int i = 0; i < 3000; i++) obstack_grow(&o, "grows", 5);
	obstack_1grow(&o, 0);
	size_t size = obstack_object_size(&o);
	char *text = (char *)obstack_finish(&o);
	say("%zu %zu %d %d", size, strlen(text), chunks, obstack_memory_used(&o) >= 15001);
	void *copy = obstack_copy(&o, "copy", 5), *empty = obstack_alloc(&o, 0);
	say("%s %d", (char *)copy, (int)((size_t)copy & 15));
	obstack_blank(&o, 5000);
	obstack_blank(&o, -4990);
	say("%d %d", (int)obstack_object_size(&o), chunks);
	obstack_free(&o, empty);
	say("%d %d %d", chunks, _obstack_allocated_p(&o, first), _obstack_allocated_p(&o, &o));
	obstack_free(&o, first);
	say("%d", chunks);
	obstack_free(&o, nullptr);
	say("%d", chunks);
}

static void *take_aligned(long n)
{
	chunks++;
	return aligned_alloc(64, n + 63 & -64);
}

CHECK(obstacks_of_objects)
{
	struct obstack o;
	obstack_specify_allocation(&o, 300, 64, take_aligned, give_back);
	unsigned long sum = 0;
	for (int n = 0; n < 200; n += 7) {
		void *p = obstack_alloc(&o, n);
		sum += (size_t)p & 63;
		memset(p, n, n);
	}
	say("%lu %d %d", sum, chunks, obstack_memory_used(&o));
	obstack_free(&o, nullptr);
	say("%d", chunks);
}

static void *take_for(void *who, long n)
{
	++*(int *)who;
	return malloc(n);
}

static void give_back_for(void *who, void *p)
{
	--*(int *)who;
	free(p);
}

CHECK(obstacks_with_an_argument)
{
	int mine = 0;
	struct obstack o;
	obstack_specify_allocation_with_arg(&o, 200, 8, take_for, give_back_for, &mine);
	for (int i = 0; i < 50; i++) obstack_alloc(&o, 33);
	say("%d %d", mine, chunks);
	say("%d", obstack_printf(&o, "%s %d", "printed", 42));
	for (int i = 0; i < 100; i++) obstack_printf(&o, " and %0*d", i, i);
	obstack_1grow(&o, 0);
	say("%s", (char *)obstack_finish(&o));
	obstack_free(&o, nullptr);
	say("%d", mine);
}

static void *refuse(long) { return nullptr; }

CHECK(obstacks_without_memory)
{
	obstack_alloc_failed_handler = [] {
		say("failed, %d", obstack_exit_failure);
		exit(0);
	};
	struct obstack o;
	obstack_specify_allocation(&o, 100, 0, refuse, give_back);
}

struct folder {
	std::string at;
	folder()
	{
		char name[] = "/tmp/glibc-check-XXXXXX";
		at = mkdtemp(name);
		if (chdir(at.c_str())) say("%d", errno);
		for (auto d : { "t", "t/b", "t/b/deep", "t/empty", "t/z" }) mkdir(d, 0755);
		for (auto f : { "t/a", "t/b/1", "t/b/2", "t/b/deep/x", "t/z/last", "other" }) close(open(f, O_CREAT | O_WRONLY, 0644));
		if (symlink("../t", "t/loop") || symlink("nowhere", "t/broken") || symlink("a", "t/link")) say("%d", errno);
	}
	~folder()
	{
		for (auto f : { "t/a", "t/b/1", "t/b/2", "t/b/deep/x", "t/z/last", "other", "t/loop", "t/broken", "t/link" }) unlink(f);
		for (auto d : { "t/b/deep", "t/b", "t/empty", "t/z", "t" }) rmdir(d);
		if (chdir("/")) say("%d", errno);
		rmdir(at.c_str());
	}
};

static int by_name(const FTSENT **a, const FTSENT **b) { return strcmp((*a)->fts_name, (*b)->fts_name); }

static void show(const FTSENT *e)
{
	say("%d %d %s %s %d %d %d %d %d", e->fts_info, e->fts_level, e->fts_name, e->fts_path, e->fts_pathlen, e->fts_namelen,
		e->fts_errno, e->fts_info == FTS_F && e->fts_statp->st_size == 0, e->fts_info == FTS_DC ? e->fts_cycle->fts_level : -9);
}

// Of what fts_read has not returned yet, the paths are not to be used (fts(3)).
static void show_child(const FTSENT *e) { say("%d %d %s", e->fts_info, e->fts_level, e->fts_name); }

static void walk(std::initializer_list<const char *> paths, int options)
{
	say("options %#x", options);
	char *list[8] = {};
	int n = 0;
	for (auto p : paths) list[n++] = strdup(p);
	FTS *fts = fts_open(list, options, by_name);
	if (!fts) {
		say("%d", errno);
		return;
	}
	while (FTSENT *e = fts_read(fts)) {
		show(e);
		if (e->fts_info == FTS_F && access(e->fts_accpath, F_OK)) say("not there by its access path");
	}
	say("%d", errno);
	say("%d", fts_close(fts));
}

CHECK(walks_of_files)
{
	folder f;
	for (int options : { FTS_PHYSICAL, FTS_LOGICAL, FTS_PHYSICAL | FTS_NOCHDIR, FTS_PHYSICAL | FTS_COMFOLLOW, FTS_PHYSICAL | FTS_SEEDOT,
	     FTS_PHYSICAL | FTS_XDEV })
		walk({ "t" }, options);
	walk({ "other", "t/link", "t/b/", "t/../t/z", "nothing", "." }, FTS_PHYSICAL | FTS_NOCHDIR);
	walk({ "t/link", "t/broken" }, FTS_PHYSICAL | FTS_COMFOLLOW);
	walk({ "t", "" }, FTS_PHYSICAL);
	walk({ "t" }, 0x1000);
}

CHECK(walks_of_files_by_instructions)
{
	folder f;
	char path[] = "t", *list[] = { path, nullptr };
	FTS *fts = fts_open(list, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	bool again = false;
	for (FTSENT *e = fts_children(fts, 0); e; e = e->fts_link) show_child(e);
	while (FTSENT *e = fts_read(fts)) {
		show(e);
		std::string name = e->fts_name;
		if (name == "b" && e->fts_info == FTS_D) fts_set(fts, e, FTS_SKIP);
		if (name == "link" && e->fts_info == FTS_SL) fts_set(fts, e, FTS_FOLLOW);
		if (name == "broken" && e->fts_info == FTS_SL) fts_set(fts, e, FTS_FOLLOW);
		if (name == "a" && !again) {
			again = true;
			fts_set(fts, e, FTS_AGAIN);
		}
		if (name == "t" && e->fts_info == FTS_D) {
			for (FTSENT *c = fts_children(fts, 0); c; c = c->fts_link) {
				show_child(c);
				if (!strcmp(c->fts_name, "empty")) fts_set(fts, c, FTS_SKIP);
			}
		}
		if (name == "z" && e->fts_info == FTS_D)
			for (FTSENT *c = fts_children(fts, FTS_NAMEONLY); c; c = c->fts_link) say("named %s", c->fts_name);
		if (name == "a") say("%d", fts_children(fts, 0) == nullptr);
	}
	errno = 0;
	say("%d", fts_close(fts));
	fts = fts_open(list, FTS_PHYSICAL, nullptr);
	FTSENT *e = fts_read(fts);
	say("%d %d", fts_set(fts, e, 99), errno);
	say("%d %d", fts_children(fts, 7) == nullptr, errno);
	fts_read(fts);
	say("%d", fts_close(fts));
}

// Who has called. What is below the library differs: it is another program.
static std::string function_of(const char *line)
{
	const char *from = strchr(line, '('), *to = from ? strchr(from, '+') : nullptr;
	return to ? std::string(from + 1, to) : line;
}

extern "C" __attribute__((noinline)) int innermost_of_three(void **to, int room)
{
	int n = backtrace(to, room);
	asm volatile("" ::: "memory");
	return n;
}
extern "C" __attribute__((noinline)) int middle_of_three(void **to, int room)
{
	int n = innermost_of_three(to, room);
	asm volatile("" ::: "memory");
	return n;
}
extern "C" __attribute__((noinline)) int outermost_of_three(void **to, int room)
{
	int n = middle_of_three(to, room);
	asm volatile("" ::: "memory");
	return n;
}

CHECK(who_has_called)
{
	void *frames[50];
	int n = outermost_of_three(frames, 50);
	say("%d", n >= 4);
	char **texts = backtrace_symbols(frames, 3);
	for (int i = 0; i < 3; i++) {
		char address[32];
		snprintf(address, sizeof address, " [%p]", frames[i]);
		say("%s %d %d", function_of(texts[i]).c_str(), strstr(texts[i], address) != nullptr, strstr(texts[i], "checks.so(") != nullptr);
	}
	free(texts);
	say("%d %d", outermost_of_three(frames, 2), outermost_of_three(frames, 0));
	void *nowhere[] = { (void *)16 };
	texts = backtrace_symbols(nowhere, 1);
	say("%s", texts[0]);
	free(texts);
	backtrace_symbols_fd(nowhere, 1, 1);
}

CHECK(who_has_called_as_lines)
{
	void *frames[3];
	int n = outermost_of_three(frames, 3), ends[2];
	char text[4096] = "";
	if (pipe(ends)) return;
	backtrace_symbols_fd(frames, n, ends[1]);
	close(ends[1]);
	size_t have = 0;
	for (ssize_t got; (got = read(ends[0], text + have, sizeof text - 1 - have)) > 0; have += got);
	int i = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(nullptr, "\n"), i++) {
		char address[32];
		snprintf(address, sizeof address, ")[%p]", frames[i]);
		say("%s %d", function_of(line).c_str(), strstr(line, address) != nullptr);
	}
	say("%d", i);
}
