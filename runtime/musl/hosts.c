/* Lines of /etc/hosts, hosts(5): blanks may come before the address, names are compared without case, and all names
 * after the first are aliases. */

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "stdio_impl.h"
#include "lookup.h"

static const char blanks[] = " \t\r\n\f\v";

/* Cut the comment and leading blanks off a line. Return whether it has that
 * name or, if none is given, anything but an address. */
int __hosts_line(char *line, const char *name)
{
	char *p, *z;
	line[strcspn(line, "#")] = 0;
	p = line + strspn(line, blanks);
	memmove(line, p, strlen(p)+1);
	p = line + strcspn(line, blanks);
	for (; *(p += strspn(p, blanks)); p = z) {
		z = p + strcspn(p, blanks);
		if (!name || strlen(name) == z-p && !strncasecmp(p, name, z-p))
			return 1;
	}
	return 0;
}

/* Copy the aliases of the first line with a name or, if none is given, with
 * an address, each with a final zero, as many as there is room for.
 * Return their number, or -1 if there is no such line. */
int __hosts_aliases(const char *name, int family, const void *addr, char *out, size_t size)
{
	char line[512], *p, *z;
	int cnt = -1;
	struct address a;
	unsigned char _buf[1032];
	FILE _f, *f = __fopen_rb_ca("/etc/hosts", &_f, _buf, sizeof _buf);
	if (!f) return -1;
	while (cnt < 0 && fgets(line, sizeof line, f)) {
		if (!__hosts_line(line, name)) continue;
		p = line + strcspn(line, blanks);
		*p++ = 0;
		if (__lookup_ipliteral(&a, line, family) <= 0) continue;
		if (addr && memcmp(a.addr, addr, family==AF_INET6 ? 16 : 4)) continue;
		p += strspn(p, blanks);
		p += strcspn(p, blanks); /* the first name is no alias */
		for (cnt=0; *(p += strspn(p, blanks)); p = z, cnt++) {
			z = p + strcspn(p, blanks);
			if (z-p >= size) break;
			memcpy(out, p, z-p);
			out[z-p] = 0;
			out += z-p+1;
			size -= z-p+1;
		}
	}
	__fclose_ca(f);
	return cnt;
}
