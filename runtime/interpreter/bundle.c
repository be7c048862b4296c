/* The main program of an interpreter that carries an application (runtime/musl/payload.h): a part of Programs/python.c.
 *
 * The configuration is a row of strings, each ended by a zero, "key=value":
 *
 *	code=TEXT	what to run: this, as -c does
 *	module=NAME	a module, as -m does
 *	script=PATH	a file that is carried, by its path below the program
 *
 * All files are below python/, as in an installed tree. The application is isolated: no variable of the environment and
 * no folder of the user's counts. sys.executable is the program's path with one more slash before it, which is the same
 * file to the kernel; called by that name, or as python, python3 and so on, the program is a Python with everything that
 * it carries, so that multiprocessing and subprocess.run([sys.executable, ...]) work. There, a first argument that is
 * the program itself means the application again: [sys.executable, *sys.argv]. A set-user-ID program is no Python, by
 * whatever name, and sys.executable is empty. */

#include "pycore_fileutils.h"
#include "pycore_initconfig.h"
#include <sys/auxv.h>

/* The Python that builds others has another C library, and carries nothing. */
extern const void *__payload_config(size_t *, const char **) __attribute__((__weak__));

struct bundle {
    const char *config, *end;
    const char *program;
};

/* The value of a key, or NULL. A last string without an end is none. */
static const char *
bundle_get(const struct bundle *bundle, const char *key)
{
    size_t length = strlen(key);
    const char *end;
    for (const char *p = bundle->config; p < bundle->end; p = end + 1) {
        end = memchr(p, 0, bundle->end - p);
        if (end == NULL) {
            break;
        }
        if ((size_t)(end - p) > length && !memcmp(p, key, length) && p[length] == '=') {
            return p + length + 1;
        }
    }
    return NULL;
}

/* Is it a name that a Python has? */
static int
is_python_name(const char *name)
{
    if (name[0] == '/' && name[1] == '/') {
        return 1;
    }
    const char *slash = strrchr(name, '/');
    name = slash != NULL ? slash + 1 : name;
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

/* Sets a string of the configuration to three together. */
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

#define BUNDLE_STDLIB \
    "/python/lib/python" Py_STRINGIFY(PY_MAJOR_VERSION) "." Py_STRINGIFY(PY_MINOR_VERSION)

static void
bundle_set_paths(PyConfig *config, const char *program)
{
    bundle_set(config, &config->executable, "/", program, "");
    bundle_set(config, &config->base_executable, "/", program, "");
    bundle_set(config, &config->prefix, "", program, "/python");
    bundle_set(config, &config->exec_prefix, "", program, "/python");
    bundle_set(config, &config->base_prefix, "", program, "/python");
    bundle_set(config, &config->base_exec_prefix, "", program, "/python");
    bundle_set(config, &config->stdlib_dir, "", program, BUNDLE_STDLIB);
    bundle_check(PyConfig_SetBytesString(config, &config->platlibdir, "lib"));
    config->write_bytecode = 0;
}

/* All of sys.path: nobody adds to it. */
static void
bundle_set_search_paths(PyConfig *config, const char *program)
{
    config->module_search_paths_set = 1;
    bundle_append(config, program, BUNDLE_STDLIB);
    bundle_append(config, program, BUNDLE_STDLIB "/lib-dynload");
    bundle_append(config, program, BUNDLE_STDLIB "/site-packages");
}

static int
bundle_main(const struct bundle *bundle, int argc, char **argv)
{
    const char *code = bundle_get(bundle, "code"), *module = bundle_get(bundle, "module");
    const char *script = bundle_get(bundle, "script");
    /* Whoever calls a set-user-ID program chooses its name, and may not choose what it does. */
    int secure = getauxval(AT_SECURE) != 0;
    int as_python = !secure && argc > 0 && is_python_name(argv[0]);
    if (as_python && argc > 1 && argv[1][0] != '-' && is_the_program(bundle, argv[1])) {
        as_python = 0;
        argc--, argv++;
    }
    const char *command = as_python || secure ? NULL : getenv("STATICPYTHON");
    char **words = NULL;
    if (command != NULL && !strcmp(command, "python")) {
        as_python = 1;
    }
    else if (command != NULL) {
        words = PyMem_RawMalloc((argc + 3) * sizeof(*words));
        if (words == NULL) {
            bundle_check(PyStatus_NoMemory());
        }
        words[0] = argc > 0 ? argv[0] : "";
        words[1] = "carried";
        words[2] = (char *)command;
        for (int i = 1; i < argc; i++) {
            words[i + 2] = argv[i];
        }
        argv = words;
        argc = (argc > 0 ? argc : 1) + 2;
        code = script = NULL;
        module = "_staticpython";
    }
    if (code == NULL && module == NULL && script == NULL) {
        as_python = 1;
    }

    PyPreConfig before;
    PyPreConfig_InitPythonConfig(&before);
    if (!as_python) {
        before.parse_argv = 0;
        before.isolated = 1;
        before.use_environment = 0;
    }
    before.utf8_mode = 1;
    bundle_check(as_python ? Py_PreInitializeFromBytesArgs(&before, argc, argv) : Py_PreInitialize(&before));

    PyConfig config;
    PyConfig_InitPythonConfig(&config);
    if (!as_python) {
        config.parse_argv = 0;
        config.isolated = 1;
        config.use_environment = 0;
        config.user_site_directory = 0;
        config.safe_path = 1;
        bundle_set_search_paths(&config, bundle->program);
    }
    bundle_check(PyConfig_SetBytesArgv(&config, argc, argv));
    bundle_set_paths(&config, bundle->program);
    if (!as_python && code != NULL) {
        bundle_check(PyConfig_SetBytesString(&config, &config.run_command, code));
    }
    else if (!as_python && module != NULL) {
        bundle_check(PyConfig_SetBytesString(&config, &config.run_module, module));
    }
    else if (!as_python) {
        bundle_set(&config, &config.run_filename, bundle->program, "/", script);
    }
    if (command != NULL) {
        unsetenv("STATICPYTHON");
    }
    bundle_check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    if (secure) {
        /* There is no Python to be called: whoever tries is told so, and does not start the application again. */
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
