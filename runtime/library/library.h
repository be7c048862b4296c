/* Modules of the standard library whose code is in the executable. */

struct _library_module {
    const char *name;
    int size;
    int is_package;
    const char *code;
};

struct _library {
    int count;
    const struct _library_module *modules;  /* sorted by name */
};

/* Not in the programs that CPython is built with. */
extern const struct _library _PyLibrary __attribute__((__weak__));
