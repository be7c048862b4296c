/* Reads the code of modules, in the form that freeze.py writes: a list of
 * objects, which refer to earlier ones by their position. The last one is
 * the code. Numbers are LEB128. A part of library.c.
 *
 * The result is the same as marshal's, without work that is done already:
 * nothing is validated, a string is interned once for all modules, counters
 * in the bytecode are set, and tuples are not tracked for garbage collection
 * (none of their items can be part of a cycle).
 */

#include "pycore_code.h"
#include "pycore_frame.h"
#if PY_VERSION_HEX >= 0x030e0000
#include "pycore_interpframe.h"     // FRAME_SPECIALS_SIZE
#endif
#include "pycore_opcode_metadata.h"

struct library_reader {
    const unsigned char *at;
    const struct _library *library;
    PyInterpreterState *interp;
    PyObject *filename;
    PyObject **objects;
};

static PyObject *
library_is_damaged(void)
{
    PyErr_SetString(PyExc_ImportError, "the code of modules in the executable is damaged");
    return NULL;
}

static size_t
read_number(struct library_reader *r)
{
    size_t number = *r->at & 0x7f;
    for (int shift = 7; *r->at++ & 0x80; shift += 7) {
        number |= (size_t)(*r->at & 0x7f) << shift;
    }
    return number;
}

static PyObject *
read_ref(struct library_reader *r)
{
    return Py_NewRef(r->objects[read_number(r)]);
}

static PyObject *
read_string(struct library_reader *r)
{
    const struct _library *library = r->library;
    size_t place = read_number(r);
    if (place >= library->strings_count) {
        return library_is_damaged();
    }
    /* Another interpreter may have its own dict of interned strings. */
    PyObject **interned = _Py_IsMainInterpreter(r->interp)
        ? &library->interned[place] : NULL;
    if (interned != NULL && *interned != NULL) {
        return Py_NewRef(*interned);
    }
    uint32_t entry = library->strings[place];
    size_t start = LIBRARY_START(entry);
    size_t end = LIBRARY_START(library->strings[place + 1]);
    if (end < start || end > library->text_size) {
        return library_is_damaged();
    }
    const char *text = library->text + start;
    Py_ssize_t size = end - start;
    PyObject *string = (entry & LIBRARY_NOT_ASCII)
        ? PyUnicode_DecodeUTF8(text, size, "surrogatepass")
        : _PyUnicode_FromASCII(text, size);
    if (string != NULL && (entry & LIBRARY_INTERNED)) {
        _PyUnicode_InternImmortal(r->interp, &string);
        if (interned != NULL) {
            *interned = string;
        }
    }
    return string;
}

static PyObject *
read_tuple(struct library_reader *r)
{
    size_t size = read_number(r);
    if (size == 0) {
        return PyTuple_New(0);
    }
    PyTupleObject *tuple = PyObject_GC_NewVar(PyTupleObject, &PyTuple_Type, size);
    if (tuple == NULL) {
        return NULL;
    }
#if PY_VERSION_HEX >= 0x030e0000
    tuple->ob_hash = -1;            /* not yet known */
#endif
    for (size_t i = 0; i < size; i++) {
        tuple->ob_item[i] = read_ref(r);
    }
    return (PyObject *)tuple;
}

static PyObject *
read_bytes(struct library_reader *r)
{
    size_t size = read_number(r);
    r->at += size;
    return PyBytes_FromStringAndSize((const char *)r->at - size, size);
}

static PyObject *
read_integer(struct library_reader *r)
{
    char *end;
    PyObject *integer = PyLong_FromString((const char *)r->at, &end, 16);
    r->at = (const unsigned char *)end + 1;
    return integer;
}

static double
read_double(struct library_reader *r)
{
    r->at += 8;
    return PyFloat_Unpack8((const char *)r->at - 8, 1);
}

