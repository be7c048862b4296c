/* fts.h: a walk through a file hierarchy (fts(3)). The options do not matter to the working directory: it never changes,
 * and fts_accpath is always a path from there. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* fts_options. STOP is private. */
enum { COMFOLLOW = 1, LOGICAL = 2, NOCHDIR = 4, NOSTAT = 8, PHYSICAL = 0x10, SEEDOT = 0x20, XDEV = 0x40, ALL = 0xff,
	NAMES = 0x100, STOP = 0x200 };
enum { PARENT_OF_ROOTS = -1, ROOT = 0 };
/* fts_info */
enum { D = 1, DC, DEFAULT, DNR, DOT, DP, ERR, F, INIT, NS, NSOK, SL, SLNONE };
/* fts_instr */
enum { AGAIN = 1, FOLLOW, NONE, SKIP };

struct entry {
	struct entry *cycle, *parent, *link;
	long number;
	void *pointer;
	char *accpath, *path;
	int error, symfd;
	unsigned short pathlen, namelen;
	ino_t ino;
	dev_t dev;
	nlink_t nlink;
	short level;
	unsigned short info, flags, instr;
	struct stat *st;
	char name[];
};

typedef int (*compare_fn)(const struct entry **, const struct entry **);

struct fts {
	struct entry *cur, *child, **array;
	dev_t dev;
	char *path;
	int fd, pathlen, nitems;
	compare_fn compare;
	int options;
};
_Static_assert(sizeof(struct fts) == 72 && offsetof(struct entry, name) == 112, "glibc's FTS and FTSENT");

void G(qsort)(void *, size_t, size_t, int (*)(const void *, const void *));

/* One block holds the entry with its name, the struct stat and the path. */
static struct entry *new_entry(struct entry *parent, const char *name)
{
	size_t l = strlen(name), above = 0, start = sizeof(struct entry) + l+1 + _Alignof(struct stat)-1 & -_Alignof(struct stat);
	struct entry *p;
	if (parent && parent->level != PARENT_OF_ROOTS) {
		above = parent->pathlen;
		if (above && parent->path[above-1] == '/') above--;
		above++;
	}
	if (l + above > UINT16_MAX) {
		errno = ENAMETOOLONG;
		return 0;
	}
	p = calloc(1, start + sizeof(struct stat) + above + l+1);
	if (!p) return 0;
	p->parent = parent;
	p->level = parent ? parent->level+1 : PARENT_OF_ROOTS;
	p->instr = NONE;
	p->namelen = l;
	p->pathlen = above + l;
	p->st = (void *)((char *)p + start);
	p->path = p->accpath = (char *)(p->st + 1);
	memcpy(p->name, name, l+1);
	if (above) {
		memcpy(p->path, parent->path, above-1);
		p->path[above-1] = '/';
	}
	memcpy(p->path + above, name, l+1);
	return p;
}

static void free_list(struct entry *p)
{
	while (p) {
		struct entry *next = p->link;
		free(p);
		p = next;
	}
}

