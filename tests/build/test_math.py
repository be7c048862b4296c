"""Functions of math.h outside the range in which they have a value (patches/musl/0039)."""

from __future__ import annotations

from tests.build.conftest import BuiltTarget

# Each function, with numbers for which it has no real value: it raises ValueError.
OUTSIDE = r"""
import ctypes, math, random
random.seed(SEED)
def below(limit): return lambda: limit - 10.0 ** random.uniform(-12, 300)
def beyond(limit): return lambda: random.choice((1, -1)) * (limit + 10.0 ** random.uniform(-12, 300))
ranges = {"acosh": below(1), "acos": beyond(1), "asin": beyond(1), "atanh": beyond(1), "log": below(0),
          "log2": below(0), "log10": below(0), "log1p": below(-1), "sqrt": below(0)}
for name, number in ranges.items():
    c = getattr(ctypes.CDLL(None), name)
    c.restype, c.argtypes = ctypes.c_double, [ctypes.c_double]
    for x in [number() for _ in range(3000)]:
        if x in (0, 1, -1):
            continue
        assert math.isnan(c(x)), (name, x, c(x))
        try:
            raise SystemExit(f"{name}({x}) is {getattr(math, name)(x)}")
        except ValueError:
            pass
x = [1 + 10.0 ** random.uniform(-9, 300) for _ in range(3000)]
assert all(math.isclose(math.cosh(math.acosh(v)), v, rel_tol=1e-9) for v in x if v < 1e100)
"""


def test_no_value_outside(target: BuiltTarget, seed: int) -> None:
    assert target.run("-c", f"SEED = {seed}\n{OUTSIDE}") == ""
