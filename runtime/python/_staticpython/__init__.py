"""What a static CPython needs to know about itself.

Each module serves one hook in the standard library (see patches/cpython*) and is imported only
when that hook is reached, so that nothing of this package is loaded at start-up. `facts` is rendered by
the build; its stub, facts.pyi, says what it holds.
"""