static int is_dot(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

static int look_at(const struct fts *fts, struct entry *p, int follow)
{
	struct stat here, *st = fts->options & NOSTAT ? &here : p->st;
	struct entry *above;
	if (fts->options & LOGICAL || follow) {
		if (stat(p->accpath, st)) {
			int e = errno;
			if (!lstat(p->accpath, st)) {
				errno = 0;
				return SLNONE;
			}
			errno = e;
			goto failed;
		}
	} else if (lstat(p->accpath, st)) {
failed:
		p->error = errno;
		memset(st, 0, sizeof *st);
		return NS;
	}
	if (!S_ISDIR(st->st_mode)) return S_ISLNK(st->st_mode) ? SL : S_ISREG(st->st_mode) ? F : DEFAULT;
	p->dev = st->st_dev;
	p->ino = st->st_ino;
	p->nlink = st->st_nlink;
	if (is_dot(p->name)) return DOT;
	for (above = p->parent; above && above->level >= ROOT; above = above->parent)
		if (above->ino == p->ino && above->dev == p->dev) {
			p->cycle = above;
			return DC;
		}
	return D;
}

static struct entry *sorted(const struct fts *fts, struct entry *list, size_t n)
{
	struct entry **all, **at, *p;
	if (!fts->compare || n < 2) return list;
	all = n < SIZE_MAX/sizeof *all ? malloc(n*sizeof *all) : 0;
	if (!all) return list; /* as glibc does */
	for (at = all, p = list; p; p = p->link) *at++ = p;
	G(qsort)(all, n, sizeof *all, (int (*)(const void *, const void *))fts->compare);
	for (list = p = *all, at = all+1; at < all+n; p = p->link) p->link = *at++;
	p->link = 0;
	free(all);
	return list;
}

/* Read the current folder. If it is empty or unreadable, a walk that goes on sets the folder's info. */
static struct entry *read_folder(struct fts *fts, int only_names, int goes_on)
{
	struct entry *cur = fts->cur, *list = 0, **last = &list, *p;
	DIR *dir = opendir(cur->accpath);
	struct dirent *d;
	size_t n = 0;
	if (!dir) {
		if (goes_on) {
			cur->info = DNR;
			cur->error = errno;
		}
		return 0;
	}
	while ((d = readdir(dir))) {
		if (!(fts->options & SEEDOT) && is_dot(d->d_name)) continue;
		if (!(p = new_entry(cur, d->d_name))) {
			int e = errno;
			free_list(list);
			closedir(dir);
			if (e == ENAMETOOLONG) cur->error = e;
			errno = e;
			cur->info = ERR;
			fts->options |= STOP;
			return 0;
		}
		if (only_names || ((fts->options & NOSTAT) && (fts->options & PHYSICAL)
		    && d->d_type != DT_DIR && d->d_type != DT_UNKNOWN)) p->info = NSOK;
		else p->info = look_at(fts, p, 0);
		*last = p;
		last = &p->link;
		n++;
	}
	closedir(dir);
	if (!n && goes_on) cur->info = DP;
	return sorted(fts, list, n);
}

struct fts *G(fts_open)(char *const *paths, int options, compare_fn compare)
{
	struct entry *top, *first, **last, *p;
	struct fts *fts;
	size_t n = 0;
	if (options & ~ALL) {
		errno = EINVAL;
		return 0;
	}
	if (!(fts = calloc(1, sizeof *fts))) return 0;
	fts->compare = compare;
	fts->options = options | (options & LOGICAL ? NOCHDIR : 0);
	fts->fd = -1;
	if (!(top = new_entry(0, ""))) goto failed;
	if (!(first = new_entry(top, ""))) goto failed_with_top;
	fts->cur = first;
	first->info = INIT;
	for (last = &first->link; *paths; paths++, n++) {
		if (!**paths) {
			errno = ENOENT;
			goto failed_with_all;
		}
		if (!(*last = p = new_entry(top, *paths))) goto failed_with_all;
		last = &p->link;
		p->info = look_at(fts, p, options & COMFOLLOW);
		if (p->info == DOT) p->info = D;
	}
	first->link = sorted(fts, first->link, n);
	return fts;
failed_with_all:
	free_list(first);
failed_with_top:
	free(top);
failed:
	free(fts);
	return 0;
}

/* The name of a path from the caller is its last part. */
static struct entry *begin_root(struct fts *fts, struct entry *p)
{
	char *slash = strrchr(p->name, '/');
	if (slash && (slash != p->name || slash[1])) {
		p->namelen = strlen(slash+1);
		memmove(p->name, slash+1, p->namelen+1);
	}
	fts->dev = p->dev;
	return p;
}

static struct entry *into_folder(struct fts *fts, struct entry *p, int instr)
{
	if (fts->child && fts->options & NAMES) {
		fts->options &= ~NAMES;
		free_list(fts->child);
		fts->child = 0;
	}
	if (instr == SKIP || (fts->options & XDEV && p->dev != fts->dev)) {
		free_list(fts->child);
		p->info = DP;
	} else if (fts->child || (fts->child = read_folder(fts, 0, 1))) p = fts->child;
	else if (fts->options & STOP) return 0;
	fts->child = 0;
	return p;
}

struct entry *G(fts_read)(struct fts *fts)
{
	struct entry *p = fts->cur, *left;
	int instr;
	if (!p || fts->options & STOP) return 0;
	instr = p->instr;
	p->instr = NONE;
	if (instr == AGAIN) {
		p->info = look_at(fts, p, 0);
		return p;
	}
	if (instr == FOLLOW && (p->info == SL || p->info == SLNONE)) {
		p->info = look_at(fts, p, 1);
		return p;
	}
	if (p->info == D) {
		struct entry *next = into_folder(fts, p, instr);
		if (next == p || !next) return next;
		p = next;
		goto arrived;
	}
	do {
		left = p;
		if (!(p = left->link)) {
			p = left->parent;
			free(left);
			if (p->level == PARENT_OF_ROOTS) {
				free(p);
				errno = 0;
				return fts->cur = 0;
			}
			p->info = p->error ? ERR : DP;
			return fts->cur = p;
		}
		free(left);
		if (p->level == ROOT) return fts->cur = begin_root(fts, p);
arrived:;
	} while (p->instr == SKIP);
	if (p->instr == FOLLOW) {
		p->info = look_at(fts, p, 1);
		p->instr = NONE;
	}
	return fts->cur = p;
}

int G(fts_set)(struct fts *fts, struct entry *p, int instr)
{
	if (instr < 0 || instr > SKIP) {
		errno = EINVAL;
		return 1;
	}
	p->instr = instr;
	return 0;
}

struct entry *G(fts_children)(struct fts *fts, int only_names)
{
	struct entry *p = fts->cur;
	if (only_names && only_names != NAMES) {
		errno = EINVAL;
		return 0;
	}
	errno = 0;
	if (!p || fts->options & STOP) return 0;
	if (p->info == INIT) return p->link;
	if (p->info != D) return 0;
	free_list(fts->child);
	fts->options = fts->options & ~NAMES | only_names;
	return fts->child = read_folder(fts, only_names, 0);
}

int G(fts_close)(struct fts *fts)
{
	struct entry *p = fts->cur, *next;
	for (; p; p = next) {
		next = p->link ? p->link : p->parent;
		free(p);
	}
	free_list(fts->child);
	free(fts);
	return 0;
}

G_SAME(fts64_open, fts_open);
G_SAME(fts64_read, fts_read);
G_SAME(fts64_set, fts_set);
G_SAME(fts64_children, fts_children);
G_SAME(fts64_close, fts_close);
#endif
