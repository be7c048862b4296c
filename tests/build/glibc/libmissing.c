/* Symbols of glibc that the program lacks: a function, called and as a pointer, or data. */
#ifdef DATA
extern char _nl_msg_cat_cntr_that_is_not[];
char *get(void) { return _nl_msg_cat_cntr_that_is_not; }
#else
int argp_parse(void *, int, char **, unsigned, int *, void *);
typedef int (*fn)(void *, int, char **, unsigned, int *, void *);
fn pointer = argp_parse;
int get(void) { return pointer != 0; }
int call(void) { return argp_parse(0, 0, 0, 0, 0, 0); }
#endif
