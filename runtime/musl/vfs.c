/* The files of the program's payload, below the program's own path.
 *
 * The kernel answers ENOTDIR for /usr/bin/app/lib/x if /usr/bin/app is a file. So nothing that worked before changes if
 * the calls of this C library find a read-only folder there. A path is first compared with the program's own, without a
 * system call. Only after the kernel has answered ENOTDIR, other names of it (relative, through symbolic links, by ..)
 * are looked for: is a part of the path the program, by device and inode?
 *
 * An opened file is a sealed memfd with its content: a real descriptor, so read, lseek, mmap, dup, fork, exec and other
 * libraries need no change. Its modification time says which file it is: the seconds are those of all files of the
 * payload, the nanoseconds are the file's number. So there is no table and no lock, a descriptor is recognised after
 * fork, dup and exec, and all of this is safe in signal handlers, threads and children of vfork.
 *
 * If the kernel has or allows no memfd, files are unlinked ones in /dev/shm or /tmp. If there is no such place, open
 * fails with the error of memfd_create; stat, access, readlink, opendir and the loader need no descriptor.
 *
 * The payload may be damaged: each number is checked where it is used. Nothing here calls a hooked function. */

#define _GNU_SOURCE
#include <elf.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "libc.h"
#include "vfs.h"

#if UINTPTR_MAX > 0xffffffff
typedef Elf64_Phdr Phdr;
#else
typedef Elf32_Phdr Phdr;
#endif

/* The place that the link reserves, and the note; in assembler, so that the compiler assumes no constant content. */
__asm__(
	".pushsection .payload,\"a\",%progbits\n"
	".balign 16\n"
	".hidden __payload\n.globl __payload\n"
	"__payload:\n.zero 128\n"
	".popsection\n"
	".pushsection .note.static-python,\"a\",%note\n"
	".balign 4\n"
	".long 14, 8, 2\n"
	".asciz \"static-python\"\n.zero 2\n"
	".hidden __payload_note\n.globl __payload_note\n"
	"__payload_note:\n.zero 8\n"
	".popsection\n"
);
extern hidden const unsigned char __payload[];
extern hidden const unsigned char __payload_note[];
extern weak hidden const size_t _DYNAMIC[];

const struct payload_head *__vfs;
static const struct payload_entry *entries;
static const char *names;
static off_t payload_offset;	/* in the program's file */
char __vfs_program[PATH_MAX];
static size_t program_len;
static struct stat program_stat;

#define MAX_LINKS 40
#define DEVICE makedev(0x5350, 0)	/* no device of Linux has this number */
#define STATFS_TYPE 0x53505946

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#define MFD_EXEC 16U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

/* Entries */

static const struct payload_entry *entry(uint32_t n)
{
	return n < __vfs->entries ? entries + n : 0;
}

/* The stored bytes of a file, or a link's target. DEFLATE unpacks one byte to 1,032 at most. */
static const char *stored_data_of(const struct payload_entry *e)
{
	uint64_t size = e->packed ? e->packed : e->size;
	if (e->at > __vfs->size || size > __vfs->size - e->at || e->size / 1032 > size) return 0;
	return (const char *)__vfs + e->at;
}

/* The same, if it is not compressed. */
static const char *data_of(const struct payload_entry *e)
{
	return e->packed ? 0 : stored_data_of(e);
}

/* A compressed file, unpacked into its own memory. malloc is not used: open must be safe in signal handlers. */
static char *unpacked(const struct payload_entry *e)
{
	const char *packed = stored_data_of(e);
	if (!packed || e->size > PTRDIFF_MAX) return 0;
	char *data = __mmap(0, e->size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
	if (data == MAP_FAILED) return 0;
	if (!__payload_inflate(data, e->size, packed, e->packed)) return data;
	__munmap(data, e->size);
	return 0;
}

static const char *name_of(const struct payload_entry *e)
{
	if (e->name > __vfs->names_size || e->name_size > __vfs->names_size - e->name) return 0;
	return names + e->name;
}

/* Are this folder's children valid? They come after it, so that no folder is in itself. */
static int has_children(const struct payload_entry *e)
{
	return e->at > e - entries && e->at <= __vfs->entries && e->size <= __vfs->entries - e->at;
}

static int find_child(const struct payload_entry *folder, const char *name, size_t len)
{
	if (!has_children(folder)) return folder->size ? -EIO : -ENOENT;
	uint32_t low = folder->at, high = folder->at + folder->size;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct payload_entry *e = entries + middle;
		const char *s = name_of(e);
		if (!s) return -EIO;
		size_t l = e->name_size;
		int c = memcmp(s, name, l < len ? l : len);
		if (!c && l == len) return middle;
		if (c < 0 || (!c && l < len)) low = middle + 1;
		else high = middle;
	}
	return -ENOENT;
}

