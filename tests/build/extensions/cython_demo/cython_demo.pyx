from libc.math cimport sqrt


def norm(values):
    """The Euclidean norm: a C function of the C library in the interpreter."""
    cdef double total = 0
    for value in values:
        total += value * value
    return sqrt(total)
