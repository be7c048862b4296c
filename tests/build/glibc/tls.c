/* tls LIBRARY...: loads libraries with initial-exec TLS while threads run, and prints what the threads read there. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int (*get)(void);
static void (*set)(int);
static pthread_barrier_t loaded;

static void *look(void *number)
{
	int first;
	if (number) pthread_barrier_wait(&loaded);
	first = get();
	set((long)number);
	return (void *)(long)(first * 100 + get());
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	pthread_barrier_init(&loaded, 0, 5);
	for (long i = 0; i < 4; i++) pthread_create(threads+i, 0, look, (void *)(i+1));
	usleep(20000);
	for (int i = 1; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW);
		if (!library) {
			printf("%s\n", dlerror());
			return 1;
		}
		get = dlsym(library, "get");
		set = dlsym(library, "set");
	}
	pthread_barrier_wait(&loaded);
	for (int i = 0; i < 5; i++) {
		void *seen;
		if (i == 4) pthread_create(threads, 0, look, 0);
		pthread_join(threads[i & 3], &seen);
		printf("%ld\n", (long)seen);
	}
	printf("%d\n", get());
}
