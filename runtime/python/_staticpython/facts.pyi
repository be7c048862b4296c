"""The constants that the build renders into facts.py."""

MUSL_VERSION: str
"""Version of the C library in the executable: "1.2.6"."""

TRIPLE: str
"""The interpreter's triple, which prefixes the compiler scripts in bin/: "x86_64-linux-musl"."""

WHEEL_ARCH: str
"""The machine as wheel tags and uname spell it: x86_64, i686, aarch64, riscv64."""

ZIG_TARGET: str
"""What `zig cc -target` calls the triple: "x86-linux-musl" for i386-linux-musl."""

ELF_MACHINE: int
"""e_machine of elf(5) of the executable and of what it loads: 62 for x86_64."""

GLIBC_LOADER: str
"""glibc's dynamic linker on this machine, where the system has glibc: "/lib64/ld-linux-x86-64.so.2"."""

GLIBC_VERSION: str
"""The highest glibc in the tags of wheels that load where STATICPYTHON_GLIBC is 1: "2.28"; empty where none load."""

TIME: int
"""The time of the tree's files as built, in seconds since 1970; where pip or `cp -r` wrote them they have another."""
