/* Start-up makes 5000 objects and keeps them; a part of Python/gc.c.
 *
 * Before the program's first line, no collection runs, and all objects made so far are put into a list of their own. It
 * is a part of the oldest generation: everything that looks at that generation (a collection, gc.get_objects(),
 * gc.get_referrers(), gc.freeze(), PyUnstable_GC_VisitObjects()) finds them there. Only the collections at exit may
 * skip the list, and only if the program cannot tell: its objects have no finalizer and no weak reference callback
 * (except the library's own registries'), gc has no callback and no debug flag, and no start-up object holds one of
 * the program's objects that is left at the end. */

static struct {
    PyGC_Head objects;
    /* The collections at exit skip them. */
    int are_kept;
} start_up;

/* Start-up keeps what it makes: no collection by count until its end. */
void
_PyGC_BeginOfStartUp(PyInterpreterState *interp)
{
    if (_Py_IsMainInterpreter(interp)) {
        start_up.are_kept = 0;
        gc_list_init(&start_up.objects);
        interp->gc.generations[0].count = INT_MIN / 2;
    }
}

void
_PyGC_EndOfStartUp(PyInterpreterState *interp)
{
    if (!_Py_IsMainInterpreter(interp)) {
        return;
    }
    GCState *gcstate = &interp->gc;
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        gc_list_merge(GEN_HEAD(gcstate, i), &start_up.objects);
        gcstate->generations[i].count = 0;
    }
}

void
_PyGC_ThawStartUp(PyInterpreterState *interp)
{
    if (_Py_IsMainInterpreter(interp)) {
        start_up.are_kept = 0;
        gc_list_merge(&start_up.objects, GEN_HEAD(&interp->gc, NUM_GENERATIONS - 1));
    }
}

static void
start_up_is_collected(PyInterpreterState *interp)
{
    if (!start_up.are_kept) {
        _PyGC_ThawStartUp(interp);
    }
}

static int
is_named(PyFunctionObject *function, const char *module, const char *name)
{
    return function->func_module != NULL && PyUnicode_Check(function->func_module)
           && PyUnicode_EqualToUTF8(function->func_module, module)
           && PyUnicode_EqualToUTF8(function->func_name, name);
}

/* Weak reference callbacks by which the library's registries forget dead objects. No program can see these: those of
   abstract base classes (only _abc's callbacks are bound to a weak reference), thread-local data, weak collections and
   logging's list of handlers. */
static int
is_of_registry(PyObject *callback)
{
    if (PyCFunction_Check(callback)) {
        PyObject *self = PyCFunction_GET_SELF(callback);
        const char *name = ((PyCFunctionObject *)callback)->m_ml->ml_name;
        return self != NULL
               && (PyWeakref_Check(self)
                   || (PyTuple_CheckExact(self) && strcmp(name, "clear_locals") == 0));
    }
    if (PyFunction_Check(callback)) {
        PyFunctionObject *function = (PyFunctionObject *)callback;
        return is_named(function, "_weakrefset", "_remove")
               || is_named(function, "weakref", "remove")
               || is_named(function, "logging", "_removeHandlerRef");
    }
    return 0;
}

static int
has_finalizer(PyTypeObject *type)
{
    return type->tp_finalize != NULL || type->tp_del != NULL;
}

/* Can the program see when it is collected? A class answers for its instances if the collector does not track
   them. */
static int
is_observed(PyObject *op)
{
    if (has_finalizer(Py_TYPE(op))) {
        return 1;
    }
    if (PyType_Check(op)) {
        PyTypeObject *type = (PyTypeObject *)op;
        return !PyType_IS_GC(type) && has_finalizer(type);
    }
    PyObject *callback = PyWeakref_Check(op) ? ((PyWeakReference *)op)->wr_callback : NULL;
    return callback != NULL && !is_of_registry(callback);
}

/* The three collections at exit skip the objects from start-up if none of the program's objects, which they may
   keep alive, is observed. */
void
_PyGC_BeginOfEnd(PyInterpreterState *interp)
{
    GCState *gcstate = &interp->gc;
    if (!_Py_IsMainInterpreter(interp) || gcstate->debug || PyList_GET_SIZE(gcstate->callbacks) > 0
        || PyList_GET_SIZE(gcstate->garbage) > 0)
    {
        return;
    }
    for (int i = 0; i < NUM_GENERATIONS; i++) {
        PyGC_Head *list = GEN_HEAD(gcstate, i);
        for (PyGC_Head *gc = GC_NEXT(list); gc != list; gc = GC_NEXT(gc)) {
            if (is_observed(FROM_GC(gc))) {
                return;
            }
        }
    }
    start_up.are_kept = 1;
}

/* A weak reference keeps nothing alive, and a module of Python code has been cleared (encodings holds its aliases, and
   the codecs hold encodings). */
static int
is_left(PyObject *op, void *Py_UNUSED(arg))
{
    return _PyObject_IS_GC(op) && gc_is_collecting(AS_GC(op)) && !PyWeakref_Check(op)
           && !(PyModule_CheckExact(op) && _PyModule_GetDef(op) == NULL);
}

/* Does an object from start-up hold one of the objects of a list? */
static int
start_up_holds(PyGC_Head *list)
{
    for (PyGC_Head *gc = GC_NEXT(list); gc != list; gc = GC_NEXT(gc)) {
        gc->_gc_prev |= PREV_MASK_COLLECTING;
    }
    int holds = 0;
    for (PyGC_Head *gc = GC_NEXT(&start_up.objects); gc != &start_up.objects && !holds; gc = GC_NEXT(gc)) {
        PyObject *op = FROM_GC(gc);
        holds = Py_TYPE(op)->tp_traverse(op, is_left, NULL);
    }
    gc_list_clear_collecting(list);
    return holds;
}

/* Objects from start-up may hold those of the program that are left. */
void
_PyGC_CollectLast(PyThreadState *tstate)
{
    PyGC_Head *left = GEN_HEAD(&tstate->interp->gc, NUM_GENERATIONS - 1);
    _PyGC_CollectNoFail(tstate);
    if (_Py_IsMainInterpreter(tstate->interp) && start_up.are_kept && !gc_list_is_empty(left)
        && start_up_holds(left))
    {
        _PyGC_ThawStartUp(tstate->interp);
        _PyGC_CollectNoFail(tstate);
    }
}