/* Paths */

/* FOLLOW and NOFOLLOW: whether to follow the last part, if it is a link; CREATE and CREATE_NEW: the same, but it may be
 * missing, and must not be a folder; PARENT: do not look for the last part. */
enum { FOLLOW, NOFOLLOW, CREATE, CREATE_NEW, PARENT };

/* The part of a path that was looked at last: its kind, whether it is the path's last one, whether a slash follows it,
 * and its entry (or -errno). */
struct last {
	enum { ROOT, DOT, DOTDOT, NAME } kind;
	int final, slash, entry;
};

/* Follows a path from a folder. Returns the number of its entry, or of its parent, or -errno. */
static int walk(uint32_t at, const char *path, int mode, struct last *last)
{
	char buf[PATH_MAX];
	int links = 0, slash = 0;

	*last = (struct last){ .final = 1, .entry = at };
	for (;;) {
		const struct payload_entry *e = entry(at);
		if (!e) return -EIO;
		for (; *path == '/'; path++) slash = 1;
		if (!*path && last->kind == ROOT && (mode == CREATE || mode == CREATE_NEW)) return -EISDIR;
		if (!*path) return slash && e->kind != PAYLOAD_FOLDER ? -ENOTDIR : at;
		if (e->kind != PAYLOAD_FOLDER) return -ENOTDIR;

		const char *end = __strchrnul(path, '/'), *rest = end;
		size_t len = end - path;
		while (*rest == '/') rest++;
		last->slash = slash = *end == '/';
		last->final = !*rest;
		if (len == 1 && path[0] == '.') {
			last->kind = DOT;
			last->entry = at;
		} else if (len == 2 && path[0] == '.' && path[1] == '.') {
			/* .. does not lead out of the payload: it does not for the kernel either. */
			if (!at) return -ENOTDIR;
			last->kind = DOTDOT;
			last->entry = e->parent;
		} else {
			last->kind = NAME;
			last->entry = len > NAME_MAX ? -ENAMETOOLONG : find_child(e, path, len);
		}
		if (!*rest && mode == PARENT) return at;
		if (!*rest && slash && last->kind == NAME && (mode == CREATE || mode == CREATE_NEW)) return -EISDIR;
		if (last->entry < 0) return last->entry;

		const struct payload_entry *found = entry(last->entry);
		if (found && found->kind == PAYLOAD_LINK && (*rest || slash || mode == FOLLOW || mode == CREATE)) {
			const char *target = data_of(found);
			size_t left = strlen(end);
			if (!target) return -EIO;
			if (!found->size) return -ENOENT;
			if (*target == '/') return -ENOTDIR;
			if (++links > MAX_LINKS) return -ELOOP;
			if (found->size + left >= sizeof buf) return -ENAMETOOLONG;
			memmove(buf + found->size, end, left + 1);
			memcpy(buf, target, found->size);
			path = buf;
			slash = 0;
			continue;
		}
		at = last->entry;
		path = end;
	}
}

/* The number of the entry that our memfd stands for, or -1. It has no link, though gVisor counts one. */
static int entry_of(const struct stat *st)
{
	if (st->st_nlink > 1 || st->st_mtim.tv_sec != __vfs->mtime || !S_ISREG(st->st_mode)) return -1;
	uint32_t n = st->st_mtim.tv_nsec - 1;
	const struct payload_entry *e = entry(n);
	if (!e) return -1;
	int is_file = e->kind == PAYLOAD_FILE || e->kind == PAYLOAD_PROGRAM;
	return st->st_size == (is_file ? e->size : 0) ? n : -1;
}

static int entry_of_fd(int fd)
{
	struct stat st;
	return fd >= 0 && !__kernel_fstatat(fd, "", &st, AT_EMPTY_PATH) ? entry_of(&st) : -1;
}

/* The kernel answered ENOTDIR. Walks the path as the kernel does, until it meets the program or a folder of ours.
 * Not inlined: its 8 KiB of stack are too much for a signal handler that opens a path below the program. */
