/* Users and groups of systemd's user database, for machines without nscd.
 *
 * SSSD, LDAP and similar are modules of glibc. Only nscd offers them to
 * other C libraries, and hardly any machine runs it. systemd-userdbd does the
 * same by Varlink: JSON objects through a socket, each with a final zero
 * (systemd.io/USER_GROUP_API). It knows the users of NSS, of systemd-homed
 * and of DynamicUser=.
 *
 * __nscd_query calls this when there is no nscd, and gets what nscd would
 * have sent, so its callers need no change.
 *
 * Data from the socket is not trusted: each message ends with a zero, no
 * scan goes beyond it, nothing recurses, and sizes and waiting times are
 * bounded. */

#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/time.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "nscd.h"

/* The first service asks all others: where it runs, it is enough. */
static const char services[][24] = {
	"io.systemd.Multiplexer", "io.systemd.DynamicUser", "io.systemd.Home",
};

enum { MESSAGE_MAX = 1<<22, GROUPS_MAX = 1<<16, LONGEST_NAME = 256, SECONDS_MAX = 10 };

/* ---- JSON ---- */

static const char *space(const char *s)
{
	while (*s==' ' || *s=='\t' || *s=='\n' || *s=='\r') s++;
	return s;
}

/* The end of the value at s. Brackets are only counted: for input that is
 * not JSON, the result is somewhere before the final zero. */
static const char *skip(const char *s)
{
	size_t depth = 0;
	for (; *s; s++) {
		if (*s=='"') {
			for (s++; *s && *s!='"'; s++)
				if (*s=='\\' && s[1]) s++;
			if (!*s) break;
			if (!depth) return s+1;
		} else if (*s=='{' || *s=='[') {
			depth++;
		} else if (*s=='}' || *s==']') {
			if (!depth) return s;
			if (!--depth) return s+1;
		} else if (!depth && (*s==',' || *s==':')) {
			return s;
		}
	}
	return s;
}

/* The next member of an object, and its name at *name. s is at the object's
 * bracket or after the previous member. */
static const char *next(const char *s, const char **name)
{
	if (*s!='{' && *s!=',') return 0;
	*name = space(s+1);
	if (**name!='"') return 0;
	s = space(skip(*name));
	return *s==':' ? space(s+1) : 0;
}

/* The value of a member of the object at s, or null. */
static const char *member(const char *s, const char *key)
{
	size_t l = strlen(key);
	const char *name;
	if (!s || *s!='{') return 0;
	while ((s = next(s, &name))) {
		if (!strncmp(name+1, key, l) && name[l+1]=='"') return s;
		s = space(skip(s));
	}
	return 0;
}

static int number(const char *s, uint32_t *n)
{
	if (!s || !isdigit(*s)) return 0;
	unsigned long long x = strtoull(s, 0, 10);
	*n = x;
	return x < UINT32_MAX;
}

static int hex4(const char *s)
{
	int i, c = 0;
	for (i=0; i<4; i++) {
		if (!isxdigit(s[i])) return -1;
		c = c*16 + (isdigit(s[i]) ? s[i]-'0' : (s[i]|32)-'a'+10);
	}
	return c;
}

/* ---- results ---- */

struct out {
	char *s;
	size_t n, size;
	int full;
};

static void put(struct out *o, const void *s, size_t n)
{
	if (n > o->size - o->n) {
		size_t size = 2*o->size + n;
		char *p = size < 2*MESSAGE_MAX ? realloc(o->s, size) : 0;
		if (!p) {
			o->full = 1;
			return;
		}
		o->s = p;
		o->size = size;
	}
	memcpy(o->s + o->n, s, n);
	o->n += n;
}

/* Put the string at s with a final zero; return the length of both. It is 0
 * if s is no string, is cut off, or has control characters. */
static size_t put_string(struct out *o, const char *s)
{
	size_t start = o->n;
	if (!s || *s++!='"') return 0;
	while (*s!='"') {
		int c = (unsigned char)*s++, d;
		if (c=='\\') switch (c = *s++) {
		case '"': case '\\': case '/':
			break;
		case 'u':
			c = hex4(s);
			if (c<0) goto bad;
			s += 4;
			if (c-0xd800U < 0x400 && s[0]=='\\' && s[1]=='u'
			    && (d = hex4(s+2))-0xdc00U < 0x400) {
				c = 0x10000 + (c-0xd800)*0x400 + d-0xdc00;
				s += 6;
			}
			if (c<' ' || c-0xd800U < 0x800) goto bad;
			if (c<0x80) break;
			if (c>=0x10000) put(o, (char[]){ 0xf0|c>>18, 0x80|c>>12&63 }, 2);
			else if (c>=0x800) put(o, (char[]){ 0xe0|c>>12 }, 1);
			if (c>=0x800) put(o, (char[]){ 0x80|c>>6&63 }, 1);
			else put(o, (char[]){ 0xc0|c>>6 }, 1);
			c = 0x80|c&63;
			break;
		default:
			goto bad;
		}
		else if (c<' ') goto bad;
		put(o, (char[]){ c }, 1);
	}
	put(o, "", 1);
	return o->n - start;
bad:
	o->n = start;
	return 0;
}

