/* The main program of an interpreter that carries an application (runtime/musl/payload.h): a part of Programs/python.c.
 *
 * The configuration is a sequence of strings, each ended by a zero, "key=value":
 *
 *	module=NAME	the module to run, as with -m
 *	script=PATH	the carried file to run, by its path below the program
 *	command NAME=PATH	a carried file, run if the program has that name, or if NAME is its first argument and nothing
 *			else is configured to run
 *	argument=WORD	comes before the given arguments; may be repeated
 *	variable=NAME=VALUE	of the environment, unless it is set already; may be repeated
 *
 * All files are below python/, as in an installed tree. The application is isolated: it uses no environment variable
 * and no folder of the user. sys.executable is the program's path with one more slash at its start, which is the same
 * file to the kernel. Called by that name, or as python, python3 and so on, the program is a Python with everything
 * that it carries, so multiprocessing and subprocess.run([sys.executable, ...]) work. If the first argument then is the
 * program itself, as in [sys.executable, *sys.argv], it runs the application again; if it is a command's file, that
 * command. A set-user-ID program is a Python by no name, and sys.executable is empty. A program with nothing to run is
 * a Python by every name, with the sys.executable that a Python has, and can be the base of virtual environments. */

#include "pycore_fileutils.h"
#include "pycore_initconfig.h"
#include <sys/auxv.h>

/* A Python for the build machine has another C library, and carries nothing. */
extern const void *__payload_config(size_t *, const char **) __attribute__((__weak__));

struct bundle {
    const char *config, *end;
    const char *program;
};

/* The string after this one, or the first; NULL at the end. A last string without a final zero does not count. */
static const char *
bundle_next(const struct bundle *bundle, const char *string)
{
    const char *next = string == NULL ? bundle->config : string + strlen(string) + 1;
    return next < bundle->end && memchr(next, 0, bundle->end - next) ? next : NULL;
}

/* The value, if a string has that key. */
static const char *
value_of(const char *string, const char *key)
{
    size_t length = strlen(key);
    return !strncmp(string, key, length) && string[length] == '=' ? string + length + 1 : NULL;
}

/* The value of a key, or NULL. */
static const char *
bundle_get(const struct bundle *bundle, const char *key)
{
    const char *value = NULL;
    for (const char *p = NULL; value == NULL && (p = bundle_next(bundle, p)) != NULL; ) {
        value = value_of(p, key);
    }
    return value;
}

/* The command after this string, NAME=PATH, or the first; NULL at the end. */
static const char *
next_command(const struct bundle *bundle, const char *string)
{
    static const char command[] = "command ";
    while ((string = bundle_next(bundle, string)) != NULL) {
        if (!strncmp(string, command, sizeof(command) - 1)) {
            return string + sizeof(command) - 1;
        }
    }
    return NULL;
}

/* The file of a command; NULL if there is none of that name. */
static const char *
bundle_command(const struct bundle *bundle, const char *name)
{
    const char *value = NULL;
    for (const char *p = NULL; value == NULL && (p = next_command(bundle, p)) != NULL; ) {
        value = value_of(p, name);
    }
    return value;
}

static const char *
last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Is it a usual name of a Python? */
static int
is_python_name(const char *name)
{
    if (name[0] == '/' && name[1] == '/') {
        return 1;
    }
    name = last_part(name);
    return !strncmp(name, "python", 6) && name[6 + strspn(name + 6, "0123456789.")] == 0;
}

