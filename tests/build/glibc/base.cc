#include "check.h"
#include <cstdarg>

check *checks;

int say(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int n = vprintf(format, list);
	va_end(list);
	putchar('\n');
	fflush(stdout);
	return n;
}
