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

/* The code of one module, wherever it is. */
struct _library_code {
    const struct _library *library;
    const unsigned char *objects;
    size_t count;
};

struct _library {
    int count;
    const struct _library_module *modules;  /* sorted by name */
    const unsigned char *objects;   /* see code.c */
    const char *text;           /* all modules' strings, one after the other */
    const uint32_t *strings;    /* where each begins, and LIBRARY_... */
    size_t strings_count;
    size_t text_size;
    PyObject **interned;        /* those made so far, by the main interpreter */
    size_t interned_size;
    int64_t time;               /* of the files' last change, in the tree as built */
    unsigned char *usable;      /* modules whose file was checked when they were found */
};

#define LIBRARY_INTERNED    1
#define LIBRARY_NOT_ASCII   2
#define LIBRARY_START(string)   ((string) >> 2)

/* Not in the programs that CPython is built with. */
extern const struct _library _PyLibrary __attribute__((__weak__));

/* Carried files (runtime/musl/payload.h) may include the code of modules: the file python/modules, which begins with
   this. freeze.py writes it. Numbers are little-endian, and places count from the first byte. */
#define CARRIED_MAGIC "PYMODS\0\1"   /* the last byte is the format's version */

struct _carried_head {
    char magic[8];
    uint32_t modules;           /* how many */
    uint32_t strings;
    uint64_t at_modules;        /* struct _carried_module[], sorted by name */
    uint64_t at_names;          /* the modules', without separators */
    uint64_t names_size;
    uint64_t at_strings;        /* uint32_t[strings + 1], as in struct _library */
    uint64_t at_text;
    uint64_t text_size;
    uint64_t at_objects;
    uint64_t objects_size;
};

struct _carried_module {
    uint32_t name;              /* where it begins */
    uint16_t name_size;
    uint16_t place;             /* CARRIED_... */
    uint32_t count;             /* as in struct _library_module */
    uint32_t size;
    uint64_t objects;
    uint64_t hash;              /* of the objects, by _imp.source_hash(count, ...) */
};

#define CARRIED_PACKAGE     1
#define CARRIED_SITE        2   /* its file is in site-packages */
#define CARRIED_SCRIPT      4   /* no module: its name is its path below the program */

extern int _PyImport_IsCarriedScript(PyObject *path);
extern PyObject *_PyImport_CarriedScript(PyObject *path);
extern int _PyRun_IsCarried(const wchar_t *filename);
extern PyObject *_PyRun_Carried(PyObject *filename);
