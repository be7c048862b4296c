/* Distributions build clang's profile runtime for glibc. These are the functions that it needs from glibc: the checked
   printf functions. Linked only into the interpreter that `make profile` trains. */

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
