/* exceptions LIBRARY: C++ exceptions in loaded libraries, also in a thread. */
#include "check.h"
#include <pthread.h>
#include <stdint.h>

typedef const char *(*text_f)(void);
static text_f across;

static void *thread(void *arg)
{
	return (void *)(uintptr_t)!strcmp(across(), "across");
}

int main(int argc, char **argv)
{
	pthread_t t;
	void *ok, *h = load(argv[1], RTLD_NOW);
	text_f within = (text_f)(uintptr_t)dlsym(h, "within");
	across = (text_f)(uintptr_t)dlsym(h, "across");
	CHECK(within && across);
	puts(within());
	puts(across());
	CHECK(!pthread_create(&t, 0, thread, 0) && !pthread_join(t, &ok) && ok);
	puts("thread");
	return 0;
}
