"""`python3 -m _staticpython`: answers questions of builds, and makes one executable from an application."""

import sys

from _staticpython.facts import TRIPLE

TOOLS = ("cc", "c++", "ar")
USAGE = f"""\
usage: python3 -m _staticpython {{{",".join(TOOLS)}}}
       python3 -m _staticpython bundle --help

Print the command that compiles (cc, c++) or archives (ar) for this interpreter, for build systems that
read it from the environment:

    CC="$(python3 -m _staticpython cc)" CXX="$(python3 -m _staticpython c++)" cmake ...
"""


def command(tool: str) -> str:
    """Return the command line of `tool`, as sysconfig knows it."""
    import sysconfig

    value = sysconfig.get_config_var({"cc": "CC", "c++": "CXX", "ar": "AR"}[tool])
    return value or f"{sys.base_prefix}/bin/{TRIPLE}-{tool}"


def main(arguments: "list[str]") -> int:
    """Print what is asked for; return the exit code."""
    if arguments[:1] == ["bundle"]:
        from _staticpython import bundle

        return bundle.main(arguments[1:])
    if arguments[:1] == ["carried"]:
        from _staticpython import carried

        return carried.main(arguments[1:])
    if len(arguments) == 1 and arguments[0] in TOOLS:
        print(command(arguments[0]))
        return 0
    help_wanted = arguments in (["-h"], ["--help"])
    print(USAGE, end="", file=sys.stdout if help_wanted else sys.stderr)
    return 0 if help_wanted else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
