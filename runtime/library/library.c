/* Two functions of _imp: the code of modules of the standard library, out of
 * the executable. To import such a module takes no look into its folder and
 * reads no file; otherwise all is as if it had come out of its .pyc: found
 * where its folder is in sys.path, with the same loader, file name and
 * attributes (patches/cpython-3.13/0014). A part of Python/import.c.
 *
 * A .pyc of this tree is not compared with its source either.
 */

#include "pycore_library.h"

static int
compare_with_module(const void *name, const void *module)
{
    return strcmp(name, ((const struct _library_module *)module)->name);
}

/* Nothing where another library, other code or the files themselves are
   asked for: PYTHONHOME, -O, -X frozen_modules=off,
   --check-hash-based-pycs always. */
static const struct _library_module *
find_in_library(PyObject *fullname)
{
    const PyConfig *config = _Py_GetConfig();
    if (&_PyLibrary == NULL || !use_frozen() || config->home != NULL
        || config->optimization_level > 0
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

PyDoc_STRVAR(library_code_doc,
"library_code(fullname, path) -> code with that file name");

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
    PyObject *code = PyMarshal_ReadObjectFromString(found->code, found->size);
    if (code != NULL) {
        update_compiled_module((PyCodeObject *)code, path);
    }
    return code;
}
