"""`python3 -m _staticpython bundle`: an application, what it needs and this Python in one executable file."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _staticpython import inputs
from _staticpython.cache import Cache, default_folder
from _staticpython.contents import Bundler, Choice, identity_of_code
from _staticpython.options import read_options
from _staticpython.parts import (
    LICENCES,
    SBOM,
    Part,
    check_licences,
    cyclonedx,
    interpreter_parts,
    licence_texts,
    package_parts,
)
from _staticpython.payload import PayloadError, Program
from _staticpython.starts import parse_command, parse_entry, what_runs
from _staticpython.traces import Trace


def output_file(text: str) -> Path:
    """The file to write; links are followed, as in other tools. Refuse anything but a regular file."""
    path = Path(os.path.realpath(text))
    if not text or text.endswith("/") or path.is_dir():
        raise PayloadError(f"{text or repr(text)}: a folder; -o says which file to write")
    if path.exists() and not path.is_file():
        raise PayloadError(f"{text}: not a regular file")
    if not path.parent.is_dir():
        raise PayloadError(f"{text}: no such folder: {path.parent}")
    return path


def _wanted(options: argparse.Namespace, outputs: list[Path]) -> inputs.Inputs:
    """What to bundle; raises PayloadError for mistakes that can be found before anything is installed."""
    for folder in options.site_packages:
        if not folder.is_dir():
            raise PayloadError(f"{folder}: {'not a folder' if folder.exists() else 'no such folder'}")
        if (folder / "pyvenv.cfg").is_file():
            raise PayloadError(
                f"{folder}: a virtual environment: name its folder lib/python{inputs.SERIES}/site-packages"
            )
    for text in options.add:
        inputs.data(text)
    for text in options.command:
        parse_command(text)
    if options.only_traced and not options.trace:
        raise PayloadError("--only-traced: say by --trace FILE what a run of it imported")
    Trace.read(options.trace)
    wanted = inputs.Inputs.of(options.inputs, options.requirements)
    ways = [options.console_script, options.module, options.entry, wanted.script, options.python or None]
    if sum(x is not None for x in ways) > 1:
        raise PayloadError("say one thing to run: a script, -c NAME, -m MODULE, -e MODULE:FUNCTION or --python")
    if options.python and (options.command or options.args):
        raise PayloadError("--python: a Python runs what it is told to: --command and --args are an application's")
    if all(x is None for x in ways) and not wanted.is_installed and not options.command:
        raise PayloadError("say what to run: a script, -c NAME, -m MODULE or -e MODULE:FUNCTION")
    script = wanted.script
    if script and any(output.exists() and output.samefile(script) for output in outputs):
        raise PayloadError(f"{options.output}: -o names the script itself")
    if options.entry is not None:
        parse_entry(options.entry)
    return wanted


@dataclass(frozen=True)
class _Files:
    """The files to write for one CPU."""

    output: Path
    report: Path | None
    sbom: Path | None
    licences: Path | None

    @classmethod
    def of(cls, options: argparse.Namespace, arch: str, *, several: bool) -> _Files:
        """The files that the options name; raises PayloadError if one cannot be written."""

        def named(option: str, text: str) -> str:
            if several and "{arch}" not in text:
                raise PayloadError(f"{option} {text}: write {{arch}} where the CPU's name is to be: there are several")
            return text.replace("{arch}", arch)

        def other(option: str, text: str | None) -> Path | None:
            path = None if text is None else Path(named(option, text))
            if path and (path.is_dir() or not path.parent.is_dir()):
                raise PayloadError(f"{text}: no such folder, or a folder itself: {option} says which file to write")
            return path

        return cls(
            output_file(named("-o", options.output)),
            other("--report", options.report),
            other("--sbom", options.sbom),
            other("--licences", options.licences),
        )


def _report(output: Path, bundler: Bundler, config: list[tuple[str, str]], made_of: list[Part]) -> str:
    data = output.read_bytes()
    report = {
        "output": output.name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "python": sys.version.split()[0],
        "target": bundler.target.triple,
        "runs": [f"{key}={value}" for key, value in config],
        "packages": [
            {"name": part.name, "version": part.version, "licence": part.licence}
            for part in made_of
            if part.purl.startswith("pkg:pypi/")
        ],
        "sizes": dict(sorted(bundler.sizes.items())),
    }
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


class _Terminated(BaseException):
    """SIGTERM came: unfinished files are removed, and pip is ended, as after Ctrl-C."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _cache(options: argparse.Namespace, own: inputs.Target) -> Cache:
    folder = default_folder() if options.cache is None else Path(options.cache) if options.cache else None
    return Cache(folder / identity_of_code(Program(own.program).build_id) if folder else None)


