/* What clang's profile runtime, which distributions build for glibc, wants of glibc: its checked printf functions.
   Linked into the interpreter that `make profile` trains, and into nothing else. */

#include <stdarg.h>
#include <stdio.h>

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int written = vfprintf(file, format, arguments);
	va_end(arguments);
	return written;
}

int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int written = vsnprintf(to, size, format, arguments);
	va_end(arguments);
	return written;
}
