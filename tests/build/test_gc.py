"""The garbage collector: the same answers, finalizers and callbacks as in stock CPython.

`test_random_programs` compares with Debian's CPython of the same series.
GC_SEED repeats a run, GC_PROGRAMS says how many programs.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.build.conftest import BuiltTarget, clean_environment

HEAD = """
import os, codecs, abc, io, site, sys, gc, weakref, collections.abc, _sitebuiltins, threading, logging
hosts = [os._Environ, codecs.Codec, codecs.StreamRecoder, abc.ABC, io.IOBase.__class__, _sitebuiltins.Quitter,
         collections.abc.Mapping, os.PathLike, os, codecs, abc, site, os.walk]
hosts = [h for h in hosts if hasattr(h, "__dict__") and not isinstance(h, type(os.fspath))]
def say(*words, write=os.write):
    write(1, (" ".join(map(str, words)) + "\\n").encode())
class F:
    def __init__(self, name): self.name = name
    def __del__(self, say=say): say("del", self.name)
class Slots:
    __slots__ = ("name",)
    def __init__(self, name): self.name = name
    def __del__(self, say=say): say("del", self.name)
def Bare(name):  # an instance that is in no list of the collector; without such a class no program has one
    return type("Bare", (), {"__slots__": (), "__del__": lambda self, say=say: say("del", name)})()
class Meta(type):
    def __del__(self, say=say): say("del class")
def classes(name): return Meta(name, (), {})
class Plain:
    def __init__(self, name): self.name = name
def generator(name, say=say):
    try: yield
    finally: say("finally", name)
