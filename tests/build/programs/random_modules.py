"""Write modules of random constants and functions, and their names into modules.txt.

`random_modules.py SEED FOLDER COUNT`
"""

import random
import sys
from pathlib import Path

LETTERS = "abc_xyz", "ab \n\0?\\\"'", "a\xe9\xff", "\u20ac\ud800\udfff", "\U0001f600b"
INTEGERS = 0, 1, 127, 128, 255, 16383, 16384, (1 << 28) - 1, 1 << 28, 1 << 31, 1 << 64
SIZES = 0, 1, 2, 20, 127, 128, 260


def real() -> str:
    """Return a float; 1e400 is infinite."""
    some = repr(random.random() * 10.0 ** random.randrange(-300, 300))
    return random.choice(("0.0", "-0.0", "1e400", "-1e400", "1e-320", some))


def constant(depth: int) -> str:
    """Return the source of a constant; depth: how deep tuples and sets may be nested."""
    kind = random.randrange(12 if depth else 9)
    if kind == 0:
        return repr(random.choice(INTEGERS))
    if kind == 1:
        return repr(random.getrandbits(random.choice((7, 30, 31, 60, 64, 300, 5000))) * random.choice((1, -1)))
    if kind == 2:
        return real()
    if kind == 3:
        return f"({real()} + {random.random()}j)"
    if kind == 4:
        return repr(random.choice((None, True, False, ...)))
    if kind < 7:
        return ascii("".join(random.choices(random.choice(LETTERS), k=random.choice(SIZES))))
    if kind < 9:
        return repr(random.randbytes(random.choice(SIZES)))
    items = ", ".join(constant(depth - 1) for _ in range(random.choice((0, 1, 3, 130))))
    if not items:
        return "()"
    return f"({items},)" if kind < 11 else f"(x in {{{items}}})"


def statement(kind: str, depth: int) -> list[str]:
    """Return a statement's lines, not indented, for a function or class."""
    choice = random.randrange(8)
    if choice == 0 and depth < 4:
        return function(depth + 1)
    if choice == 1:
        errors = [f"try: x = {constant(2)}", f"except (KeyError, ValueError) as e: y = {constant(1)}"]
        return [*errors, "finally: z = x = 3"]
    if choice == 2:
        closure = "lambda q: q + x" if kind != "class" else "i"
        return [f"v = [({closure}) for i in range(9) if i not in {{1, 2, 'three'}}]"]
    if choice == 3:
        return [f"for i in {constant(1)}, x:", "    if i: continue", "    while i: break"]
    if choice == 4:
        return [f"w = f'{{x!r:>{{i}}}} {random.randrange(99)} {{v}}'"]
    if choice == 5:
        return [*[""] * random.randrange(300), f"u = {constant(2)}"]
    if choice == 6:
        return ["; ".join(f"n{i} = {i}" for i in range(random.choice((3, 300))))]
    return [f"x = {constant(3)}"]


def function(depth: int) -> list[str]:
    """Return the lines of a function or class, which may have others in it."""
    name = "f" + random.choice(("", "_x", "\xe9")) + str(random.randrange(9))
    defaults = ", ".join(f"a{i}={constant(1)}" for i in range(random.randrange(4)))
    arguments = defaults or random.choice(("", "p, /", "*, k=5", "*rest", "**more"))
    kind = random.choice(("def", "def", "async def", "class"))
    body = [line for _ in range(random.randrange(1, 6)) for line in statement(kind, depth)]
    return [f"class {name}:" if kind == "class" else f"{kind} {name}({arguments}):", *("    " + line for line in body)]


def main(seed: str, folder: str, count: str) -> None:
    """Write the modules."""
    random.seed(int(seed))
    names = [f"m{i:03}" for i in range(int(count))]
    for name in names:
        lines = [f"x = {constant(3)}" for _ in range(random.randrange(9))]
        for _ in range(random.randrange(6)):
            lines += function(0)
        Path(folder, f"{name}.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path(folder, "modules.txt").write_text("\n".join(names) + "\n")


main(*sys.argv[1:])
