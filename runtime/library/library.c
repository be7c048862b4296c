/* Gives the code of standard library modules in the executable, through a few
 * functions of _imp, and for modules that are frozen anyway. Importing such a
 * module searches no folder and reads no file. Otherwise all is as if it came
 * from its .pyc: it is found where its folder is in sys.path, with the same
 * loader, file name and attributes (patch 0014). A part of
 * Python/import.c.
 *
 * A changed file is read. A file with the size and time of the tree as built
 * is not opened; otherwise its content is compared (cp -r gives files another
 * time). This tree's .pyc files are checked in the same way.
 *
 * An executable that carries files (runtime/musl/payload.h) may have the code
 * of their modules among them, in the same form. These cannot change.
 */

#include "pycore_library.h"
#include "library_code.c"

static int
compare_with_module(const void *name, const void *module)
{
    return strcmp(name, ((const struct _library_module *)module)->name);
}

/* The name of a module to look for. NULL if the user wants another library,
   other code or the files themselves: PYTHONHOME, -O, -X frozen_modules=off,
   -X no_debug_ranges, --check-hash-based-pycs always; or if a watcher of new code
   objects is registered. */
static const char *
name_for_library(PyObject *fullname)
{
    const PyConfig *config = _Py_GetConfig();
    if (&_PyLibrary == NULL || !use_frozen() || config->home != NULL
        || config->optimization_level > 0 || !config->code_debug_ranges
        || _PyInterpreterState_GET()->active_code_watchers
        || wcscmp(config->check_hash_pycs_mode, L"always") == 0)
    {
        return NULL;
    }
    Py_ssize_t size;
    const char *name = PyUnicode_AsUTF8AndSize(fullname, &size);
    if (name == NULL || strlen(name) != (size_t)size) {
        PyErr_Clear();
        return NULL;
    }
    return name;
}

static const struct _library_module *
find_in_library(PyObject *fullname)
{
    const char *name = name_for_library(fullname);
    return name == NULL ? NULL
        : bsearch(name, _PyLibrary.modules, _PyLibrary.count,
                  sizeof(*_PyLibrary.modules), compare_with_module);
}

/* Functions for carried files, in our C library. Programs that CPython's build
   runs may have another C library. */
extern const void *__payload_config(size_t *, const char **) __attribute__((__weak__));
extern const void *__payload_file(const char *, size_t *, size_t *) __attribute__((__weak__));
extern int __payload_inflate(void *, size_t, const void *, size_t) __attribute__((__weak__));

static struct {
    enum { NOT_LOOKED_FOR, NOT_THERE, THERE } state;
    const struct _carried_head *head;
    const struct _carried_module *modules;
    const char *names;
    const char *folder;         /* the program's path and a slash */
    struct _library library;
} carried;

static int
carries_files(const char **program)
{
    size_t size;
    return __payload_config != NULL && __payload_config(&size, program) != NULL;
}

/* Is an array of so many items at that place within the size? */
static int
is_within(uint64_t at, uint64_t count, size_t item, size_t size)
{
    return at % item == 0 && at <= size && count <= (size - at) / item;
}

static int
look_for_carried(void)
{
    static const char place[] = "/python/modules";
    const char *program;
#ifdef Py_GIL_DISABLED
    return NOT_THERE;       /* read_code() does not make what such builds need */
#endif
    if (&_PyLibrary == NULL || !carries_files(&program)) {
        return NOT_THERE;
    }
    size_t length = strlen(program), size, packed;
    char *path = PyMem_RawMalloc(length + sizeof(place));
    if (path == NULL) {
        return NOT_THERE;
    }
    memcpy(path, program, length);
    memcpy(path + length, place, sizeof(place));
    const char *file = __payload_file(path, &size, &packed);
    path[length + 1] = 0;
    carried.folder = path;
    const struct _carried_head *head = (const struct _carried_head *)file;
    if (file == NULL || packed != 0 || size < sizeof(*head)
        || memcmp(head->magic, CARRIED_MAGIC, sizeof(head->magic)) != 0
        || !is_within(head->at_modules, head->modules, 8, size)
        || head->modules > (size - head->at_modules) / sizeof(*carried.modules)
        || !is_within(head->at_names, head->names_size, 1, size)
        || !is_within(head->at_strings, (uint64_t)head->strings + 1, 4, size)
        || !is_within(head->at_text, head->text_size, 1, size)
        || !is_within(head->at_objects, head->objects_size, 1, size))
    {
        return NOT_THERE;
    }
    carried.library.interned_size = sizeof(PyObject *) * (size_t)head->strings;
    carried.library.interned = PyMem_RawCalloc(head->strings, sizeof(PyObject *));
    if (carried.library.interned == NULL) {
        return NOT_THERE;
    }
    carried.head = head;
    carried.modules = (const void *)(file + head->at_modules);
    carried.names = file + head->at_names;
    carried.library.strings = (const void *)(file + head->at_strings);
    carried.library.strings_count = head->strings;
    carried.library.text = file + head->at_text;
    carried.library.text_size = head->text_size;
    carried.library.objects = (const unsigned char *)file + head->at_objects;
    return THERE;
}