__attribute__((__noinline__))
static int find_by_other_name(int fd, const char *path, int mode, int whole, struct last *last)
{
	char buf[PATH_MAX], link[PATH_MAX];
	size_t start = 0, end, len;
	int links = 0;

	len = strnlen(path, sizeof buf);
	if (len == sizeof buf) return VFS_NOT;
	memcpy(buf, path, len + 1);
	if (*buf != '/') {
		int n = entry_of_fd(fd);
		if (n >= 0) return walk(n, buf, mode, last);
	}
	for (;;) {
		while (buf[start] == '/') start++;
		if (!buf[start]) return VFS_NOT;
		end = __strchrnul(buf + start, '/') - buf;
		char separator = buf[end];
		int is_last = !buf[end + strspn(buf + end, "/")];
		if (is_last && mode == PARENT) return VFS_NOT;

		struct stat st;
		buf[end] = 0;
		int r = __kernel_fstatat(fd, buf, &st, 0);
		if (!r && S_ISDIR(st.st_mode)) {
			buf[end] = separator;
			start = end;
			continue;
		}
		if (!r) {
			int n = entry_of(&st);
			if (program_stat.st_ino && st.st_ino == program_stat.st_ino && st.st_dev == program_stat.st_dev) n = 0;
			buf[end] = separator;
			/* The program itself is a file. */
			if (n < 0 || (!separator && !whole)) return VFS_NOT;
			return walk(n, buf + end, mode, last);
		}
		/* Only if it is a link that leads below a file. */
		if (r != -ENOTDIR || ++links > MAX_LINKS || (is_last && !separator && mode != FOLLOW && mode != CREATE)) return VFS_NOT;
		ssize_t l = __syscall(SYS_readlinkat, fd, buf, link, sizeof link);
		if (l <= 0 || l == sizeof link) return VFS_NOT;
		buf[end] = separator;
		if (*link == '/') start = 0;
		if (start + l + len - end >= sizeof buf) return -ENAMETOOLONG;
		memmove(buf + start + l, buf + end, len - end + 1);
		memcpy(buf + start, link, l);
		len = start + l + len - end;
	}
}

int __vfs_is_below(const char *path)
{
	return !strncmp(path, __vfs_program, program_len) && path[program_len] == '/';
}

/* The number of the entry that a path names; -errno; or VFS_NOT. whole: the program's own path counts as the root. */
static int find_ours(int fd, const char *path, int mode, int whole, int asked, struct last *last)
{
	*last = (struct last){ 0 };
	if (!path) return VFS_NOT;
	if (vfs_is_below(path)) {
		if (strnlen(path, PATH_MAX) == PATH_MAX) return -ENAMETOOLONG;
		return walk(0, path + program_len, mode, last);
	}
	return asked ? find_by_other_name(fd, path, mode, whole, last) : VFS_NOT;
}

/* The same, but the kernel's answer instead of VFS_NOT once it was asked. */
static int find(int fd, const char *path, int mode, int whole, int asked, struct last *last)
{
	int n = find_ours(fd, path, mode, whole, asked, last);
	return asked && n == VFS_NOT ? -ENOTDIR : n;
}

/* The same, if only the entry matters. Of flags, only AT_SYMLINK_NOFOLLOW is used. */
static int find_entry(int fd, const char *path, int flags, int asked)
{
	struct last last;
	return find(fd, path, flags & AT_SYMLINK_NOFOLLOW ? NOFOLLOW : FOLLOW, 0, asked, &last);
}

/* stat and similar */

static void fill_stat(uint32_t n, struct stat *st)
{
	static const mode_t modes[] = { S_IFDIR|0555, S_IFREG|0444, S_IFREG|0555, S_IFLNK|0777 };
	const struct payload_entry *e = entries + n;
	*st = (struct stat){
		.st_dev = DEVICE, .st_ino = n + 1ULL, .st_nlink = 1,
		.st_uid = program_stat.st_uid, .st_gid = program_stat.st_gid,
		.st_mode = modes[e->kind <= PAYLOAD_LINK ? e->kind : PAYLOAD_FILE],
		.st_size = e->kind == PAYLOAD_FOLDER ? 0 : e->size,
		.st_blksize = 4096,
		.st_blocks = e->kind == PAYLOAD_FOLDER ? 0 : e->size / 512 + !!(e->size % 512),
		.st_atim.tv_sec = __vfs->mtime, .st_mtim.tv_sec = __vfs->mtime, .st_ctim.tv_sec = __vfs->mtime,
#if _REDIR_TIME64
		.__st_atim32.tv_sec = __vfs->mtime, .__st_mtim32.tv_sec = __vfs->mtime, .__st_ctim32.tv_sec = __vfs->mtime,
#endif
	};
}

static void fill_statx(uint32_t n, struct statx *stx)
{
	struct stat st;
	fill_stat(n, &st);
	*stx = (struct statx){
		.stx_mask = STATX_BASIC_STATS, .stx_blksize = st.st_blksize,
		.stx_nlink = st.st_nlink, .stx_uid = st.st_uid, .stx_gid = st.st_gid, .stx_mode = st.st_mode,
		.stx_ino = st.st_ino, .stx_size = st.st_size, .stx_blocks = st.st_blocks,
		.stx_atime.tv_sec = st.st_mtime, .stx_ctime.tv_sec = st.st_mtime, .stx_mtime.tv_sec = st.st_mtime,
		.stx_dev_major = major(st.st_dev), .stx_dev_minor = minor(st.st_dev),
	};
}

int __vfs_stat(int fd, const char *path, struct stat *st, int flags, int asked)
{
	int n = find_entry(fd, path, flags, asked);
	if (n < 0) return n;
	fill_stat(n, st);
	return 0;
}

