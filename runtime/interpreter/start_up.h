/* Objects from start-up, set aside: see start_up.c. In the main interpreter only. */

#ifndef Py_INTERNAL_START_UP_H
#define Py_INTERNAL_START_UP_H

#ifdef Py_GIL_DISABLED
#  define _PyGC_BeginOfStartUp(interp) ((void)(interp))
#  define _PyGC_EndOfStartUp(interp) ((void)(interp))
#  define _PyGC_ThawStartUp(interp) ((void)(interp))
#  define _PyGC_BeginOfEnd(interp) ((void)(interp))
#  define _PyGC_CollectLast(tstate) _PyGC_CollectNoFail(tstate)
#else
/* The collector is ready, and no object was made yet. */
extern void _PyGC_BeginOfStartUp(PyInterpreterState *interp);
/* No code of the program has run yet. */
extern void _PyGC_EndOfStartUp(PyInterpreterState *interp);
/* Something looks at the oldest generation: the objects set aside join it. */
extern void _PyGC_ThawStartUp(PyInterpreterState *interp);
/* The process ends, and all its modules are still there. */
extern void _PyGC_BeginOfEnd(PyInterpreterState *interp);
/* The last collection, when all modules are gone. */
extern void _PyGC_CollectLast(PyThreadState *tstate);
#endif

#endif
