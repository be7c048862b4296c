/* stdio.h: glibc's additions and differences. musl's FILE begins as the macros of glibc's headers expect. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* printf.h: musl's printf cannot be extended; libquadmath tries, and works without. */
int G(register_printf_specifier)(int c, void *print, void *size) { errno = ENOSYS; return -1; }
int G(register_printf_function)(int c, void *print, void *size) { errno = ENOSYS; return -1; }
int G(register_printf_modifier)(const wchar_t *s) { errno = ENOSYS; return -1; }
int G(register_printf_type)(void *take) { errno = ENOSYS; return -1; }

/* Refuses a descriptor that is not open, or was opened for the other direction (fdopen(3)). */
FILE *G(fdopen)(int fd, const char *mode)
{
	int flags = fcntl(fd, F_GETFL), way = flags & O_ACCMODE;
	if (flags < 0) return 0;
	if (!strchr(mode, '+') && ((way == O_RDONLY && *mode != 'r') || (way == O_WRONLY && *mode == 'r'))) {
		errno = EINVAL;
		return 0;
	}
	return fdopen(fd, mode);
}

/* stdio_ext.h: the library itself always locks streams. */
int G(__fsetlocking)(FILE *f, int type) { return FSETLOCKING_INTERNAL; }

/* fopencookie(3): musl's calls the write function even if there is nothing to write. */
struct cookie {
	void *cookie;
	cookie_io_functions_t io;
};

static ssize_t cookie_read(void *c, char *to, size_t n)
{
	struct cookie *k = c;
	return k->io.read(k->cookie, to, n);
}

static ssize_t cookie_write(void *c, const char *from, size_t n)
{
	struct cookie *k = c;
	return n ? k->io.write(k->cookie, from, n) : 0;
}

static int cookie_seek(void *c, off_t *at, int whence)
{
	struct cookie *k = c;
	return k->io.seek(k->cookie, at, whence);
}

static int cookie_close(void *c)
{
	struct cookie *k = c;
	int r = k->io.close ? k->io.close(k->cookie) : 0;
	free(k);
	return r;
}

FILE *G(fopencookie)(void *cookie, const char *mode, cookie_io_functions_t io)
{
	struct cookie *k = malloc(sizeof *k);
	FILE *f;
	if (!k) return 0;
	*k = (struct cookie){ cookie, io };
	f = fopencookie(k, mode, (cookie_io_functions_t){
		io.read ? cookie_read : 0, io.write ? cookie_write : 0, io.seek ? cookie_seek : 0, cookie_close });
	if (!f) free(k);
	return f;
}
#endif