int __vfs_statx(int fd, const char *path, struct statx *stx, int flags, int asked)
{
	int n = find_entry(fd, path, flags, asked);
	if (n < 0) return n;
	fill_statx(n, stx);
	return 0;
}

void __vfs_fix_stat(struct stat *st)
{
	int n = entry_of(st);
	if (n >= 0) fill_stat(n, st);
}

void __vfs_fix_statx(struct statx *stx)
{
	struct stat st = {
		.st_mode = stx->stx_mode, .st_nlink = stx->stx_nlink, .st_size = stx->stx_size,
		.st_mtim.tv_sec = stx->stx_mtime.tv_sec, .st_mtim.tv_nsec = stx->stx_mtime.tv_nsec,
	};
	int n = entry_of(&st);
	if (n >= 0) fill_statx(n, stx);
}

static void fill_statfs(struct statfs *st)
{
	*st = (struct statfs){
		.f_type = STATFS_TYPE, .f_bsize = 4096, .f_frsize = 4096,
		.f_blocks = __vfs->size / 4096 + 1, .f_files = __vfs->entries,
		.f_namelen = NAME_MAX, .f_flags = 0x21, /* ST_VALID, ST_RDONLY */
	};
}

int __vfs_statfs(const char *path, struct statfs *st, int asked)
{
	int n = find_entry(AT_FDCWD, path, 0, asked);
	if (n < 0) return n;
	fill_statfs(st);
	return 0;
}

void __vfs_fix_statfs(int fd, struct statfs *st)
{
	if (entry_of_fd(fd) >= 0) fill_statfs(st);
}

int __vfs_access(int fd, const char *path, int mode, int flags, int asked)
{
	int n = find_entry(fd, path, flags, asked);
	if (n != VFS_NOT && mode & ~(R_OK|W_OK|X_OK)) return -EINVAL;
	if (n < 0) return n;
	if ((mode & X_OK) && entries[n].kind == PAYLOAD_FILE) return -EACCES;
	return mode & W_OK ? -EROFS : 0;
}

int __vfs_readlink(int fd, const char *path, char *buf, size_t size, int asked)
{
	int n = find_entry(fd, path, AT_SYMLINK_NOFOLLOW, asked);
	if (n < 0) return n;
	const struct payload_entry *e = entries + n;
	if (e->kind != PAYLOAD_LINK) return -EINVAL;
	const char *target = data_of(e);
	if (!target) return -EIO;
	if (size > e->size) size = e->size;
	memcpy(buf, target, size);
	return size;
}

int __vfs_xattr(const char *path, int follow, int answer)
{
	int n = find_entry(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, 1);
	return n < 0 ? n : answer;
}

/* Descriptors */

static int new_file(const char *name, int flags)
{
	static const char *const places[] = { "/dev/shm", "/tmp", "/var/tmp" };
	int cloexec = flags & MFD_CLOEXEC ? O_CLOEXEC : 0, exec = flags & MFD_EXEC;
	int fd = __syscall(SYS_memfd_create, name, flags);
	/* Kernels before 6.3 know neither MFD_EXEC nor MFD_NOEXEC_SEAL. */
	if (fd == -EINVAL)
		fd = __syscall(SYS_memfd_create, name, flags & ~(MFD_EXEC|MFD_NOEXEC_SEAL));
	/* A file that is open for writing elsewhere cannot be executed. */
	if (exec || (fd != -ENOSYS && fd != -EPERM && fd != -EACCES)) return fd;
	for (size_t i=0; i<sizeof places / sizeof *places; i++) {
		int other = __sys_open(places[i], O_TMPFILE|O_RDWR|O_EXCL|cloexec, 0600);
		if (other >= 0) return other;
	}
	return fd;
}

