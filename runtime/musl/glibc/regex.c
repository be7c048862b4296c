/* regex.h: regoff_t is int, re_nsub is at another place in regex_t, REG_STARTEND (regex(3)). Flags and errors have the
 * same numbers. GNU's own functions (re_search and similar) are missing. */
#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

#define REG_STARTEND 4

struct glibc_match { int from, to; };

/* The value of a match that musl did not write, because of REG_NOSUB. */
#define UNTOLD (-2)

/* musl keeps its own count at the start, where glibc's has a pointer that nobody reads. */
_Static_assert(offsetof(regex_t, __nsub2) == 48, "re_nsub of glibc");

int G(regcomp)(regex_t *re, const char *pattern, int flags)
{
	int r = regcomp(re, pattern, flags);
	if (!r) re->__nsub2 = re->re_nsub;
	return r;
}

int G(regexec)(const regex_t *re, const char *s, size_t n, struct glibc_match *to, int flags)
{
	regmatch_t few[16], *found = few;
	size_t groups = n < re->re_nsub+1 ? n : re->re_nsub+1, i;
	char *part = 0;
	int r = REG_ESPACE, from = 0;

	if (flags & REG_STARTEND) {
		flags &= ~REG_STARTEND;
		from = to->from;
		if (!(s = part = strndup(s + from, to->to - from))) return r;
	}
	if (groups > sizeof few/sizeof *few
	    && (groups > SIZE_MAX/sizeof *found || !(found = malloc(groups*sizeof *found)))) goto done;
	found->rm_so = UNTOLD;
	r = regexec(re, s, groups, found, flags);
	for (i=0; !r && i<n && found->rm_so != UNTOLD; i++) {
		int none = i >= groups || found[i].rm_so < 0;
		to[i].from = none ? -1 : found[i].rm_so + from;
		to[i].to = none ? -1 : found[i].rm_eo + from;
	}
	if (found != few) free(found);
done:
	free(part);
	return r;
}
#endif