def _made_of(options: argparse.Namespace, bundler: Bundler, hashes: dict[str, str]) -> list[Part]:
    """The parts of a bundle, if no licence is refused; the interpreter's only if its tree lists them."""
    made_of = list(package_parts(inputs.distributions(bundler.folders), hashes))
    asked = options.sbom or options.licences or options.fail_on
    if asked or (bundler.target.tree / "manifest.json").is_file():
        made_of += interpreter_parts(bundler.target.tree)
    check_licences(made_of, options.fail_on)
    return made_of


@dataclass(frozen=True)
class _Made:
    name: str
    size: int
    config: list[tuple[str, str]]
    sizes: dict[str, int]


def _bundle(options: argparse.Namespace, pip_options: list[str]) -> Iterator[_Made]:
    """Write an executable and its reports for each CPU; mistakes that can be found before are reported first."""
    inputs.check_pip_options(pip_options)
    own = inputs.Target(Path(sysconfig.get_config_var("installed_base") or sys.base_prefix))
    targets = inputs.Target.find(own.tree, options.arch, options.interpreter)
    files = [_Files.of(options, target.arch, several=len(targets) > 1) for target in targets]
    if len({f.output for f in files}) < len(files):
        raise PayloadError("two of the trees are for one CPU: name one of them")
    wanted = _wanted(options, [f.output for f in files])
    cache = _cache(options, own)
    for target, file in zip(targets, files, strict=True):
        with inputs.temporary() as temporary:
            pip = inputs.Installer(target, own, Path(temporary), pip_options, cache)
            yield _bundle_for(options, pip, wanted, file)


def _bundle_for(options: argparse.Namespace, pip: inputs.Installer, wanted: inputs.Inputs, files: _Files) -> _Made:
    folders = [*options.site_packages, *pip.install(wanted)]
    choice = Choice(
        exclude=options.exclude,
        compress=options.compress,
        whole=options.python,
        sources=not options.no_sources,
        trace=Trace.read(options.trace),
        only_traced=options.only_traced,
        extract=options.extract,
    )
    bundler = Bundler(pip.target, pip.cache, choice)
    for folder in folders:
        bundler.add_packages(folder)
    for text in options.add:
        bundler.add_data(*inputs.data(text))
    if options.record:
        bundler.add_hook(f"import _staticpython.recorder as r; r.start({os.path.abspath(options.record)!r})")
    config = what_runs(options, bundler, wanted.script)
    made_of = _made_of(options, bundler, pip.hashes)
    told = {SBOM: cyclonedx(_said(config), made_of), LICENCES: licence_texts(made_of)}
    for place, text in told.items():
        bundler.add_text(place, text)
    bundler.finish(config)
    if options.dry_run:
        size = bundler.payload.measure(pip.target.program)
    else:
        bundler.payload.write(pip.target.program, files.output)
        size = files.output.stat().st_size
        for path, text in ((files.sbom, told[SBOM]), (files.licences, told[LICENCES])):
            if path:
                path.write_text(text, encoding="utf-8", errors="surrogateescape")
        if files.report:
            files.report.write_text(_report(files.output, bundler, config, made_of), encoding="utf-8")
    return _Made(options.output.replace("{arch}", pip.target.arch), size, config, bundler.sizes)


def _said(config: list[tuple[str, str]]) -> str:
    """What a bundle runs, briefly."""
    known = dict(config)
    commands = ", ".join(key.partition(" ")[2] for key in known if key.startswith("command "))
    default = known.get("entry") or known.get("module") or known.get("script")
    return f"{default}; {commands}" if default and commands else default or commands or "a Python"


def _say(made: _Made, *, is_written: bool) -> None:
    print(f"{made.name}: {'' if is_written else 'would be '}{made.size / 1e6:.1f} MB, runs {_said(made.config)}")
    if not is_written:
        for name, size in sorted(made.sizes.items(), key=lambda item: (-item[1], item[0])):
            print(f"{size / 1e6:9.3f} MB {name}")


def main(arguments: list[str]) -> int:
    """Bundle; return the exit code."""
    pip_options: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, pip_options = arguments[:at], arguments[at + 1 :]
    signal.signal(signal.SIGTERM, _terminate)
    try:
        options = read_options(arguments)
        for made in _bundle(options, pip_options):
            _say(made, is_written=not options.dry_run)
    except (PayloadError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, _Terminated) as stop:
        print("bundle: interrupted; nothing was written", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)
    return 0