/* Does what init_code() in codeobject.c does. */
static PyObject *
read_code(struct library_reader *r)
{
    size_t units = read_number(r);
    PyCodeObject *co = PyObject_NewVar(PyCodeObject, &PyCode_Type, units);
    if (co == NULL) {
        return NULL;
    }
    co->co_argcount = (int)read_number(r);
    co->co_posonlyargcount = (int)read_number(r);
    co->co_kwonlyargcount = (int)read_number(r);
    co->co_stacksize = (int)read_number(r);
    co->co_flags = (int)read_number(r);
    co->co_consts = read_ref(r);
    co->co_names = read_ref(r);
    co->co_localsplusnames = read_ref(r);
    co->co_localspluskinds = read_ref(r);
    co->co_name = read_ref(r);
    co->co_qualname = read_ref(r);
    co->co_firstlineno = (int)read_number(r);
    co->co_linetable = read_ref(r);
    co->co_exceptiontable = read_ref(r);
    co->co_filename = Py_NewRef(r->filename);
    memcpy(_PyCode_CODE(co), r->at, units * sizeof(_Py_CODEUNIT));
    r->at += units * sizeof(_Py_CODEUNIT);

    co->co_nlocalsplus = (int)PyTuple_GET_SIZE(co->co_localsplusnames);
    co->co_framesize = co->co_nlocalsplus + co->co_stacksize + FRAME_SPECIALS_SIZE;
    co->co_nlocals = co->co_ncellvars = co->co_nfreevars = 0;
    for (int i = 0; i < co->co_nlocalsplus; i++) {
        _PyLocals_Kind kind = _PyLocals_GetKind(co->co_localspluskinds, i);
        co->co_nlocals += (kind & CO_FAST_LOCAL) != 0;
        co->co_ncellvars += (kind & CO_FAST_CELL) != 0;
        co->co_nfreevars += (kind & CO_FAST_FREE) != 0;
    }
    co->co_version = r->interp->func_state.next_version;
    if (co->co_version != 0) {
        r->interp->func_state.next_version++;
    }
    co->_co_firsttraceable = 0;
    while (_PyCode_CODE(co)[co->_co_firsttraceable].op.code != RESUME) {
        co->_co_firsttraceable++;
    }
    co->_co_monitoring = NULL;
    co->_co_instrumentation_version = 0;
    co->co_weakreflist = NULL;
    co->co_extra = NULL;
    co->_co_cached = NULL;
    co->co_executors = NULL;
    return (PyObject *)co;
}

static PyObject *
read_library_object(struct library_reader *r)
{
    switch (*r->at++) {
    case 'u':
        return read_string(r);
    case 't':
        return read_tuple(r);
    case 'b':
        return read_bytes(r);
    case 'o':
        return read_code(r);
    case 'n':
        return PyLong_FromLong((long)read_number(r));
    case 'i':
        return read_integer(r);
    case 'f':
        return PyFloat_FromDouble(read_double(r));
    case 'c': {
        Py_complex c;
        c.real = read_double(r);
        c.imag = read_double(r);
        return PyComplex_FromCComplex(c);
    }
    case 's':
        return PyFrozenSet_New(r->objects[read_number(r)]);
    case ':': {
        PyObject *start = r->objects[read_number(r)];
        PyObject *stop = r->objects[read_number(r)];
        return PySlice_New(start, stop, r->objects[read_number(r)]);
    }
    }
    Py_UNREACHABLE();
}

/* Returns a new reference to the code of a module, with that file name. */
static PyObject *
read_module_code(PyInterpreterState *interp,
                 struct _library_code from, PyObject *filename)
{
    PyObject **objects = PyMem_New(PyObject *, from.count);
    if (objects == NULL) {
        return PyErr_NoMemory();
    }
    struct library_reader reader = {
        from.objects, from.library, interp, Py_NewRef(filename), objects
    };
    _PyUnicode_InternMortal(interp, &reader.filename);
    objects[0] = Py_None;
    objects[1] = Py_False;
    objects[2] = Py_True;
    objects[3] = Py_Ellipsis;
    size_t count = 4;
    while (count < from.count && (objects[count] = read_library_object(&reader)) != NULL) {
        count++;
    }
    PyObject *code = count == from.count ? Py_NewRef(objects[count - 1]) : NULL;
    while (count > 4) {
        Py_DECREF(objects[--count]);
    }
    Py_DECREF(reader.filename);
    PyMem_Free(objects);
    return code;
}