static size_t put_text(struct out *o, const char *s)
{
	put(o, s, strlen(s)+1);
	return strlen(s)+1;
}

/* ---- Varlink ---- */

struct conn {
	int fd;
	const char *service;
	char *buf;
	size_t have, used, size;
};

static int open_service(struct conn *c, const char *service)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval tv = { .tv_sec = SECONDS_MAX };
	c->service = service;
	c->have = c->used = 0;
	snprintf(sa.sun_path, sizeof sa.sun_path, "/run/systemd/userdb/%s", service);
	c->fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);
	if (c->fd < 0) return -1;
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	if (!connect(c->fd, (void *)&sa, sizeof sa)) return 0;
	close(c->fd);
	return -1;
}

/* Key is JSON: a number or a string. */
static int call(struct conn *c, const char *method, const char *field, const char *key, int more)
{
	char msg[2*LONGEST_NAME+256];
	int n = snprintf(msg, sizeof msg, "{\"method\":\"io.systemd.UserDatabase.%s\","
		"\"parameters\":{\"%s\":%s,\"service\":\"%s\"}%s}",
		method, field, key, c->service, more ? ",\"more\":true" : "");
	if (n >= sizeof msg) return -1;
	return send(c->fd, msg, n+1, MSG_NOSIGNAL) == n+1 ? 0 : -1;
}

/* The parameters of the next reply, or null if it is an error. */
static const char *reply(struct conn *c, int *more)
{
	char *z;
	ssize_t n;
	memmove(c->buf, c->buf + c->used, c->have -= c->used);
	c->used = 0;
	while (!c->have || !(z = memchr(c->buf, 0, c->have))) {
		if (c->have == c->size) {
			size_t size = c->size ? 2*c->size : 4096;
			char *p = size <= MESSAGE_MAX ? realloc(c->buf, size) : 0;
			if (!p) return 0;
			c->buf = p;
			c->size = size;
		}
		n = recv(c->fd, c->buf + c->have, c->size - c->have, 0);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return 0;
		c->have += n;
	}
	c->used = z+1 - c->buf;
	const char *s = space(c->buf), *m = member(s, "continues");
	if (more) *more = m && !strncmp(m, "true", 4);
	return member(s, "error") ? 0 : member(s, "parameters");
}

/* A name as JSON; a name that cannot be in a record is refused. */
static int quote(char *d, const char *s)
{
	*d++ = '"';
	for (; *s; s++) {
		if ((unsigned char)*s < ' ') return -1;
		if (*s=='"' || *s=='\\') *d++ = '\\';
		*d++ = *s;
	}
	*d++ = '"';
	*d = 0;
	return 0;
}

/* ---- records ---- */

/* A member of a record, or of the part that systemd-homed added for this
 * machine. A record may have several such parts; here it has one. */
static const char *field(const char *record, const char *key)
{
	const char *v = member(record, key), *machine, *name;
	if (v || !(machine = member(record, "binding")) || *machine!='{') return v;
	machine = next(machine, &name);
	return machine ? member(machine, key) : 0;
}

static int get_user(struct conn *c, struct out *o, int32_t *r)
{
	const char *p = reply(c, 0), *record = member(p, "record"), *s;
	uint32_t uid, gid;
	if (!record || !number(field(record, "uid"), &uid)) return 0;
	if (!number(field(record, "gid"), &gid)) gid = uid;
	s = field(record, "disposition");
	int regular = !s || !strncmp(s, "\"regular\"", 9);

	s = member(record, "userName");
	if (!(r[PWNAMELEN] = put_string(o, s))) return 0;
	r[PWPASSWDLEN] = put_text(o, "x");
	if (!(r[PWGECOSLEN] = put_string(o, field(record, "realName"))))
		r[PWGECOSLEN] = put_string(o, s);
	if (!(r[PWDIRLEN] = put_string(o, field(record, "homeDirectory")))) {
		if (regular) {
			put(o, "/home/", 6);
			r[PWDIRLEN] = 6 + put_string(o, s);
		} else r[PWDIRLEN] = put_text(o, "/");
	}
	if (!(r[PWSHELLLEN] = put_string(o, field(record, "shell"))))
		r[PWSHELLLEN] = put_text(o, regular ? "/bin/sh" : "/sbin/nologin");
	r[PWUID] = uid;
	r[PWGID] = gid;
	return 1;
}

/* The names of members are collected in m, their lengths in o. */
static void put_member(struct out *o, struct out *m, const char *s)
{
	size_t start = m->n, i;
	uint32_t l = put_string(m, s), k;
	if (!l || m->full) return;
	for (i=0; i<start; i+=k) {
		k = strlen(m->s+i)+1;
		if (k==l && !memcmp(m->s+i, m->s+start, l)) {
			m->n = start;
			return;
		}
	}
	put(o, &l, sizeof l);
}

