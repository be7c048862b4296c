/* glob.h: GNU's flags (glob(3)). GLOB_ONLYDIR is a hint that may be ignored. */
#define _GNU_SOURCE
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

#define ALTDIRFUNC (1<<9)
#define BRACE (1<<10)
#define NOMAGIC (1<<11)
#define ONLYDIR (1<<13)

typedef int (*error_fn)(const char *, int);

static int is_pattern(const char *s, int escapes)
{
	int open = 0;
	for (; *s; s++) {
		if (*s == '\\' && escapes && s[1]) s++;
		else if (*s == '*' || *s == '?' || (*s == ']' && open)) return 1;
		else if (*s == '[') open = 1;
	}
	return 0;
}

/* The end of an alternative: a comma or a brace of its own depth; null if there is none. */
static const char *end_of_alternative(const char *s, int escapes)
{
	int depth = 0;
	for (; *s; s++) {
		if (*s == '\\' && escapes && s[1]) s++;
		else if (!depth && (*s == ',' || *s == '}')) return s;
		else if (*s == '{') depth++;
		else if (*s == '}') depth--;
	}
	return 0;
}

static const char *open_brace(const char *s, int escapes)
{
	for (; *s && *s != '{'; s++)
		if (*s == '\\' && escapes && s[1]) s++;
	return *s ? s : 0;
}

static int plain_glob(const char *pattern, int flags, error_fn fail, glob_t *g)
{
	if (flags & NOMAGIC && !is_pattern(pattern, !(flags & GLOB_NOESCAPE))) flags |= GLOB_NOCHECK;
	return glob(pattern, flags & ~(ALTDIRFUNC|BRACE|NOMAGIC|ONLYDIR), fail, g);
}

/* The matches of each alternative are sorted separately. */
static int append_matches(const char *pattern, int flags, error_fn fail, glob_t *g)
{
	int escapes = !(flags & GLOB_NOESCAPE), r = GLOB_NOMATCH;
	const char *open = open_brace(pattern, escapes), *from, *to, *rest;
	size_t before = g->gl_pathc, start, n;

	for (rest = open; rest && (rest == open || *rest != '}'); rest = end_of_alternative(rest+1, escapes));
	if (!rest) return plain_glob(pattern, flags, fail, g);
	start = open - pattern;
	for (from = open+1; ; from = to+1) {
		char *one = malloc(strlen(pattern)+1);
		if (!one) return GLOB_NOSPACE;
		to = end_of_alternative(from, escapes);
		n = to - from;
		memcpy(one, pattern, start);
		memcpy(one+start, from, n);
		strcpy(one+start+n, rest+1);
		r = append_matches(one, flags & ~(GLOB_NOCHECK|NOMAGIC), fail, g);
		free(one);
		if (r && r != GLOB_NOMATCH) return r;
		if (to == rest) break;
	}
	if (g->gl_pathc != before) return 0;
	return flags & (GLOB_NOCHECK|NOMAGIC) ? plain_glob(pattern, flags, fail, g) : GLOB_NOMATCH;
}

int G(glob)(const char *pattern, int flags, error_fn fail, glob_t *g)
{
	int r;
	if (flags & ALTDIRFUNC) {
		errno = ENOSYS;
		return GLOB_ABORTED;
	}
	if (!(flags & BRACE) || !open_brace(pattern, !(flags & GLOB_NOESCAPE))) return plain_glob(pattern, flags, fail, g);
	if (!(flags & GLOB_APPEND)) {
		size_t first = flags & GLOB_DOOFFS ? g->gl_offs : 0;
		g->gl_offs = first;
		g->gl_pathc = 0;
		if (!(g->gl_pathv = calloc(first+1, sizeof *g->gl_pathv))) return GLOB_NOSPACE;
	}
	r = append_matches(pattern, flags | GLOB_APPEND, fail, g);
	if (r && !(flags & GLOB_APPEND)) {
		globfree(g);
		g->gl_pathc = 0;
	}
	return r;
}
#endif
