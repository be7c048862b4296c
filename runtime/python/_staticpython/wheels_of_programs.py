"""Have pip take, of a release with programs, the wheel whose programs start on this system.

On a system with glibc and without musl, the programs of a musllinux wheel do not start, unless they are linked
statically. A wheel's tags do not say whether it holds programs or a library for ctypes, which must be for musl. So pip
is offered both wheels of such a release, first the one for musl, and looks into it before it decides. If a program in
it cannot start, and it holds no library, pip discards it, as it does with faulty metadata, and goes on to the next: the
one for glibc.

Hashes, indexes and options hold for both, since pip itself does all this. If pip has changed too much, nothing happens.
"""

import re

from _staticpython.facts import WHEEL_ARCH
from _staticpython.musllinux import loads_glibc, manylinux_tags
from _staticpython.programs import HAS_PROGRAMS, cannot_start, for_glibc_only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The addresses of wheels for musl beside which there is one for glibc, which is offered after it.
_with_other: "set[str]" = set()


class Offered:
    """A target of pip's, with more tags: those of programs that this system starts, after the ones for musl."""

    def __init__(self, target: "Any", version: str) -> None:
        self._target, self._version = target, version

    def __getattr__(self, name: str) -> "Any":
        return getattr(self._target, name)

    def get_sorted_tags(self) -> "list[Any]":
        """The tags, the best first."""
        tags = list(self._target.get_sorted_tags())
        at = next((n for n, tag in enumerate(tags) if tag.platform == "any"), len(tags))
        return tags[:at] + self._more(tags) + tags[at:]

    def get_unsorted_tags(self) -> "set[Any]":
        """The tags."""
        return set(self.get_sorted_tags())

    def _more(self, tags: "list[Any]") -> "list[Any]":
        return (
            [type(tags[0])("py3", "none", name) for name in manylinux_tags(WHEEL_ARCH, self._version)] if tags else []
        )


def c_library(candidate: "Any") -> str:
    """Name the C library of a wheel without an extension module: musl, or glibc only. Zig's wheel has tags of both."""
    platforms = candidate.link.filename.rpartition("-")[2]
    if not HAS_PROGRAMS.search(candidate.link.filename):
        return ""
    return "musl" if "musllinux_" in platforms else "glibc" if "manylinux" in platforms else ""


def with_partners(candidates: "list[Any]") -> "list[Any]":
    """Leave out wheels for glibc of releases that have none for musl: a library in them would not load."""
    libraries = [(c, c_library(c)) for c in candidates]
    musl = {c.version: c.link.url for c, library in libraries if library == "musl"}
    glibc = {c.version for c, library in libraries if library == "glibc"}
    _with_other.update(url for version, url in musl.items() if version in glibc)
    return [c for c, library in libraries if c.version in musl or library != "glibc"]


def has_libraries(wheel: str) -> bool:
    """Does a wheel hold shared libraries for this process? Those in NAME.libs are what auditwheel adds for others."""
    import zipfile

    with zipfile.ZipFile(wheel) as files:
        return any(re.match(r"(?![^/]*\.libs/).*\.so(\.\d+)*$", name) for name in files.namelist())


def patch_finder(module: "Any") -> None:
    """Have PackageFinder offer both kinds of wheel, where it chooses for this interpreter on this system."""
    finder: Any = getattr(module, "PackageFinder", None)
    version = None if loads_glibc() else for_glibc_only()
    if version is None or not hasattr(finder, "make_link_evaluator") or not hasattr(finder, "make_candidate_evaluator"):
        return
    offered = "{}.{}".format(*version)
    make_link_evaluator, make_candidate_evaluator = finder.make_link_evaluator, finder.make_candidate_evaluator

    def with_offer(self: "Any", make: "Any", *arguments: "Any", **named: "Any") -> "Any":
        own = getattr(self, "_target_python", None)
        if not hasattr(own, "get_unsorted_tags") or getattr(own, "platforms", None):
            return make(self, *arguments, **named)
        self._target_python = Offered(own, offered)
        try:
            return make(self, *arguments, **named)
        finally:
            self._target_python = own

    def links(self: "Any", *arguments: "Any", **named: "Any") -> "Any":
        return with_offer(self, make_link_evaluator, *arguments, **named)

    def candidates(self: "Any", *arguments: "Any", **named: "Any") -> "Any":
        evaluator = with_offer(self, make_candidate_evaluator, *arguments, **named)
        applicable = evaluator.get_applicable_candidates
        evaluator.get_applicable_candidates = lambda found: with_partners(applicable(found))
        return evaluator

    finder.make_link_evaluator, finder.make_candidate_evaluator = links, candidates


def patch_preparer(module: "Any") -> None:
    """Have RequirementPreparer look into the wheels beside which there is another."""
    preparer: Any = getattr(module, "RequirementPreparer", None)
    fault: Any = getattr(module, "MetadataInconsistent", None)
    original = getattr(preparer, "prepare_linked_requirement", None)
    fully = getattr(preparer, "_prepare_linked_requirement", None)
    if fault is None or original is None or fully is None:
        return

    class DoesNotStart(fault):  # type: ignore[misc]
        """pip catches its base class, discards the wheel and goes on."""

        def __init__(self, program: str, interpreter: str) -> None:
            self.program, self.interpreter = program, interpreter

        def __str__(self) -> str:
            program = self.program.rpartition("/")[2]
            return f"its program {program} cannot start on this system, which does not have its {self.interpreter}"

    def prepare_linked_requirement(self: "Any", req: "Any", parallel_builds: bool = False) -> "Any":
        """Get what is at the requirement's link; of these wheels all, since their metadata does not say enough."""
        if getattr(req.link, "url", None) not in _with_other:
            return original(self, req, parallel_builds)
        distribution = fully(self, req, parallel_builds)
        found = cannot_start(req.local_file_path)
        if found and not has_libraries(req.local_file_path):
            raise DoesNotStart(*found)
        return distribution

    preparer.prepare_linked_requirement = prepare_linked_requirement