static int
compare_with_carried(const void *name, const void *module)
{
    const struct _carried_module *m = module;
    if (!is_within(m->name, m->name_size, 1, carried.head->names_size)) {
        return 1;
    }
    int order = strncmp(name, carried.names + m->name, m->name_size);
    return order != 0 ? order : ((const char *)name)[m->name_size] != 0;
}

/* A module by its name, or a script by its path. */
static const struct _carried_module *
find_carried(PyObject *fullname, int is_script)
{
    if (carried.state == NOT_LOOKED_FOR) {
        carried.state = look_for_carried();
    }
    const char *name = carried.state == THERE ? name_for_library(fullname) : NULL;
    const char *prefix = is_script ? carried.folder : "";
    if (name == NULL || strncmp(name, prefix, strlen(prefix)) != 0) {
        return NULL;
    }
    const struct _carried_module *found = bsearch(
        name + strlen(prefix), carried.modules, carried.head->modules,
        sizeof(*carried.modules), compare_with_carried);
    return found != NULL && !(found->place & CARRIED_SCRIPT) == !is_script ? found : NULL;
}

static PyObject *
read_carried_code(const struct _carried_module *found, PyObject *path)
{
    struct _library_code from = {
        &carried.library, carried.library.objects + found->objects, found->count
    };
    if (!is_within(found->objects, found->size, 1, carried.head->objects_size)
        || _Py_KeyedHash(found->count, (const char *)from.objects, found->size) != found->hash)
    {
        return library_is_damaged();
    }
    return read_module_code(_PyInterpreterState_GET(), from, path);
}

int
_PyImport_IsCarriedScript(PyObject *path)
{
    return find_carried(path, 1) != NULL;
}

/* Its code, or NULL with an exception. */
PyObject *
_PyImport_CarriedScript(PyObject *path)
{
    const struct _carried_module *found = find_carried(path, 1);
    return found == NULL ? library_is_damaged() : read_carried_code(found, path);
}

static PyObject *
read_library_code(const struct _library_module *found, PyObject *filename)
{
    struct _library_code from = {
        &_PyLibrary, _PyLibrary.objects + found->objects, found->count
    };
    return read_module_code(_PyInterpreterState_GET(), from, filename);
}

/* Does the file hold the source that the code was made from? */
static int
is_unchanged(const struct _library_module *found, const char *path)
{
    struct stat st;
    int same = stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == found->size;
    if (same && st.st_mtime != _PyLibrary.time) {
        FILE *file = fopen(path, "rbe");
        char *text = PyMem_RawMalloc(found->size + 1);
        same = file != NULL && text != NULL
            && fread(text, 1, found->size + 1, file) == found->size
            && _Py_KeyedHash(0, text, found->size) == found->hash;
        PyMem_RawFree(text);
        if (file != NULL) {
            fclose(file);
        }
    }
    return same;
}

/* Is there a package or an extension module of this name? In its folder it
   would come before the source, `stem` with ".py" at its end. */
static int
has_rival(const char *stem)
{
    struct stat st;
    char name[PATH_MAX];
    PyObject *suffixes = _imp_extension_suffixes_impl(NULL);
    int found = suffixes == NULL || stat(stem, &st) == 0;
    for (Py_ssize_t i = 0; !found && i < PyList_GET_SIZE(suffixes); i++) {
        const char *suffix = PyUnicode_AsUTF8(PyList_GET_ITEM(suffixes, i));
        found = suffix == NULL
            || snprintf(name, sizeof(name), "%s%s", stem, suffix) >= (int)sizeof(name)
            || stat(name, &st) == 0;
    }
    Py_XDECREF(suffixes);
    PyErr_Clear();
    return found;
}

/* Does the file come first in its folder? Nothing was added to a folder that
   has the build's time. */
static int
comes_first(const char *path)
{
    const char *slash = strrchr(path, '/'), *end = strrchr(path, '.');
    char name[PATH_MAX];
    if (slash == NULL || end < slash || (size_t)(end - path) >= sizeof(name)) {
        return 0;
    }
    struct stat st;
    memcpy(name, path, end - path);
    name[end - path] = '\0';
    name[slash - path] = '\0';
    if (stat(name, &st) == 0 && st.st_mtime == _PyLibrary.time) {
        return 1;
    }
    name[slash - path] = '/';
    return !has_rival(name);
}

/* Can the code be used, as the file and its folder are now? */
static int
is_usable(const struct _library_module *found, PyObject *path)
{
    PyObject *bytes = PyUnicode_EncodeFSDefault(path);
    if (bytes == NULL) {
        PyErr_Clear();
        return 0;
    }
    const char *name = PyBytes_AS_STRING(bytes);
    /* A package comes first in any case. */
    int usable = is_unchanged(found, name) && (found->is_package || comes_first(name));
    Py_DECREF(bytes);
    return usable;
}