static int get_group(struct conn *c, struct out *o, int32_t *r)
{
	struct out m = {0};
	char key[2*LONGEST_NAME+3];
	const char *p = reply(c, 0), *record = member(p, "record"), *s;
	uint32_t gid;
	int more;
	if (!record || !number(field(record, "gid"), &gid)) return 0;
	if (!(r[GRNAMELEN] = put_string(&m, member(record, "groupName")))) goto fail;
	if (m.full || r[GRNAMELEN] > LONGEST_NAME || quote(key, m.s)) goto fail;
	r[GRPASSWDLEN] = put_text(&m, "x");
	size_t head = m.n;

	struct out names = {0};
	s = member(record, "members");
	if (s && *s=='[') for (s=space(s+1); *s=='"'; s=space(s+(*s==','))) {
		put_member(o, &names, s);
		s = space(skip(s));
	}
	if (!call(c, "GetMemberships", "groupName", key, 1)) do {
		if (!(p = reply(c, &more))) break;
		put_member(o, &names, member(p, "userName"));
	} while (more && o->n < GROUPS_MAX*sizeof gid);

	r[GRMEMCNT] = o->n / sizeof gid;
	r[GRGID] = gid;
	put(o, m.s, head);
	if (names.n) put(o, names.s, names.n);
	o->full |= m.full | names.full;
	free(names.s);
	free(m.s);
	return 1;
fail:
	free(m.s);
	return 0;
}

static int get_groups(struct conn *c, struct out *o, int32_t *r)
{
	struct out names = {0};
	char key[2*LONGEST_NAME+3];
	uint32_t gid;
	const char *p;
	size_t i, l;
	int more, n = 0;
	do {
		if (!(p = reply(c, &more))) break;
		put_string(&names, member(p, "groupName"));
	} while (more && ++n < GROUPS_MAX);
	for (i=0; i<names.n; i+=l) {
		l = strlen(names.s+i)+1;
		if (l > LONGEST_NAME || quote(key, names.s+i)) continue;
		if (call(c, "GetGroupRecord", "groupName", key, 0)) break;
		if (number(field(member(reply(c, 0), "record"), "gid"), &gid))
			put(o, &gid, sizeof gid);
	}
	o->full |= names.full;
	free(names.s);
	r[INITGRNGRPS] = o->n / sizeof gid;
	return o->n > 0;
}

/* What nscd sends for a request: the first len bytes in buf, the rest to be
 * read from the file; or null if the answer is unknown. */
FILE *__userdb_query(int32_t req, const char *key, int32_t *buf, size_t len)
{
	static const struct {
		char method[16], field[10];
		int (*get)(struct conn *, struct out *, int32_t *);
	} kinds[] = {
		[GETPWBYNAME] = { "GetUserRecord", "userName", get_user },
		[GETPWBYUID] = { "GetUserRecord", "uid", get_user },
		[GETGRBYNAME] = { "GetGroupRecord", "groupName", get_group },
		[GETGRBYGID] = { "GetGroupRecord", "gid", get_group },
		[GETINITGR] = { "GetMemberships", "userName", get_groups },
	};
	int32_t r[PW_LEN];
	struct conn c = {0};
	struct out o = {0};
	char json[2*LONGEST_NAME+3];
	FILE *f = 0;
	int i, cs, found = 0;

	if (strlen(key) >= LONGEST_NAME) return 0;
	if (req==GETPWBYUID || req==GETGRBYGID) strcpy(json, key);
	else if (!*key || quote(json, key)) return 0;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cs);
	for (i=0; i<sizeof services/sizeof *services && !found; i++) {
		if (open_service(&c, services[i])) continue;
		memset(r, 0, sizeof r);
		o.n = 0;
		found = !call(&c, kinds[req].method, kinds[req].field, json, req==GETINITGR)
			&& kinds[req].get(&c, &o, r) && !o.full;
		close(c.fd);
		if (!i) break;
	}
	/* A record with another name, found by an alias, is refused. nscd's
	 * would be too, but here the result is that there is no record. */
	if (found && (req==GETPWBYNAME && strcmp(o.s, key)
	    || req==GETGRBYNAME && strcmp(o.s + r[GRMEMCNT]*sizeof *r, key)
	    || req==GETPWBYUID && r[PWUID] != (int32_t)strtoul(key, 0, 10)
	    || req==GETGRBYGID && r[GRGID] != (int32_t)strtoul(key, 0, 10)))
		found = 0;
	if (found && (f = fmemopen(0, o.n, "w+"))) {
		r[0] = NSCDVERSION;
		r[1] = 1;
		memcpy(buf, r, len);
		fwrite(o.s, o.n, 1, f);
		rewind(f);
	}
	free(o.s);
	free(c.buf);
	pthread_setcancelstate(cs, 0);
	return f;
}
