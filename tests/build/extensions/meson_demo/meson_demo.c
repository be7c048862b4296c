#include <Python.h>

static PyObject *answer(PyObject *self, PyObject *ignored)
{
	(void)self;
	(void)ignored;
	return PyLong_FromLong(42);
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, "The answer."}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "meson_demo", .m_methods = methods};

PyMODINIT_FUNC PyInit_meson_demo(void)
{
	return PyModule_Create(&module);
}
