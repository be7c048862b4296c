/* For libraries built for glibc: if musl lacks a NAME, or has another meaning for it, it is defined here as
 * __glibc_NAME (ldso/dynlink.c finds it, see src/ldso/glibc.h). Names that musl has under another name are in
 * aliases.h. Layouts are those of glibc's headers on LP64; each difference is noted where it is bridged. */
#ifndef GLIBC_TABLE_H
#define GLIBC_TABLE_H

#define G(name) __glibc_##name

/* Another name for it, if musl has a different thing under that name. */
#define G_SAME(name, of) extern __typeof(G(of)) G(name) __attribute__((__alias__("__glibc_" #of)))

#endif