static int
is_the_program(const struct bundle *bundle, const char *path)
{
    struct stat a, b;
    return !strcmp(path, bundle->program)
        || (stat(path, &a) == 0 && stat(bundle->program, &b) == 0 && S_ISREG(a.st_mode)
            && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static void
bundle_check(PyStatus status)
{
    if (PyStatus_Exception(status)) {
        Py_ExitStatusException(status);
    }
}

/* Sets a string of the configuration to three strings joined. */
static void
bundle_set(PyConfig *config, wchar_t **field, const char *first, const char *second, const char *third)
{
    size_t size = strlen(first) + strlen(second) + strlen(third) + 1;
    char *path = PyMem_RawMalloc(size);
    if (path == NULL) {
        bundle_check(PyStatus_NoMemory());
    }
    snprintf(path, size, "%s%s%s", first, second, third);
    bundle_check(PyConfig_SetBytesString(config, field, path));
    PyMem_RawFree(path);
}

static void
bundle_append(PyConfig *config, const char *program, const char *below)
{
    wchar_t *path = NULL;
    bundle_set(config, &path, "", program, below);
    bundle_check(PyWideStringList_Append(&config->module_search_paths, path));
    PyMem_RawFree(path);
}

/* As in sys.abiflags. */
#ifdef Py_GIL_DISABLED
#define BUNDLE_ABI_FLAGS "t"
#else
#define BUNDLE_ABI_FLAGS ""
#endif
#define BUNDLE_STDLIB \
    "/python/lib/python" Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION) BUNDLE_ABI_FLAGS

/* Whether there is no application. Then it is a Python by every name, and may be the base of virtual environments. */
static int
is_only_a_python(const struct bundle *bundle)
{
    return bundle_get(bundle, "module") == NULL && bundle_get(bundle, "script") == NULL
        && next_command(bundle, NULL) == NULL;
}

static void
bundle_set_paths(PyConfig *config, const struct bundle *bundle)
{
    const char *program = bundle->program;
    if (is_only_a_python(bundle)) {
        /* sys.executable and a virtual environment are found as in every Python. */
        bundle_set(config, &config->base_executable, "", program, "");
    }
    else {
        bundle_set(config, &config->executable, "/", program, "");
        bundle_set(config, &config->base_executable, "/", program, "");
    }
    bundle_set(config, &config->prefix, "", program, "/python");
    bundle_set(config, &config->exec_prefix, "", program, "/python");
    bundle_set(config, &config->base_prefix, "", program, "/python");
    bundle_set(config, &config->base_exec_prefix, "", program, "/python");
    bundle_set(config, &config->stdlib_dir, "", program, BUNDLE_STDLIB);
    bundle_check(PyConfig_SetBytesString(config, &config->platlibdir, "lib"));
    config->write_bytecode = 0;
}

/* All of sys.path: nothing is added to it. */
static void
bundle_set_search_paths(PyConfig *config, const char *program)
{
    config->module_search_paths_set = 1;
    bundle_append(config, program, BUNDLE_STDLIB);
    bundle_append(config, program, BUNDLE_STDLIB "/lib-dynload");
    bundle_append(config, program, BUNDLE_STDLIB "/site-packages");
}

/* What this start has to do. */
struct start {
    enum { APPLICATION, ABOUT_ITSELF, PYTHON, UNKNOWN } kind;
    int argc;
    char **argv;
    const char *module, *script;            /* at most one */
    const char *command;                    /* the script, if it is a command's */
    const char *wish;                       /* the value of STATICPYTHON, if it decided */
};

static void
run_command(struct start *start, const char *script)
{
    start->kind = APPLICATION;
    start->module = NULL;
    start->script = start->command = script;
}

/* Whether a Python's first argument is the program itself, or a command's file. */
static int
is_the_application_again(const struct bundle *bundle, struct start *start)
{
    if (start->argc < 2 || start->argv[1][0] == '-') {
        return 0;
    }
    const char *path = start->argv[1];
    size_t length = strlen(bundle->program);
    if (!strncmp(path, bundle->program, length) && path[length] == '/') {
        const char *script = bundle_command(bundle, last_part(path));
        if (script != NULL && !strcmp(script, path + length + 1)) {
            run_command(start, script);
            return 1;
        }
        return 0;
    }
    return is_the_program(bundle, path);
}

/* By the name of the program; if nothing else is configured to run, by the first argument. */
static void
choose_command(const struct bundle *bundle, struct start *start)
{
    const char *script = start->argc > 0 ? bundle_command(bundle, last_part(start->argv[0])) : NULL;
    if (script != NULL) {
        run_command(start, script);
    }
    else if (start->module == NULL && start->script == NULL) {
        script = start->argc > 1 ? bundle_command(bundle, start->argv[1]) : NULL;
        if (script != NULL) {
            run_command(start, script);
            start->argc--, start->argv++;
        }
        else {
            start->kind = UNKNOWN;
        }
    }
}

static struct start
choose_start(const struct bundle *bundle, int argc, char **argv, int secure)
{
    struct start start = {
        APPLICATION, argc, argv,
        bundle_get(bundle, "module"), bundle_get(bundle, "script"), NULL, NULL
    };
    /* The caller of a set-user-ID program chooses its name and environment, but must not choose what it does. */
    const char *wish = secure ? NULL : getenv("STATICPYTHON");
    if (is_only_a_python(bundle)) {
        start.kind = PYTHON;
    }
    else if (!secure && argc > 0 && is_python_name(argv[0])) {
        if (!is_the_application_again(bundle, &start)) {
            start.kind = PYTHON;
        }
        else if (start.argc--, start.argv++, start.command == NULL) {
            choose_command(bundle, &start);
        }
    }
    else if (wish != NULL) {
        const char *script = !strncmp(wish, "run:", 4) ? bundle_command(bundle, wish + 4) : NULL;
        start.kind = !strcmp(wish, "python") ? PYTHON : ABOUT_ITSELF;
        start.wish = wish;
        if (script != NULL) {
            run_command(&start, script);
        }
    }
    else {
        choose_command(bundle, &start);
    }
    if (start.kind == ABOUT_ITSELF) {
        start.script = NULL;
        start.module = "_staticpython";
    }
    return start;
}

static void
bundle_append_word(PyWideStringList *list, const char *word)
{
    size_t size;
    wchar_t *text = Py_DecodeLocale(word, &size);
    if (text == NULL) {
        bundle_check(size == (size_t)-2 ? PyStatus_Error("an argument cannot be decoded") : PyStatus_NoMemory());
    }
    bundle_check(PyWideStringList_Append(list, text));
    PyMem_RawFree(text);
}

/* As a Python's: [sys.executable, *sys.orig_argv[1:]] is the application again. */
static void
set_orig_arguments(PyConfig *config, const struct bundle *bundle, const struct start *start)
{
    wchar_t *path = NULL;
    bundle_set(config, &path, "/", bundle->program, "");
    bundle_check(PyWideStringList_Append(&config->orig_argv, path));
    if (start->command != NULL) {
        bundle_set(config, &path, bundle->program, "/", start->command);
    }
    else {
        bundle_set(config, &path, bundle->program, "", "");
    }
    bundle_check(PyWideStringList_Append(&config->orig_argv, path));
    PyMem_RawFree(path);
    for (int i = 1; i < start->argc; i++) {
        bundle_append_word(&config->orig_argv, start->argv[i]);
    }
}

/* The name that the program was called by. A name found in the PATH becomes a path, as it does for a script. */
static void
append_own_name(PyConfig *config, const struct bundle *bundle, const struct start *start)
{
    const char *name = start->argc > 0 ? start->argv[0] : "";
    wchar_t *path = NULL;
    if (strchr(name, '/') == NULL && start->command != NULL) {
        bundle_set(config, &path, bundle->program, "/", start->command);
    }
    else {
        bundle_set(config, &path, "", "", strcmp(name, last_part(bundle->program)) ? name : bundle->program);
    }
    bundle_check(PyWideStringList_Append(&config->argv, path));
    PyMem_RawFree(path);
}

static void
set_arguments(PyConfig *config, const struct bundle *bundle, const struct start *start)
{
    append_own_name(config, bundle, start);
    if (start->kind == ABOUT_ITSELF) {
        bundle_append_word(&config->argv, "carried");
        bundle_append_word(&config->argv, start->wish);
    }
    else {
        for (const char *p = NULL; (p = bundle_next(bundle, p)) != NULL; ) {
            const char *word = value_of(p, "argument");
            if (word != NULL) {
                bundle_append_word(&config->argv, word);
            }
        }
    }
    for (int i = 1; i < start->argc; i++) {
        bundle_append_word(&config->argv, start->argv[i]);
    }
}

/* Sets the application's environment variables. In a set-user-ID program, the caller's values do not count. */
static void
set_variables(const struct bundle *bundle, int secure)
{
    for (const char *p = NULL; (p = bundle_next(bundle, p)) != NULL; ) {
        const char *name = value_of(p, "variable");
        const char *value = name != NULL ? strchr(name, '=') : NULL;
        if (value != NULL) {
            char *copy = strndup(name, value - name);
            if (copy == NULL || setenv(copy, value + 1, secure) < 0) {
                bundle_check(PyStatus_NoMemory());
            }
            free(copy);
        }
    }
}

static void
say_commands(const struct bundle *bundle)
{
    fprintf(stderr, "usage: %s COMMAND [ARGUMENT]...\ncommands:", bundle->program);
    for (const char *p = NULL; (p = next_command(bundle, p)) != NULL; ) {
        fprintf(stderr, " %.*s", (int)strcspn(p, "="), p);
    }
    fprintf(stderr, "\n");
}

static void
set_up_python(const struct bundle *bundle, const struct start *start)
{
    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    bundle_check(Py_PreInitializeFromBytesArgs(&before, start->argc, start->argv));
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    bundle_check(PyConfig_SetBytesArgv(&config, start->argc, start->argv));
    bundle_set_paths(&config, bundle);
    bundle_check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

/* Uses no environment variable and no folder of the user. */
static void
set_up_application(const struct bundle *bundle, const struct start *start)
{
    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    before.parse_argv = 0;
    before.isolated = 1;
    before.use_environment = 0;
    before.utf8_mode = 1;
    bundle_check(Py_PreInitialize(&before));
    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.isolated = 1;
    config.use_environment = 0;
    config.user_site_directory = 0;
    config.safe_path = 1;
    bundle_set_search_paths(&config, bundle->program);
    set_arguments(&config, bundle, start);
    set_orig_arguments(&config, bundle, start);
    bundle_set_paths(&config, bundle);
    if (start->module != NULL) {
        bundle_check(PyConfig_SetBytesString(&config, &config.run_module, start->module));
    }
    else {
        bundle_set(&config, &config.run_filename, bundle->program, "/", start->script);
    }
    bundle_check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

static int
bundle_main(const struct bundle *bundle, int argc, char **argv)
{
    int secure = getauxval(AT_SECURE) != 0;
    struct start start = choose_start(bundle, argc, argv, secure);
    if (start.wish != NULL) {
        /* Child processes must not see it. start.wish is the kernel's copy, which stays. */
        unsetenv("STATICPYTHON");
    }
    if (start.kind == UNKNOWN) {
        say_commands(bundle);
        return 2;
    }
    if (start.kind == PYTHON) {
        set_up_python(bundle, &start);
    }
    else {
        if (start.kind == APPLICATION) {
            set_variables(bundle, secure);
        }
        set_up_application(bundle, &start);
    }
    if (secure) {
        /* It cannot be called as a Python. A caller that tries gets an error, instead of the application again. */
        PyObject *none = PyUnicode_FromString("");
        if (none == NULL || PySys_SetObject("executable", none) < 0
            || PySys_SetObject("_base_executable", none) < 0)
        {
            bundle_check(PyStatus_NoMemory());
        }
        Py_DECREF(none);
    }
    return Py_RunMain();
}

/* The application, or the interpreter. */
static int
run_what_is_carried(int argc, char **argv)
{
    struct bundle bundle;
    size_t size;
    if (__payload_config == NULL || (bundle.config = __payload_config(&size, &bundle.program)) == NULL) {
        return Py_BytesMain(argc, argv);
    }
    bundle.end = bundle.config + size;
    return bundle_main(&bundle, argc, argv);
}
