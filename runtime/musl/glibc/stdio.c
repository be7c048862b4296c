/* stdio.h, iconv.h: what glibc adds. FILE needs no care: musl's begins as the macros of glibc's headers want it. */
#define _GNU_SOURCE
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include "libc.h"
#include "table.h"
#if LOADS_GLIBC

/* printf.h: nothing can be added to musl's printf; libquadmath asks, and does without. */
int G(register_printf_specifier)(int c, void *print, void *size) { errno = ENOSYS; return -1; }
int G(register_printf_function)(int c, void *print, void *size) { errno = ENOSYS; return -1; }
int G(register_printf_modifier)(const wchar_t *s) { errno = ENOSYS; return -1; }
int G(register_printf_type)(void *take) { errno = ENOSYS; return -1; }

/* `//TRANSLIT` asks for something alike where a character is not to be had: musl has an asterisk then always. */
iconv_t G(iconv_open)(const char *to, const char *from)
{
	char names[2][64];
	const char *in[2] = { to, from };
	for (int i=0; i<2; i++) {
		const char *end = strstr(in[i], "//");
		size_t n = end ? (size_t)(end - in[i]) : strlen(in[i]);
		if (n >= sizeof names[i]) {
			errno = EINVAL;
			return (iconv_t)-1;
		}
		memcpy(names[i], in[i], n);
		names[i][n] = 0;
	}
	return iconv_open(names[0], names[1]);
}
#endif
