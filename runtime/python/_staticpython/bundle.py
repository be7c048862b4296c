"""`python3 -m _staticpython bundle`: an application, what it needs and this Python in one executable file."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import sysconfig
from pathlib import Path

from _staticpython import inputs
from _staticpython.cache import Cache, default_folder
from _staticpython.contents import Bundler, identity_of_code
from _staticpython.options import read_options
from _staticpython.payload import PayloadError, Program
from _staticpython.starts import parse_command, parse_entry, what_runs


def output_file(text: str) -> Path:
    """The file to write, through links as other tools do; refuse what is no regular file."""
    path = Path(os.path.realpath(text))
    if not text or text.endswith("/") or path.is_dir():
        raise PayloadError(f"{text or repr(text)}: a folder; -o says which file to write")
    if path.exists() and not path.is_file():
        raise PayloadError(f"{text}: not a regular file")
    if not path.parent.is_dir():
        raise PayloadError(f"{text}: no such folder: {path.parent}")
    return path


def _wanted(options: argparse.Namespace, output: Path) -> inputs.Inputs:
    """What is to be bundled; raises PayloadError for what can be known to be wrong before anything is installed."""
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
    wanted = inputs.Inputs.of(options.inputs, options.requirements)
    ways = [options.console_script, options.module, options.entry, wanted.script]
    if sum(x is not None for x in ways) > 1:
        raise PayloadError("say one thing to run: a script, -c NAME, -m MODULE or -e MODULE:FUNCTION")
    if all(x is None for x in ways) and not wanted.is_installed and not options.command:
        raise PayloadError("say what to run: a script, -c NAME, -m MODULE or -e MODULE:FUNCTION")
    if options.entry is not None:
        parse_entry(options.entry)
    if wanted.script and output.exists() and output.samefile(wanted.script):
        raise PayloadError(f"{options.output}: -o names the script itself")
    if options.report and (options.report.is_dir() or not options.report.parent.is_dir()):
        raise PayloadError(f"{options.report}: no such folder, or a folder itself: --report says which file to write")
    return wanted


def _report(file: Path, output: Path, bundler: Bundler, config: list[tuple[str, str]]) -> None:
    data = output.read_bytes()
    report = {
        "output": output.name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "python": sys.version.split()[0],
        "target": bundler.target.triple,
        "runs": [f"{key}={value}" for key, value in config],
        "packages": [{"name": d.metadata["Name"], "version": d.version} for d in inputs.distributions(bundler.folders)],
        "sizes": dict(sorted(bundler.sizes.items())),
    }
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


class _Terminated(BaseException):
    """SIGTERM came: what was begun is cleaned up, and pip ended, as after Ctrl-C."""


def _terminate(*_: object) -> None:
    raise _Terminated


def _cache(options: argparse.Namespace, own: inputs.Target) -> Cache:
    folder = default_folder() if options.cache is None else Path(options.cache) if options.cache else None
    return Cache(folder / identity_of_code(Program(own.program).build_id) if folder else None)


def _bundle(options: argparse.Namespace, pip_options: list[str]) -> tuple[Path, list[tuple[str, str]]]:
    """Write the executable, and the report; return where it is, and its configuration."""
    output = output_file(options.output)
    inputs.check_pip_options(pip_options)
    wanted = _wanted(options, output)
    own = inputs.Target(Path(sysconfig.get_config_var("installed_base") or sys.base_prefix))
    target = inputs.Target.find(own.tree, options.arch, options.interpreter)
    cache = _cache(options, own)
    with inputs.temporary() as temporary:
        pip = inputs.Installer(target, own, Path(temporary), pip_options, cache)
        folders = [*options.site_packages, *pip.install(wanted)]
        bundler = Bundler(target, cache, options.exclude)
        for folder in folders:
            bundler.add_packages(folder)
        for text in options.add:
            bundler.add_data(*inputs.data(text))
        config = what_runs(options, bundler, wanted.script, output)
        bundler.write(output, config)
        if options.report:
            _report(options.report, output, bundler, config)
    return output, config


def _said(config: list[tuple[str, str]]) -> str:
    """What a bundle runs, in few words."""
    known = dict(config)
    commands = ", ".join(key.partition(" ")[2] for key in known if key.startswith("command "))
    default = known.get("entry") or known.get("module") or known.get("script")
    return f"{default}; {commands}" if default and commands else default or commands


def main(arguments: list[str]) -> int:
    """Bundle; return the exit code."""
    pip_options: list[str] = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, pip_options = arguments[:at], arguments[at + 1 :]
    signal.signal(signal.SIGTERM, _terminate)
    try:
        options = read_options(arguments)
        output, config = _bundle(options, pip_options)
    except (PayloadError, OSError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, _Terminated) as stop:
        print("bundle: interrupted; nothing was written", file=sys.stderr)
        return 128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT)
    print(f"{options.output}: {output.stat().st_size / 1e6:.1f} MB, runs {_said(config)}")
    return 0
