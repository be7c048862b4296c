/* Cancels threads that look up names; the servers answer late or never:
 * cancelled_lookup NAME... It prints ok if no file is left open
 * (patches/musl/0026). */

#define _GNU_SOURCE
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *look_up(void *name)
{
	struct addrinfo *list;
	if (!getaddrinfo(name, 0, &(struct addrinfo){ .ai_socktype=SOCK_STREAM }, &list))
		freeaddrinfo(list);
	return 0;
}

static int open_files(void)
{
	int n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (readdir(d)) n++;
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int before = open_files(), cancelled = 0;
	for (int i=1; i<argc; i++) for (int ms=0; ms<300; ms+=30) {
		pthread_t t;
		void *result;
		if (pthread_create(&t, 0, look_up, argv[i])) return 1;
		usleep(1000*ms);
		pthread_cancel(t);
		if (pthread_join(t, &result)) return 1;
		cancelled += result == PTHREAD_CANCELED;
	}
	int left = open_files() - before;
	if (left || cancelled < argc) printf("%d files left open, %d cancelled\n", left, cancelled);
	else puts("ok");
	return 0;
}
