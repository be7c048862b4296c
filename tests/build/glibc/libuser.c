/* Uses the old and the new version of a function, and an IFUNC of another library. */
#include <unistd.h>

int versioned(void), old(void), chosen(void), ifuncs(void);
__asm__(".symver old, versioned@LEAST_1");
int all(void) { return old() * 100000 + versioned() * 10000 + ifuncs(); }
int (*const far)(void) = chosen;
int far_away(void) { return getpid() > 0 ? far() : 0; }
