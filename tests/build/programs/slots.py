"""Makes random classes twice, with their methods, and getting them later one by one: their slots must be equal.

`slots.py SEED`. Setting an attribute of a class uses CPython's own code for slots, which our patch 0012 does not
change.
"""

import itertools
import random
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any


def method(name: str) -> Callable[..., object]:
    """Return a method that answers with its name."""

    def called(_self: object, *args: object) -> object:
        return name, len(args)

    called.__name__ = name
    return called


def item(_self: object, key: object) -> str:
    """Return an item; there are three."""
    if key == 3:
        raise IndexError
    return "item"


BINARY = [f"__{p}{n}__" for n in ("add", "sub", "mul", "matmul", "and", "lshift", "floordiv") for p in ("", "r", "i")]
UNARY = "pos", "neg", "invert", "call", "get", "await", "aiter"
OTHERS = "eq", "lt", "ge", "setitem", "delitem", "contains", "getattr", *UNARY
METHODS: dict[str, Any] = {name: method(name) for name in (*BINARY, *(f"__{name}__" for name in OTHERS))} | {
    "__getitem__": item,
    "__hash__": lambda _self: 5,
    "__len__": lambda _self: 3,
    "__bool__": lambda _self: False,
    "__int__": lambda _self: 7,
    "__repr__": lambda _self: "r",
    "__str__": lambda _self: "s",
    "__index__": lambda _self: 9,
    "__float__": lambda _self: 1.5,
    "__iter__": lambda _self: iter("xy"),
    "__next__": lambda _self: 4,
    "__buffer__": lambda _self, _flags: memoryview(b"b"),
    "__set__": lambda _self, _obj, _value: None,
}
QUESTIONS = """
x + o; o + x; x - o; x * o; o * x; x @ o; o @ x; x & o; o << x; x << o; x // o; x == o; x < o; x > o; x >= o;
x[1]; x[1:2]; 1 in x; x(); x(1); x.none; +x; -x; ~x; hash(x) == 5; len(x); bool(x); int(x); float(x); repr(x); str(x);
next(x); list(itertools.islice(iter(x), 3)); bytes(memoryview(x)); x.__index__();
type('T', (), {'a': x})().a; type('T', (), {'a': x}).a
"""
EXPRESSIONS = [question.strip() for question in QUESTIONS.split(";")]
STATEMENTS = "x += o", "x -= o", "x *= o", "x @= o", "x <<= o", "x[1] = 2", "del x[1]"
BASES = object, int, str, list, dict, tuple, float, bytes, set


def answer(x: object, do: Callable[[], object]) -> object:
    """Return the result, in a form that does not depend on addresses."""
    try:
        result = do()
    except Exception as error:
        return type(error).__name__
    if result is x or type(result) not in (tuple, int, str, float, bool, bytes):
        return result is x, type(result).__name__
    return re.sub(" at 0x[0-9a-f]+", "", result) if isinstance(result, str) else result


def answers(x: object, other: object) -> Iterator[object]:
    """Use every slot of x."""
    names = {"x": x, "o": other, "itertools": itertools}

    def in_place(statement: str) -> object:
        exec(statement, changed := dict(names))
        return changed["x"]

    for expression in EXPRESSIONS:
        yield answer(x, lambda e=expression: eval(e, dict(names)))  # type: ignore[misc]
    for statement in STATEMENTS:
        yield answer(x, lambda s=statement: in_place(s))  # type: ignore[misc]


def random_body() -> dict[str, Any]:
    """Return methods, a few of them odd."""
    body = {name: METHODS[name] for name in random.sample(sorted(METHODS), random.choice((0, 1, 3, 8)))}
    if random.random() < 0.2:
        body["__hash__"] = None
    if random.random() < 0.1:
        body[random.choice(BINARY)] = property(lambda _self: lambda *_args: 42)
    return body


def given_later(bases: tuple[type, ...], body: dict[str, Any]) -> type:
    """Make a class that gets its methods in a random order, except those that a class statement itself changes."""
    made = type("C", bases, {"__hash__": body["__hash__"]} if "__hash__" in body else {})
    for name in random.sample(list(body), len(body)):
        setattr(made, name, body[name])
    if "__eq__" in body and "__hash__" not in body:
        made.__hash__ = None  # type: ignore[assignment]
    return made


def main(seed: str) -> None:
    """Compare 400 families of classes."""
    random.seed(int(seed))
    for turn in range(400):
        pairs: list[tuple[type, type]] = []
        for _ in range(random.randrange(1, 5)):
            body = random_body()
            if pairs:
                kept = sorted(
                    random.sample(range(len(pairs)), random.randrange(1, min(3, len(pairs) + 1))), reverse=True
                )
                bases = [tuple(pairs[i][side] for i in kept) for side in (0, 1)]
            else:
                bases = [(random.choice(BASES),)] * 2
            try:
                first = type("C", bases[0], dict(body))
            except TypeError:
                continue  # these bases have no consistent order
            pairs.append((first, given_later(bases[1], body)))
        for first, second in pairs:
            one, other = list(answers(first(), first())), list(answers(second(), second()))
            differ = [(q, a, b) for q, a, b in zip([*EXPRESSIONS, *STATEMENTS], one, other, strict=True) if a != b]
            assert not differ, (turn, differ, first.__mro__, dict(vars(first)))


main(*sys.argv[1:])
