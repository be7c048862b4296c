/* Modules of the standard library whose code is in the executable. */

struct _library_module {
    const char *name;
    const char *origin;     /* its name among the files, and as frozen */
    int is_package;
    int count;              /* of the objects that its code is read from */
    size_t objects;         /* where they begin */
    uint64_t hash;          /* of the source, by _imp.source_hash(0, ...) */
    uint32_t size;          /* of the source */
};

struct _library {
    int count;
    const struct _library_module *modules;  /* sorted by name */
    const unsigned char *objects;   /* see library_code.c */
    const char *text;           /* all modules' strings, one after the other */
    const uint32_t *strings;    /* where each begins, and LIBRARY_... */
    PyObject **interned;        /* those that have been made by the main interpreter */
    size_t interned_size;
    int64_t time;               /* of the files' last change, in the tree as built */
    unsigned char *unchanged;   /* modules whose file was looked at when they were found */
};

#define LIBRARY_INTERNED    1
#define LIBRARY_NOT_ASCII   2
#define LIBRARY_START(string)   ((string) >> 2)

/* Not in the programs that CPython is built with. */
extern const struct _library _PyLibrary __attribute__((__weak__));
