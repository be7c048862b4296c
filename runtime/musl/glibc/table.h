/* What libraries built for glibc look up under a NAME that musl has not, or means otherwise, stands here as
 * __glibc_NAME (ldso/dynlink.c finds it so, see src/ldso/glibc.h). What musl has under another name stands in
 * aliases.h. Layouts are those of glibc's headers on LP64; each difference is told where it is bridged. */
#ifndef GLIBC_TABLE_H
#define GLIBC_TABLE_H

#define G(name) __glibc_##name

/* Another name of the same, where musl has that name and means its own. */
#define G_SAME(name, of) extern __typeof(G(of)) G(name) __attribute__((__alias__("__glibc_" #of)))

#endif
