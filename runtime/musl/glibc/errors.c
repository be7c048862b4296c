/* Errors and strings: names with another meaning under _GNU_SOURCE than in POSIX, and names that only glibc has. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include "libc.h"
#include "table.h"
#undef basename
#if LOADS_GLIBC

static const char *text_of(int e, char *buf, size_t size)
{
	const char *s = strerror(e);
	if (strcmp(s, "Unknown error")) return s;
	snprintf(buf, size, "Unknown error %d", e);
	return buf;
}

/* GNU's returns the text (strerror_r(3)); XSI's is __xpg_strerror_r. */
char *G(strerror_r)(int e, char *buf, size_t size)
{
	return (char *)text_of(e, buf, size);
}

/* The text for an unknown number includes the number (strerror(3)). */
char *G(strerror)(int e)
{
	static _Thread_local char buf[32];
	return (char *)text_of(e, buf, sizeof buf);
}

/* gai_strerror(3): glibc's texts. Programs show them, and some tests compare them. */
const char *G(gai_strerror)(int e)
{
	static const struct { int e; const char *text; } texts[] = {
		{ EAI_BADFLAGS, "Bad value for ai_flags" },
		{ EAI_NONAME, "Name or service not known" },
		{ EAI_AGAIN, "Temporary failure in name resolution" },
		{ EAI_FAIL, "Non-recoverable failure in name resolution" },
		{ EAI_NODATA, "No address associated with hostname" },
		{ EAI_FAMILY, "ai_family not supported" },
		{ EAI_SOCKTYPE, "ai_socktype not supported" },
		{ EAI_SERVICE, "Servname not supported for ai_socktype" },
		{ EAI_ADDRFAMILY, "Address family for hostname not supported" },
		{ EAI_MEMORY, "Memory allocation failure" },
		{ EAI_SYSTEM, "System error" },
		{ EAI_INPROGRESS, "Processing request in progress" },
		{ EAI_CANCELED, "Request canceled" },
		{ EAI_NOTCANCELED, "Request not canceled" },
		{ EAI_ALLDONE, "All requests done" },
		{ EAI_INTR, "Interrupted by a signal" },
		{ EAI_IDN_ENCODE, "Parameter string not correctly encoded" },
	};
	for (size_t i=0; i<sizeof texts/sizeof *texts; i++)
		if (texts[i].e == e) return texts[i].text;
	return "Unknown error";
}

/* GNU's does not write to its argument (basename(3)); POSIX's is __xpg_basename. */
char *G(basename)(const char *path)
{
	const char *slash = strrchr(path, '/');
	return (char *)(slash ? slash+1 : path);
}

void *G(rawmemchr)(const void *s, int c)
{
	return memchr(s, c, SIZE_MAX/2);
}

char *G(canonicalize_file_name)(const char *path)
{
	return realpath(path, 0);
}

/* error(3) */
unsigned G(error_message_count);
void (*G(error_print_progname))(void);

static void verror(int status, int e, const char *file, unsigned line, const char *fmt, va_list ap)
{
	char buf[32];
	fflush(stdout);
	if (G(error_print_progname)) G(error_print_progname)();
	else fprintf(stderr, "%s:", program_invocation_name);
	if (file) fprintf(stderr, "%s:%u: ", file, line);
	else fputc(' ', stderr);
	vfprintf(stderr, fmt, ap);
	if (e) fprintf(stderr, ": %s", text_of(e, buf, sizeof buf));
	fputc('\n', stderr);
	G(error_message_count)++;
	if (status) exit(status);
}

void G(error)(int status, int e, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	verror(status, e, 0, 0, fmt, ap);
	va_end(ap);
}

void G(error_at_line)(int status, int e, const char *file, unsigned line, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	verror(status, e, file, line, fmt, ap);
	va_end(ap);
}

/* __assert_fail with an error number. */
_Noreturn void G(__assert_perror_fail)(int e, const char *file, unsigned line, const char *function)
{
	char buf[32];
	fprintf(stderr, "%s: %s:%u: %s: Unexpected error: %s.\n", program_invocation_short_name, file, line,
		function, text_of(e, buf, sizeof buf));
	abort();
}

/* Unpredictable random numbers (arc4random(3)). They cannot report a failure; glibc ends the process too. */
void G(arc4random_buf)(void *buf, size_t size)
{
	char *p = buf;
	while (size) {
		size_t n = size < 256 ? size : 256;
		if (getentropy(p, n)) abort();
		p += n;
		size -= n;
	}
}

uint32_t G(arc4random)(void)
{
	uint32_t x;
	G(arc4random_buf)(&x, sizeof x);
	return x;
}

uint32_t G(arc4random_uniform)(uint32_t bound)
{
	uint32_t x, surplus;
	if (bound < 2) return 0;
	surplus = -bound % bound; /* 2^32 modulo bound */
	do x = G(arc4random)(); while (x < surplus);
	return x % bound;
}
#endif
