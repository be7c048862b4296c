/* An extension module with code.c and its own list of modules (library_modules.h): reader.code(i, filename). */
#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include "pycore_interp.h"
#include "pycore_pystate.h"
#include "pycore_unicodeobject.h"

/* The interpreter does not export this. */
#define _PyUnicode_FromASCII(text, size) PyUnicode_DecodeASCII(text, size, "strict")
/* Instead of the interpreter's. */
#define _PyLibrary library_of_the_test
#include "library_modules.h"
#include "code.c"

static PyObject *
code(PyObject *Py_UNUSED(module), PyObject *args)
{
    int i;
    PyObject *filename;
    if (!PyArg_ParseTuple(args, "iU", &i, &filename)) {
        return NULL;
    }
    const struct _library_module *module = &_PyLibrary.modules[i];
    struct _library_code from = {&_PyLibrary, _PyLibrary.objects + module->objects, module->count};
    return read_module_code(PyInterpreterState_Get(), from, filename);
}

static PyMethodDef methods[] = {{"code", code, METH_VARARGS, NULL}, {0}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "reader", NULL, 0, methods};

PyMODINIT_FUNC
PyInit_reader(void)
{
    return PyModule_Create(&definition);
}
