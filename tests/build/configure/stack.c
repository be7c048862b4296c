/* The stack is aligned as the ABI says in every function, whatever calls it. Compilers rely on it for vectors. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int wrong;

static __attribute__((noinline)) void look(const char *place)
{
	/* Not more than the ABI gives: otherwise the compiler aligns the stack itself. */
	_Alignas(16) volatile char vector[16];
	vector[0] = 0;
	if ((uintptr_t)vector & 15) {
		printf("%s: %p\n", place, (void *)vector);
		fflush(stdout);
		wrong = 1;
	}
}

static __attribute__((constructor)) void before_main(void) { look("constructor"); }
static void in_handler(int number) { (void)number; look("signal handler"); }
static int in_callback(const void *a, const void *b) { look("callback"); return *(const int *)a - *(const int *)b; }
static void *in_thread(void *argument) { look("thread"); return argument; }
static void at_end(void) { look("atexit"); if (wrong) _Exit(1); }

int main(void)
{
	pthread_t thread;
	int values[] = { 3, 1, 2 };
	look("main");
	atexit(at_end);
	signal(SIGUSR1, in_handler);
	raise(SIGUSR1);
	qsort(values, 3, sizeof *values, in_callback);
	if (pthread_create(&thread, 0, in_thread, 0))
		return 2;
	pthread_join(thread, 0);
	return 0;
}
