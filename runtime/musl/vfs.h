/* Hooks of the calls that take a path: see vfs.c. */
#ifndef _VFS_H
#define _VFS_H

#include <sys/types.h>
#include <fcntl.h>
#include <errno.h>
#include <dirent.h>
#include "payload.h"
#include "syscall.h"

struct stat;
struct statx;
struct statfs;
struct timespec;

/* Null in a program without a payload: the one check that such a program pays for. */
extern hidden const struct payload_head *__vfs;

/* Does a path begin with the program's own? The second byte is mostly enough to tell that it does not. */
extern hidden char __vfs_program[];
hidden int __vfs_is_below(const char *);

static inline int vfs_is_below(const char *path)
{
	return __vfs && path && path[0] == '/' && path[1] == __vfs_program[1] && __vfs_is_below(path);
}

/* Each of these is called with asked=0 before the kernel is asked, for a path that begins with the program's; and with
 * asked=1 after the kernel answered ENOTDIR, to recognise other names of such a path. It answers as a system call does.
 * For a path that is not its own the answer is VFS_NOT, and ENOTDIR the second time. */
#define VFS_NOT (-0x10000)

hidden void __vfs_init(const size_t *);
hidden int __vfs_open(int, const char *, int, int);
hidden int __vfs_stat(int, const char *, struct stat *, int, int);
hidden int __vfs_statx(int, const char *, struct statx *, int, int);
hidden int __vfs_statfs(const char *, struct statfs *, int);
hidden int __vfs_access(int, const char *, int, int, int);
hidden int __vfs_readlink(int, const char *, char *, size_t, int);
hidden int __vfs_xattr(const char *, int, int);

/* Correct what the kernel said about a descriptor that may be one of ours. */
hidden void __vfs_fix_stat(struct stat *);
hidden void __vfs_fix_statx(struct statx *);
hidden void __vfs_fix_statfs(int, struct statfs *);

/* Folders are read without a descriptor: by the number from __vfs_folder, or from __vfs_fd_folder. */
hidden int __vfs_folder(const char *, int);
hidden int __vfs_fd_folder(int);
hidden int __vfs_list(int, off_t *, void *, size_t);
hidden int __vfs_getdents(int, void *, size_t);
hidden int __vfs_open_number(int, int);

/* Called only after the kernel answered ENOTDIR. */
hidden int __vfs_exec(const char *, char *const *, char *const *);
hidden int __vfs_fexec(int, char *const *, char *const *);
hidden int __vfs_refuse(int, int, const char *);
hidden int __vfs_refuse_two(int, int, const char *, int, const char *);
hidden int __vfs_is_ours(int);

/* For files that the kernel has, without hooks: 0, a result or a negative error number. */
hidden int __kernel_fstatat(int, const char *restrict, struct stat *restrict, int);
hidden int __kernel_utimensat(int, const char *, const struct timespec *, int);

/* For the loader, to open a library: a descriptor of the program, and the library's offset in it. */
hidden int __vfs_library(const char *, off_t *, struct stat *, int);

/* The change that a call would make to files. */
enum {
	VFS_MKDIR, VFS_MAKE, VFS_UNLINK, VFS_RMDIR, VFS_CHANGE, VFS_LCHANGE, VFS_TRUNCATE,
	VFS_RENAME, VFS_LINK, VFS_LINK_FOLLOW
};

/* The result of a call that changes files, from the kernel's result. */
static inline long vfs_refuse(long r, int what, int fd, const char *path)
{
	return r == -ENOTDIR && __vfs ? __vfs_refuse(what, fd, path) : r;
}

static inline long vfs_refuse_two(long r, int what, int fd1, const char *old, int fd2, const char *new)
{
	return r == -ENOTDIR && __vfs ? __vfs_refuse_two(what, fd1, old, fd2, new) : r;
}

/* open(2), not a cancellation point; returns a descriptor or a negative error number. */
static inline int vfs_sys_open(const char *path, int flags, mode_t mode)
{
	int fd = vfs_is_below(path) ? __vfs_open(AT_FDCWD, path, flags, 0) : VFS_NOT;
	if (fd == VFS_NOT) {
		fd = __sys_open(path, flags, mode);
		if (fd == -ENOTDIR && __vfs) fd = __vfs_open(AT_FDCWD, path, flags, 1);
	}
	return fd;
}

#endif