/* A descriptor of an entry, with that content if it is a file. program: it will be executed. */
static int new_fd_of(uint32_t n, const char *data, int cloexec, int program)
{
	const struct payload_entry *e = entries + n;
	const char *name = name_of(e);
	char buf[200];
	if (!name || e->kind > PAYLOAD_LINK) return -EIO;
	size_t l = e->name_size < sizeof buf ? e->name_size : sizeof buf - 1;
	memcpy(buf, name, l);
	buf[l] = 0;

	int fd = new_file(buf, MFD_ALLOW_SEALING | (cloexec ? MFD_CLOEXEC : 0) | (program ? MFD_EXEC : MFD_NOEXEC_SEAL));
	if (fd < 0) return fd;
	for (uint64_t done = 0; data && done < e->size; ) {
		size_t part = e->size - done < 1<<30 ? e->size - done : 1<<30;
		long r = __syscall(SYS_pwrite, fd, data + done, part, __SYSCALL_LL_PRW((off_t)done));
		if (r == -EINTR) continue;
		if (r <= 0) {
			__syscall(SYS_close, fd);
			return r ? r : -EIO;
		}
		done += r;
	}
	int r = __kernel_utimensat(fd, 0, ((struct timespec[2]){
		{ .tv_sec = __vfs->mtime, .tv_nsec = n + 1 }, { .tv_sec = __vfs->mtime, .tv_nsec = n + 1 } }), 0);
	/* A file is still useful without its number; a folder is not. */
	if (r && !data) {
		__syscall(SYS_close, fd);
		return r;
	}
	/* Without F_SEAL_WRITE: kernels before 6.7 would refuse a shared mapping. Kernels before 5.1 do not know
	 * F_SEAL_FUTURE_WRITE: there the file can be written, but it is a copy of this descriptor's own. */
	if (__syscall(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL|F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_FUTURE_WRITE) == -EINVAL)
		__syscall(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL|F_SEAL_SHRINK|F_SEAL_GROW);
	return fd;
}

static int new_fd(uint32_t n, int cloexec, int program)
{
	const struct payload_entry *e = entries + n;
	if (e->kind != PAYLOAD_FILE && e->kind != PAYLOAD_PROGRAM) return new_fd_of(n, 0, cloexec, 0);
	if (!e->packed) {
		const char *data = data_of(e);
		return data ? new_fd_of(n, data, cloexec, program) : -EIO;
	}
	char *data = unpacked(e);
	if (!data) return -EIO;
	int fd = new_fd_of(n, data, cloexec, program);
	__munmap(data, e->size);
	return fd;
}

int __vfs_open(int dirfd, const char *path, int flags, int asked)
{
	struct last last;
	int temporary = (flags & O_TMPFILE) == O_TMPFILE;
	int writes = (flags & O_ACCMODE) != O_RDONLY;

	if (flags & O_PATH) {
		flags &= O_PATH|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC;
		temporary = writes = 0;
	}
	int exclusive = (flags & O_CREAT) && (flags & O_EXCL);
	int mode = (flags & O_NOFOLLOW || exclusive ? NOFOLLOW : FOLLOW) + (flags & O_CREAT ? CREATE : 0);
	int n = find(dirfd, path, mode, flags & O_DIRECTORY, asked, &last);
	if (n == VFS_NOT) return n;
	if (temporary) return n < 0 ? n : entries[n].kind != PAYLOAD_FOLDER ? -ENOTDIR : writes ? -EROFS : -EINVAL;
	if (flags & O_CREAT) {
		if (flags & O_DIRECTORY) return -EINVAL;
		if (n == -ENOENT && last.final && last.kind == NAME) return -EROFS;
		if (n >= 0 && exclusive) return -EEXIST;
	}
	if (n < 0) return n;
	const struct payload_entry *e = entries + n;
	if (e->kind == PAYLOAD_LINK && !(flags & O_PATH)) return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
	if (e->kind == PAYLOAD_FOLDER) {
		if (writes || flags & (O_CREAT|O_TRUNC)) return -EISDIR;
	} else {
		if (flags & O_DIRECTORY) return -ENOTDIR;
		if (writes || flags & O_TRUNC) return -EROFS;
	}
	return new_fd(n, flags & O_CLOEXEC, 0);
}

int __vfs_open_number(int n, int flags)
{
	return new_fd(n, flags & O_CLOEXEC, 0);
}

/* Folders */

int __vfs_folder(const char *path, int asked)
{
	struct last last;
	int n = find(AT_FDCWD, path, FOLLOW, 1, asked, &last);
	return n >= 0 && entries[n].kind != PAYLOAD_FOLDER ? -ENOTDIR : n;
}

int __vfs_fd_folder(int fd)
{
	int n = entry_of_fd(fd);
	return n >= 0 && entries[n].kind == PAYLOAD_FOLDER ? n : -ENOTDIR;
}

/* Names from position *at on, as getdents returns them: the folder, its parent, its children. */
int __vfs_list(int n, off_t *at, void *buf, size_t size)
{
	static const unsigned char types[] = { DT_DIR, DT_REG, DT_REG, DT_LNK };
	const struct payload_entry *folder = entries + n;
	uint64_t children = has_children(folder) ? folder->size : 0;
	size_t out = 0;
	if (*at < 0) return -EINVAL;
	while (*at < children + 2) {
		uint32_t number = *at == 0 ? n : *at == 1 ? folder->parent : folder->at + (*at - 2);
		const struct payload_entry *e = entry(number);
		const char *name = *at == 0 ? "." : *at == 1 ? ".." : name_of(e);
		size_t len = *at < 2 ? *at + 1 : e->name_size;
		if (!e || !name) return -EIO;
		size_t record = offsetof(struct dirent, d_name) + len + 1 + 7 & -8UL;
		if (record > size - out) return out ? out : -EINVAL;
		struct dirent *d = (void *)((char *)buf + out);
		d->d_ino = number + 1ULL;
		d->d_off = ++*at;
		d->d_reclen = record;
		d->d_type = types[e->kind <= PAYLOAD_LINK ? e->kind : PAYLOAD_FILE];
		memcpy(d->d_name, name, len);
		d->d_name[len] = 0;
		out += record;
	}
	return out;
}