kept = []
base = len(gc.get_objects())
"""


def random_program(rng: random.Random) -> str:
    """A program of statements whose answers a change in the collector could affect."""
    lines = [HEAD]
    for n in range(rng.randint(4, 14)):
        kind = rng.choice(["F", "F", "Slots", "Bare", "classes", "Plain", "Plain", "gen"])
        make = f"generator('g{n}')" if kind == "gen" else f"{kind}('o{n}')"
        lines.append(f"x = {make}" + ("; next(x)" if kind == "gen" else ""))
        lines += rng.choice(
            [
                [f"setattr(hosts[{rng.randrange(99)} % len(hosts)], 'a{n}', x)"],
                ["x.me = x" if kind in ("F", "Plain") else "kept.append(x)"],
                [f"kept.append(weakref.ref(x if hasattr(x, '__weakref__') else F, lambda r, say=say: say('ref {n}')))"],
                [f"h = hosts[{rng.randrange(7)}]; h.r{n} = weakref.ref(h, lambda r, say=say: say('host {n}'))"],
                [f"s = weakref.WeakSet(); s.add(Plain); setattr(hosts[{rng.randrange(99)} % len(hosts)], 's{n}', s)"],
                [f"s = weakref.WeakValueDictionary(k=hosts[{rng.randrange(7)}]); kept.append(s)"],
                [f"hosts[{rng.randrange(7)}].local{n} = s = threading.local(); s.x = x"],
                [
                    f"h = hosts[{rng.randrange(7)}]; m = Plain(1).__init__; "
                    f"h.m{n} = weakref.WeakMethod(m, lambda r, say=say: say('ref m'))"
                ],
                [f"h = logging.Handler(); h.x = x; setattr(hosts[{rng.randrange(99)} % len(hosts)], 'h{n}', h)"],
                ["say('collected', gc.collect() >= 0)"],
                ["gc.freeze(); say('frozen', len(gc.get_objects()) < 50, gc.get_freeze_count() > 3000)"],
                ["gc.unfreeze(); say('thawed', gc.get_freeze_count(), len(gc.get_objects()) > 3000)"],
                ["kept.append(x); say('found', sum(o is x for o in gc.get_objects()), len(gc.get_referrers(x)) > 0)"],
                ["say('sum', sum(len(gc.get_objects(i)) for i in range(3)) == len(gc.get_objects()))"],
                ["say('os', any(o is os.__dict__ for o in gc.get_objects()), os in gc.get_referrers(os.walk))"],
                ["say('counts', min(gc.get_count()) >= 0, gc.get_threshold(), gc.isenabled())"],
                ["say('stats', [sorted(s) for s in gc.get_stats()])"],
                ["n = gc.get_stats()[2]['collections']; gc.collect(); say(gc.get_stats()[2]['collections'] - n)"],
                [f"gc.callbacks.append(lambda phase, info, say=say: say('callback {n}', phase, info['generation']))"],
                ["gc.disable()"],
                ["gc.enable()"],
                [
                    f"del codecs.{rng.choice(['StreamRecoder', 'EncodedFile', 'iterencode'])}"
                    if rng.random() < 0.3
                    else "pass"
                ],
                ["os._Environ.__del__ = lambda self, say=say: say('environ')"],
                ["del x"],
            ]
        )
    lines.append("x = h = n = s = m = None")
    if rng.random() < 0.3:
        lines.append("import atexit; atexit.register(lambda say=say: say('exit', gc.collect() >= 0))")
    lines[1:] = ["try:\n    " + "\n    ".join([line]) + "\nexcept AttributeError as e: say(e)" for line in lines[1:]]
    return "\n".join(lines)


def outcome(command: list[str], program: Path) -> str:
    done = subprocess.run(
        [*command, "-s", str(program)], capture_output=True, text=True, env=clean_environment(), timeout=120
    )
    # A collection finalizes objects in the order of its lists, so these lines are compared as a set.
    words = ("del ", "ref ", "host ", "finally ", "environ")
    groups: list[list[str]] = [[]]
    for line in done.stdout.splitlines():
        if not line.startswith(words):
            groups.append([line])
            groups.append([])
        else:
            groups[-1].append(line)
    return f"{done.returncode} {[sorted(g) for g in groups]} {done.stderr[-300:]}"


def test_random_programs(target: BuiltTarget, cpython_on_glibc: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("GC_SEED", random.randrange(2**32)))
    print(f"GC_SEED={seed}")
    for number in range(int(os.environ.get("GC_PROGRAMS", "60"))):
        text = random_program(random.Random(f"{seed} {number}"))
        program = tmp_path / "program.py"
        program.write_text(text)
        ours, theirs = outcome([str(target.binary)], program), outcome([str(cpython_on_glibc)], program)
        assert ours == theirs, f"GC_SEED={seed}, program {number}:\n{text[len(HEAD) :]}"


def test_nothing_is_frozen_at_start(target: BuiltTarget) -> None:
    code = "import gc; n = gc.get_freeze_count(); a = len(gc.get_objects()); gc.freeze(); "
    assert target.run("-c", code + "print(n, a > 3000, len(gc.get_objects()) < 50)") == "0 True True"


@pytest.mark.parametrize("collect", ["", "gc.collect()"])
def test_finalizers_of_what_hangs_on_start_up(target: BuiltTarget, collect: str) -> None:
    code = f"""if 1:
        import codecs, gc, os
        class F:
            def __del__(self, write=os.write): write(1, b"x")
        os._Environ.f = F(); codecs.Codec.f = F(); os.PathLike.f = F(); F.f = F()
        {collect}
    """
    assert target.run("-c", code) == "xxxx"


def test_a_finalizer_given_to_a_class_of_start_up(target: BuiltTarget) -> None:
    assert target.run("-c", "import os; os._Environ.__del__ = lambda s, w=os.write: w(1, b'x')") == "xx"


@pytest.mark.parametrize("place", ["sitecustomize.py", "demo.pth"])
def test_collect_while_site_runs(target: BuiltTarget, tmp_path: Path, place: str) -> None:
    """An explicit collection there is a real one, and its garbage does not pile up."""
    tree = Path(shutil.copytree(target.tree, tmp_path / "tree", symlinks=True))
    lines = [
        "import gc, os, weakref",
        "class C: pass",
        "c = C(); c.me = c; r = weakref.ref(c); del c",
        "n = gc.collect()",
        "os.said = n > 0 and r() is None and min(gc.get_count()) >= 0 and gc.get_stats()[2]['collections'] == 1",
    ]
    program = "\n".join(lines)
    text = f"import os; exec({program!r})\n" if place.endswith(".pth") else program
    (tree / f"lib/python{target.plan.series}/site-packages" / place).write_text(text)
    python = tree / target.plan.program
    assert target.run("-c", "import os; print(os.said)", python=python) == "True"


def test_cycles_do_not_pile_up_while_site_runs(target: BuiltTarget, tmp_path: Path) -> None:
    code = """if 1:
        import gc, weakref, os
        class C: pass
        refs = []
        for i in range(20000):
            c = C(); c.me = c; refs.append(weakref.ref(c))
        os.alive = sum(r() is not None for r in refs)
    """
    (tmp_path / "sitecustomize.py").write_text(code)
    environment = clean_environment(PYTHONPATH=str(tmp_path))
    assert target.run("-c", "import os; print(os.alive < 5000)", env=environment) == "True"
