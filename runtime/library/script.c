/* Runs a carried script from its code: nothing is opened or compiled. All else
 * is as in _PyRun_SimpleFile(). A part of Python/pythonrun.c.
 */

#include "pycore_library.h"

/* Is the code of this script carried? */
int
_PyRun_IsCarried(const wchar_t *filename)
{
    PyObject *path = PyUnicode_FromWideChar(filename, -1);
    int found = path != NULL && _PyImport_IsCarriedScript(path);
    Py_XDECREF(path);
    PyErr_Clear();
    return found;
}

static PyObject *
run_script(PyObject *code, PyObject *filename, PyObject *dict)
{
    if (PyDict_SetItemString(dict, "__file__", filename) < 0
        || PyDict_SetItemString(dict, "__cached__", Py_None) < 0
        || set_main_loader(dict, filename, "SourceFileLoader") < 0
        || PySys_Audit("exec", "O", code) < 0)
    {
        return NULL;
    }
    PyObject *result = run_eval_code_obj(_PyThreadState_GET(), (PyCodeObject *)code, dict, dict);
    flush_io();
    return result;
}

/* None, or NULL with an exception. */
PyObject *
_PyRun_Carried(PyObject *filename)
{
    PyObject *result = NULL;
    PyObject *code = _PyImport_CarriedScript(filename);
    PyObject *main_module = code != NULL ? PyImport_AddModuleRef("__main__") : NULL;
    if (main_module != NULL) {
        PyObject *dict = PyModule_GetDict(main_module);
        result = run_script(code, filename, dict);
        if (PyDict_PopString(dict, "__file__", NULL) < 0
            || PyDict_PopString(dict, "__cached__", NULL) < 0)
        {
            Py_CLEAR(result);
        }
    }
    Py_XDECREF(main_module);
    Py_XDECREF(code);
    return result;
}
