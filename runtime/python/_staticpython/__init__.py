"""What a static CPython needs to know about itself.

Each module serves one hook in the standard library (see patches/cpython*) and is imported only when
that hook is reached, so nothing of this package is loaded at start-up. The build renders `facts`; its stub,
facts.pyi, describes the contents.
"""
