/* IFUNCs with versions: exported or hidden, called or pointed to. LEAST is the old version of `versioned`. */
#include <string.h>

static int one(void) { return 1; }
static int two(void) { return 2; }
static int ready = 7;
static int *relocated = &ready;
static const char *volatile text = "ab"; /* for a call of strlen, so that the library needs libc.so.6 */

/* Uses data that must be relocated first. */
static int (*pick(void))(void) { return *relocated == 7 ? two : one; }

int chosen(void) __attribute__((ifunc("pick")));
static int hidden(void) __attribute__((ifunc("pick")));
int (*pointer)(void) = chosen;
static int (*const hidden_pointer)(void) = hidden;
int ifuncs(void) { return chosen() * 1000 + hidden() * 100 + pointer() * 10 + hidden_pointer() + (strlen(text) != 2); }

int versioned_old(void) { return 1; }
int versioned_new(void) { return 2; }
__asm__(".symver versioned_old, versioned@LEAST_1");
__asm__(".symver versioned_new, versioned@@LEAST_2");
int values[100] = { 1, 2, 3 };
static __thread int thread_value __attribute__((tls_model("initial-exec"))) = 5;
int tls(void) { return thread_value++; }
__attribute__((constructor)) static void start(void) { values[5] = chosen(); }