PyDoc_STRVAR(library_find_doc,
"library_find(fullname) -> 1 for a package, plus 2 for what is in site-packages\n\
None when it is not in the library");

static PyObject *
library_find(PyObject *Py_UNUSED(module), PyObject *fullname)
{
    const struct _library_module *found = find_in_library(fullname);
    if (found != NULL) {
        return PyLong_FromLong(found->is_package);
    }
    const struct _carried_module *other = find_carried(fullname, 0);
    if (other != NULL) {
        return PyLong_FromLong(other->place & (CARRIED_PACKAGE | CARRIED_SITE));
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(library_check_doc,
"library_check(fullname, path) -> can its code be used, as the file and its folder are now?");

static PyObject *
library_check(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *fullname, *path;
    if (!PyArg_ParseTuple(args, "UU:library_check", &fullname, &path)) {
        return NULL;
    }
    const struct _library_module *found = find_in_library(fullname);
    if (found == NULL) {
        return PyBool_FromLong(find_carried(fullname, 0) != NULL);
    }
    int usable = is_usable(found, path);
    _PyLibrary.usable[found - _PyLibrary.modules] = usable;
    return PyBool_FromLong(usable);
}

PyDoc_STRVAR(library_time_doc,
"library_time() -> the time of the files in the tree as built; -1 if unknown");

static PyObject *
library_time(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(&_PyLibrary == NULL ? -1 : _PyLibrary.time);
}

/* Modules keep the objects that they make. So let them make some more before
   a collection traverses these in vain. */
static void
put_off_a_collection(void)
{
#ifndef Py_GIL_DISABLED
    _PyInterpreterState_GET()->gc.generations[0].count = 0;
#endif
}

PyDoc_STRVAR(library_code_doc,
"library_code(fullname, path) -> code with that file name; None if the file was changed");

static PyObject *
library_code(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *fullname, *path;
    if (!PyArg_ParseTuple(args, "UU:library_code", &fullname, &path)) {
        return NULL;
    }
    const struct _library_module *found = find_in_library(fullname);
    if (found == NULL) {
        const struct _carried_module *other = find_carried(fullname, 0);
        if (other != NULL) {
            put_off_a_collection();
            return read_carried_code(other, path);
        }
        PyErr_SetImportError(fullname, fullname, path);
        return NULL;
    }
    /* The finder has just checked the module's file. */
    unsigned char *usable = &_PyLibrary.usable[found - _PyLibrary.modules];
    if (!*usable && !is_usable(found, path)) {
        Py_RETURN_NONE;
    }
    *usable = 0;
    put_off_a_collection();
    return read_library_code(found, path);
}

/* The code of a frozen module. A module with origname was found by its name,
   among CPython's own unless PyImport_FrozenModules is set. */
static PyObject *
library_frozen_code(PyInterpreterState *Py_UNUSED(interp), struct frozen_info *info)
{
    const struct _library_module *found = NULL;
    if (info->origname != NULL && PyImport_FrozenModules == NULL) {
        found = find_in_library(info->nameobj);
    }
    if (found == NULL) {
        return PyMarshal_ReadObjectFromString(info->data, info->size);
    }
    PyObject *filename = PyUnicode_FromFormat("<frozen %s>", found->origin);
    if (filename == NULL) {
        return NULL;
    }
    PyObject *code = read_library_code(found, filename);
    Py_DECREF(filename);
    return code;
}

PyDoc_STRVAR(library_data_doc,
"library_data(path) -> what a file that is carried holds; None for others");

/* As opening and reading it, but without a descriptor. */
static PyObject *
library_data(PyObject *Py_UNUSED(module), PyObject *path)
{
    const char *program;
    if (!carries_files(&program) || !PyUnicode_CheckExact(path)
        || _PyRuntime.open_code_hook != NULL)
    {
        Py_RETURN_NONE;
    }
    PyObject *name = PyUnicode_EncodeFSDefault(path);
    if (name == NULL) {
        return NULL;
    }
    size_t size, packed;
    const char *data = strlen(PyBytes_AS_STRING(name)) == (size_t)PyBytes_GET_SIZE(name)
        ? __payload_file(PyBytes_AS_STRING(name), &size, &packed) : NULL;
    Py_DECREF(name);
    if (data == NULL) {
        Py_RETURN_NONE;
    }
    if (PySys_Audit("open", "Osi", path, "rb", O_RDONLY | O_CLOEXEC) < 0) {
        return NULL;
    }
    if (packed == 0) {
        return PyBytes_FromStringAndSize(data, size);
    }
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, size);
    if (bytes != NULL && __payload_inflate(PyBytes_AS_STRING(bytes), size, data, packed) < 0) {
        Py_DECREF(bytes);
        errno = EIO;
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    }
    return bytes;
}

/* The next interpreter interns strings of its own. */
static void
library_fini(void)
{
    if (&_PyLibrary != NULL) {
        memset(_PyLibrary.interned, 0, _PyLibrary.interned_size);
    }
    if (carried.state == THERE) {
        memset(carried.library.interned, 0, carried.library.interned_size);
    }
}
