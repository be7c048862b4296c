/* The code of modules of the standard library, out of the executable, by two
 * functions of _imp and for what is frozen anyway. To import such a module
 * takes no look into its folder and reads no file; otherwise all is as if it
 * had come out of its .pyc: found where its folder is in sys.path, with the
 * same loader, file name and attributes (patch 0014). A part of
 * Python/import.c.
 *
 * A file that was changed is read: one whose size and time are those of the
 * tree as built is not opened, what another one holds is compared (cp -r gives
 * files another time). The .pyc of this tree are checked in the same way.
 */

#include "pycore_library.h"
#include "library_code.c"

static int
compare_with_module(const void *name, const void *module)
{
    return strcmp(name, ((const struct _library_module *)module)->name);
}

/* Nothing where another library, other code or the files themselves are
   asked for: PYTHONHOME, -O, -X frozen_modules=off, -X no_debug_ranges,
   --check-hash-based-pycs always; or where somebody watches code being made. */
static const struct _library_module *
find_in_library(PyObject *fullname)
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
    return bsearch(name, _PyLibrary.modules, _PyLibrary.count,
                   sizeof(*_PyLibrary.modules), compare_with_module);
}

/* Does the file hold what the code was made of? */
static int
is_unchanged(const struct _library_module *found, PyObject *path)
{
    PyObject *bytes = PyUnicode_EncodeFSDefault(path);
    if (bytes == NULL) {
        PyErr_Clear();
        return 0;
    }
    const char *name = PyBytes_AS_STRING(bytes);
    struct stat st;
    int same = stat(name, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == found->size;
    if (same && st.st_mtime != _PyLibrary.time) {
        FILE *file = fopen(name, "rbe");
        char *text = PyMem_RawMalloc(found->size + 1);
        same = file != NULL && text != NULL
            && fread(text, 1, found->size + 1, file) == found->size
            && _Py_KeyedHash(0, text, found->size) == found->hash;
        PyMem_RawFree(text);
        if (file != NULL) {
            fclose(file);
        }
    }
    Py_DECREF(bytes);
    return same;
}

PyDoc_STRVAR(library_find_doc,
"library_find(fullname) -> is it a package? None when it is not in the library");

static PyObject *
library_find(PyObject *Py_UNUSED(module), PyObject *fullname)
{
    const struct _library_module *found = find_in_library(fullname);
    if (found == NULL) {
        Py_RETURN_NONE;
    }
    return PyBool_FromLong(found->is_package);
}

PyDoc_STRVAR(library_check_doc,
"library_check(fullname, path) -> can its code be used, as the file is now?");

static PyObject *
library_check(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *fullname, *path;
    if (!PyArg_ParseTuple(args, "UU:library_check", &fullname, &path)) {
        return NULL;
    }
    const struct _library_module *found = find_in_library(fullname);
    if (found == NULL) {
        Py_RETURN_FALSE;
    }
    int same = is_unchanged(found, path);
    _PyLibrary.unchanged[found - _PyLibrary.modules] = same;
    return PyBool_FromLong(same);
}

PyDoc_STRVAR(library_time_doc,
"library_time() -> the time of the files in the tree as built; -1 if unknown");

static PyObject *
library_time(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    return PyLong_FromLongLong(&_PyLibrary == NULL ? -1 : _PyLibrary.time);
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
        PyErr_SetImportError(fullname, fullname, path);
        return NULL;
    }
    /* Whoever found the module has just looked at its file. */
    unsigned char *unchanged = &_PyLibrary.unchanged[found - _PyLibrary.modules];
    if (!*unchanged && !is_unchanged(found, path)) {
        Py_RETURN_NONE;
    }
    *unchanged = 0;
    PyInterpreterState *interp = _PyInterpreterState_GET();
#ifndef Py_GIL_DISABLED
    /* What modules make, they keep. Some more of it than usual is made before
       a collection looks at it in vain. */
    interp->gc.generations[0].count = 0;
#endif
    return read_module_code(interp, found, path);
}

/* The code of a frozen module. One that has origname was found by its name,
   among CPython's own if nobody has set others. */
static PyObject *
library_frozen_code(PyInterpreterState *interp, struct frozen_info *info)
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
    PyObject *code = read_module_code(interp, found, filename);
    Py_DECREF(filename);
    return code;
}

/* The next interpreter interns its own strings. */
static void
library_fini(void)
{
    if (&_PyLibrary != NULL) {
        memset(_PyLibrary.interned, 0, _PyLibrary.interned_size);
    }
}