/* The position is that of the descriptor. */
int __vfs_getdents(int fd, void *buf, size_t size)
{
	int n = __vfs_fd_folder(fd);
	if (n < 0) return n;
	off_t at = __lseek(fd, 0, SEEK_CUR);
	int r = __vfs_list(n, &at, buf, size);
	__lseek(fd, at, SEEK_SET);
	return r;
}

/* Programs */

/* Is it a Python script? The program itself runs these. */
static int is_python_script(const char *s, size_t len)
{
	char line[256], *p = line + 2, *name;
	if (len > sizeof line - 1) len = sizeof line - 1;
	memcpy(line, s, len);
	line[len] = 0;
	line[strcspn(line, "\n")] = 0;
	for (int i=0; i<2; i++) {
		p += strspn(p, " \t");
		size_t l = strcspn(p, " \t");
		char end = p[l];
		p[l] = 0;
		name = strrchr(p, '/');
		name = name ? name + 1 : p;
		if (!strncmp(name, "python", 6)) return 1;
		if (strcmp(name, "env")) return 0;
		if (!end) return 0;
		p += l + 1;
	}
	return 0;
}

/* As the kernel runs a script, but with the program as the interpreter. Its first argument begins with two slashes,
 * which tell the program to be a Python. */
static int exec_script(const char *path, char *const *argv, char *const *envp)
{
	char self[PATH_MAX + 1];
	size_t argc = 0, size;
	while (argv && argv[argc]) argc++;
	/* A child of posix_spawn has a small stack. */
	char *few[256], **args = few;
	if (argc + 3 > sizeof few / sizeof *few) {
		size = (argc + 3) * sizeof *args;
		args = (void *)__mmap(0, size, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
		if (args == MAP_FAILED) return -ENOMEM;
	}
	*self = '/';
	memcpy(self + 1, __vfs_program, program_len + 1);
	args[0] = self;
	args[1] = (char *)path;
	size_t i;
	for (i=1; i<argc; i++) args[i+1] = argv[i];
	args[argc > 1 ? argc + 1 : 2] = 0;
	int r = __syscall(SYS_execve, __vfs_program, args, envp);
	if (r == -ENOENT) r = __syscall(SYS_execve, "/proc/self/exe", args, envp);
	if (args != few) __munmap(args, size);
	return r;
}

static int exec_entry(int n, const char *path, char *const *argv, char *const *envp)
{
	const struct payload_entry *e = entries + n;
	if (e->kind != PAYLOAD_PROGRAM) return -EACCES;
	const char *data = data_of(e);
	if (!data) return -EIO;
	int script = e->size > 2 && data[0] == '#' && data[1] == '!';
	if (script && path && is_python_script(data, e->size)) return exec_script(path, argv, envp);
	/* The interpreter of another script opens it, by /dev/fd. */
	int fd = new_fd(n, !script, 1);
	if (fd < 0) return fd;
	int r = __syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
	if (r == -ENOSYS) {
		char proc[15+3*sizeof(int)];
		__procfdname(proc, fd);
		r = __syscall(SYS_execve, proc, argv, envp);
	}
	__syscall(SYS_close, fd);
	return r;
}

int __vfs_exec(const char *path, char *const *argv, char *const *envp)
{
	int n = find_entry(AT_FDCWD, path, 0, 1);
	return n < 0 ? n : exec_entry(n, path, argv, envp);
}

int __vfs_fexec(int fd, char *const *argv, char *const *envp)
{
	int n = entry_of_fd(fd);
	return n < 0 ? -EACCES : exec_entry(n, 0, argv, envp);
}

/* Changes */

int __vfs_is_ours(int fd)
{
	return entry_of_fd(fd) >= 0;
}

/* In the order in which Linux makes its checks on a file system that is mounted read-only. */
int __vfs_refuse(int what, int fd, const char *path)
{
	static const unsigned char modes[] = {
		[VFS_MKDIR] = PARENT, [VFS_MAKE] = PARENT, [VFS_UNLINK] = PARENT, [VFS_RMDIR] = PARENT,
		[VFS_CHANGE] = FOLLOW, [VFS_LCHANGE] = NOFOLLOW, [VFS_TRUNCATE] = FOLLOW,
	};
	struct last last;
	int n = find(fd, path, modes[what], 0, 1, &last);
	if (n < 0) return n;
	switch (what) {
	case VFS_MKDIR:
	case VFS_MAKE:
		if (last.kind != NAME || last.entry >= 0) return -EEXIST;
		if (last.entry != -ENOENT) return last.entry;
		return last.slash && what == VFS_MAKE ? -ENOENT : -EROFS;
	case VFS_UNLINK:
		return last.kind == NAME ? -EROFS : -EISDIR;
	case VFS_RMDIR:
		return last.kind == DOTDOT ? -ENOTEMPTY : last.kind == DOT ? -EINVAL : last.kind == ROOT ? -EBUSY : -EROFS;
	case VFS_TRUNCATE:
		if (entries[n].kind == PAYLOAD_FOLDER) return -EISDIR;
	}
	return -EROFS;
}

/* How the kernel would find a path that is not ours. */
static int look_elsewhere(int fd, const char *path, int mode, struct last *last)
{
	char buf[PATH_MAX];
	struct stat st;
	size_t l = strnlen(path, sizeof buf), end;
	if (l == sizeof buf) return -ENAMETOOLONG;
	if (!l) return -ENOENT;
	int r = __kernel_fstatat(fd, path, &st, mode == FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
	if (mode != PARENT) return r;
	*last = (struct last){ .kind = NAME, .slash = path[l-1] == '/', .entry = r };
	while (l && path[l-1] == '/') l--;
	end = l;
	while (l && path[l-1] != '/') l--;
	if (end - l == 0 || (end - l == 1 && path[l] == '.')) last->kind = DOT;
	if (end - l == 2 && path[l] == '.' && path[l+1] == '.') last->kind = DOTDOT;
	memcpy(buf, path, l);
	memcpy(buf + l, ".", 2);
	r = __kernel_fstatat(fd, buf, &st, 0);
	return !r && !S_ISDIR(st.st_mode) ? -ENOTDIR : r;
}

/* rename and link: one of the two paths may be elsewhere. */
int __vfs_refuse_two(int what, int fd1, const char *old, int fd2, const char *new)
{
	struct last last1, last2;
	int mode = what == VFS_RENAME ? PARENT : what == VFS_LINK_FOLLOW ? FOLLOW : NOFOLLOW;
	int n1 = find_ours(fd1, old, mode, 0, 1, &last1), n2 = find_ours(fd2, new, PARENT, 0, 1, &last2), r;
	if (n1 == VFS_NOT && n2 == VFS_NOT) return -ENOTDIR;
	r = n1 == VFS_NOT ? look_elsewhere(fd1, old, mode, &last1) : n1;
	if (r < 0) return r;
	r = n2 == VFS_NOT ? look_elsewhere(fd2, new, PARENT, &last2) : n2;
	if (r < 0) return r;
	if (what == VFS_RENAME) {
		if (n1 == VFS_NOT || n2 == VFS_NOT) return -EXDEV;
		return last1.kind != NAME || last2.kind != NAME ? -EBUSY : -EROFS;
	}
	if (last2.kind != NAME || last2.entry >= 0) return -EEXIST;
	if (last2.entry != -ENOENT) return last2.entry;
	if (last2.slash) return -ENOENT;
	return n2 == VFS_NOT ? -EXDEV : -EROFS;
}

/* For the loader */

/* Opens the program's own file, and compares its head, because another file may have replaced it. */
static int open_program(const char *path)
{
	struct payload_head head;
	int fd = __sys_open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
	if (fd < 0) return fd;
	if (__syscall(SYS_pread, fd, &head, sizeof head, __SYSCALL_LL_PRW(payload_offset)) == sizeof head
	    && !memcmp(&head, __payload, sizeof head)) return fd;
	__syscall(SYS_close, fd);
	return -ENOENT;
}

/* Opens a library for mapping: the program's own file, with the library's offset in it. If the program cannot be read,
 * the library is opened as any file. */
int __vfs_library(const char *path, off_t *at, struct stat *st, int asked)
{
	int n = find_entry(AT_FDCWD, path, 0, asked);
	if (n < 0) return n;
	const struct payload_entry *e = entries + n;
	if (e->kind == PAYLOAD_FOLDER) return -EACCES;
	if (!data_of(e)) return -EIO;
	fill_stat(n, st);
	*at = 0;
	if (__vfs->page && e->at % __vfs->page == 0) {
		/* In a set-user-ID program, the path may lead to another user's file. */
		int fd = libc.secure ? -EACCES : open_program(__vfs_program);
		if (fd < 0) fd = open_program("/proc/self/exe");
		if (fd >= 0) {
			*at = payload_offset + e->at;
			return fd;
		}
	}
	return new_fd(n, 1, 0);
}

/* Start */

static void die(const char *what)
{
	const char *name = *__vfs_program ? __vfs_program : __progname_full;
	__syscall(SYS_write, 2, name, strlen(name));
	__syscall(SYS_write, 2, what, strlen(what));
	__syscall(SYS_exit_group, 127);
}

/* Finds the program's path and file. */
static void find_program(const char *execfn)
{
	static const char deleted[] = " (deleted)";
	ssize_t l = __syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", __vfs_program, sizeof __vfs_program - 1);
	if (l > 0) {
		__vfs_program[l] = 0;
		program_len = l;
		if (!__kernel_fstatat(AT_FDCWD, __vfs_program, &program_stat, 0)) return;
		size_t d = sizeof deleted - 1;
		if (l > d && !strcmp(__vfs_program + l - d, deleted)) __vfs_program[program_len = l - d] = 0;
		__kernel_fstatat(AT_FDCWD, "/proc/self/exe", &program_stat, 0);
		return;
	}
	/* Without /proc: the path that it was called by or, in a script, that the script names. */
	const char *const tries[] = { execfn, __progname_full };
	for (int i=0; i<2; i++) {
		if (!tries[i] || !realpath(tries[i], __vfs_program)) continue;
		/* realpath may keep two slashes at the start, which are one to the kernel. */
		if (__vfs_program[1] == '/') memmove(__vfs_program, __vfs_program + 1, strlen(__vfs_program));
		program_len = strlen(__vfs_program);
		if (__kernel_fstatat(AT_FDCWD, __vfs_program, &program_stat, 0) || !S_ISREG(program_stat.st_mode)) continue;
		int fd = open_program(__vfs_program);
		if (fd >= 0) __syscall(SYS_close, fd);
		if (fd >= 0 || fd == -EACCES) return;
	}
	/* This name is as good as any. */
	program_stat = (struct stat){ 0 };
	strcpy(__vfs_program, "/proc/self/exe");
	program_len = strlen(__vfs_program);
}

void __vfs_init(const size_t *aux)
{
	struct payload_note note;
	memcpy(&note, __payload_note, sizeof note);
	if (!note.size) return;

	/* Is all of it there? */
	const struct payload_head *head = (void *)__payload;
	const Phdr *ph = (void *)aux[AT_PHDR];
	size_t base = 0, n, size = 0;
	for (n=aux[AT_PHNUM]; n; n--, ph=(void *)((char *)ph+aux[AT_PHENT])) {
		if (ph->p_type == PT_PHDR) base = aux[AT_PHDR] - ph->p_vaddr;
		if (ph->p_type == PT_DYNAMIC && _DYNAMIC) base = (size_t)_DYNAMIC - ph->p_vaddr;
	}
	ph = (void *)aux[AT_PHDR];
	for (n=aux[AT_PHNUM]; n; n--, ph=(void *)((char *)ph+aux[AT_PHENT])) {
		if (ph->p_type != PT_LOAD || base + ph->p_vaddr != (size_t)head) continue;
		size = ph->p_filesz;
		payload_offset = ph->p_offset;
	}
	static const char removed[] = ": what this program carried was removed (by strip?): take it as it was made\n";
	if (size < sizeof *head || size < note.size) die(removed);
	size = note.size;
	/* Memory that is mapped beyond the file's end must not be read. */
	find_program((char *)aux[AT_EXECFN]);
	if (program_stat.st_ino && program_stat.st_size < payload_offset + (off_t)size)
		die(": this program was cut off (a copy that did not end?): copy it again\n");
	if (memcmp(head->magic, PAYLOAD_MAGIC, sizeof head->magic)) die(removed);
	if (head->size != size || head->at_entries > size || head->at_entries % 8 || !head->entries
	    || head->entries >= 999999999 || head->entries > (size - head->at_entries) / sizeof *entries
	    || head->at_names > size || head->names_size > size - head->at_names
	    || head->at_config > size || head->config_size > size - head->at_config
	    || head->page & head->page-1)
		die(": what this program carries is damaged\n");
	entries = (void *)((char *)head + head->at_entries);
	names = (char *)head + head->at_names;
	__vfs = head;
}

/* For the program: returns its configuration, or null, and sets its own path. */
const void *__payload_config(size_t *size, const char **path)
{
	if (!__vfs) return 0;
	*size = __vfs->config_size;
	*path = __vfs_program;
	return (char *)__vfs + __vfs->at_config;
}

/* A carried file as it is stored in memory, or null; sets its size, and its compressed size or 0. */
const void *__payload_file(const char *path, size_t *size, size_t *packed)
{
	struct last last;
	int n = vfs_is_below(path) ? find(AT_FDCWD, path, FOLLOW, 0, 0, &last) : -ENOENT;
	if (n < 0 || (entries[n].kind != PAYLOAD_FILE && entries[n].kind != PAYLOAD_PROGRAM)) return 0;
	*size = entries[n].size;
	*packed = entries[n].packed;
	return stored_data_of(entries + n);
}
