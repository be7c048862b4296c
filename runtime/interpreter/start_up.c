/* Start-up makes 5000 objects and keeps them; a part of Python/gc.c.
 *
 * There is no collection before the program's first line can run, and what was made by then is in a list of its own. It
 * is a part of the oldest generation: whoever looks at that (a collection, gc.get_objects(), gc.get_referrers(),
 * gc.freeze(), PyUnstable_GC_VisitObjects()) finds it there. Only the collections of the process's end may leave it out,
 * and only if nothing that the program made can tell: it has no finalizer, no callback of a weak reference (but those of
 * the library's own registries) or of gc, no debug flag, and what is left of it in the end does not hang on what start-up
 * made. */

static struct {
    PyGC_Head objects;
    /* The collections of the process's end leave them out. */
    int are_kept;
} start_up;

/* What start-up makes, it keeps: no collection by count until its end. */
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

/* Callbacks of weak references by which registries of the library forget what is gone, which nobody sees: those of
   abstract base classes (_abc's are bound to a weak reference, as no other function is), thread-local data, weak
   collections and logging's list of handlers. */
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

/* Would somebody see when it is collected? A class answers for its instances where these are in no list of the
   collector. */
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

/* The three collections of the process's end need not look at what start-up made when nothing that the program made can
   tell: it may hang on that. */
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

/* A weak reference keeps nothing alive, and a module of Python code was emptied (encodings holds its aliases, and the
   codecs hold encodings). */
static int
is_left(PyObject *op, void *Py_UNUSED(arg))
{
    return _PyObject_IS_GC(op) && gc_is_collecting(AS_GC(op)) && !PyWeakref_Check(op)
           && !(PyModule_CheckExact(op) && _PyModule_GetDef(op) == NULL);
}

/* Does something that start-up made hold one of the objects of a list? */
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

/* What is left of the program's objects may hang on what start-up made. */
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
