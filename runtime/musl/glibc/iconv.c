/* iconv.h: a character that cannot be converted is an error (iconv(3)), on which programs write something else. musl
 * writes an asterisk, and counts it. With //TRANSLIT this file writes the asterisk too, with //IGNORE nothing. */
#define _GNU_SOURCE
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

struct conversion {
	iconv_t cd;
	enum { ALL, REFUSE, IGNORE } what; /* characters that the target does not have */
};

/* The name without `//` and what follows. */
static int plain_name(char *to, size_t room, const char *name)
{
	const char *end = strstr(name, "//");
	size_t n = end ? (size_t)(end - name) : strlen(name);
	if (n >= room) return -1;
	memcpy(to, name, n);
	to[n] = 0;
	return 0;
}

/* Has the set every character? */
static int is_unicode(const char *name)
{
	return !strncasecmp(name, "utf", 3) || !strncasecmp(name, "ucs", 3) || !strncasecmp(name, "wchar", 5);
}

iconv_t G(iconv_open)(const char *to, const char *from)
{
	char names[2][64];
	struct conversion *c;
	if (plain_name(names[0], sizeof names[0], to) || plain_name(names[1], sizeof names[1], from)) {
		errno = EINVAL;
		return (iconv_t)-1;
	}
	if (!(c = malloc(sizeof *c))) return (iconv_t)-1;
	c->cd = iconv_open(names[0], names[1]);
	if (c->cd == (iconv_t)-1) {
		free(c);
		return (iconv_t)-1;
	}
	c->what = is_unicode(names[0]) ? ALL : strcasestr(to, "//IGNORE") ? IGNORE : strcasestr(to, "//TRANSLIT") ? ALL : REFUSE;
	return c;
}

int G(iconv_close)(iconv_t cd)
{
	struct conversion *c = cd;
	int r = iconv_close(c->cd);
	free(c);
	return r;
}

/* One character at a time, so that nothing is written for one that the target does not have. */
size_t G(iconv)(iconv_t cd, char **in, size_t *left, char **out, size_t *room)
{
	struct conversion *c = cd;
	int lost = 0;
	if (c->what == ALL || !in || !*in) return iconv(c->cd, in, left, out, room);
	while (*left) {
		char *i = *in, *o = *out;
		size_t n = 1, space = *room, bytes, r;
		for (;; n++) {
			bytes = n;
			r = iconv(c->cd, &i, &bytes, &o, &space);
			if (r != (size_t)-1 || errno != EINVAL || i != *in || n == *left) break;
		}
		if (r == (size_t)-1 && errno != EINVAL) return r;
		if (r && r != (size_t)-1) {
			if (c->what == REFUSE) {
				errno = EILSEQ;
				return -1;
			}
			lost = 1;
		} else {
			*out = o;
			*room = space;
		}
		if (i == *in) return r; /* the rest is not a whole character */
		*left -= i - *in;
		*in = i;
	}
	if (!lost) return 0;
	errno = EILSEQ;
	return -1;
}
#endif
