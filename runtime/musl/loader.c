/* dlopen for a static program.
 *
 * This is musl's own dynamic linker (ldso/dynlink.c, compiled here with
 * DL_STATIC) without its start-up half. When it runs, the kernel and
 * rcrt1.o have already loaded and relocated the program. So the program
 * only has to be described to it as one loaded object, which stands for
 * the program, the C library and the loader. That is done at the first
 * use, and costs nothing before.
 *
 * The second half of this file checks a library before dynlink.c reads
 * it, because dynlink.c trusts what it maps. A foreign or damaged file
 * is refused with a message that says why.
 */

#define _GNU_SOURCE
#define SYSCALL_NO_TLS 1
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "dynlink.h"

#define DL_STATIC 1

struct dso;
struct tls_module;

static void self_init(void);
static void program_fini(void);
static int program_stands_for(const char *);
static int is_of_glibc(const char *);
static struct symdef next_in_libc(struct dso *, const char *);

/* The offset of the library just opened in its file: a carried library
 * (vfs.c) is mapped from the program's file. Guarded as well. */
static off_t library_at;
static int open_library(const char *);
static int stat_library(int, struct stat *);

static int check_ehdr(int, const Ehdr *, size_t);
static int check_phdrs(int, Phdr *, size_t);
static int check_image(struct dso *, unsigned char *, const Phdr *, size_t, size_t);
static int check_origin(struct dso *);
static void check_ctors(struct dso *);

/* Why the file just tried was refused; empty if errno says it all.
 * Guarded, like everything here, by dynlink.c's lock. */
static char reason[512];
static void explain(const char *, const char *);
static void explain_mount(int);
static const char *why(void);
static const char *remedy(const char *);
static const char *hint(const char *);

/* For libraries built for glibc (glibc.h): what they were given. A failed
 * load gives it back. */
static struct given {
	size_t static_tls, stubs;
} given;
static int open_for_glibc(const char *, char *, size_t);
static struct symdef find_for_caller(void *, const char *, struct symdef);
static void resolve_later(struct dso *, size_t *, size_t, size_t);
static size_t resolve_ifunc(size_t);
static void resolve_ifuncs(void);
static int take_static_tls(struct dso *);
static unsigned char *static_tls(void *, const struct tls_module *);
static int is_code(const struct dso *, const void *);

/* No gaps of the program's memory are donated: malloc may be another one. */
#define __malloc_replaced 0

#include "../../ldso/dynlink.c"
#include "vfs.h"
#include "glibc.h"

extern weak hidden const size_t _DYNAMIC[];

static void describe_program(void)
{
	static const size_t no_dynamic[2];
	static Elf_Symndx no_symbols[3] = { 1 };
	size_t aux[AUX_CNT], i;
	struct stat st;
	Phdr *ph;

	decode_vec(libc.auxv, aux, AUX_CNT);
	ldso_page_size = aux[AT_PAGESZ];

	ldso.phdr = ph = (void *)aux[AT_PHDR];
	ldso.phnum = aux[AT_PHNUM];
	ldso.phentsize = aux[AT_PHENT];
	ldso.dynv = (size_t *)no_dynamic;
	for (i=ldso.phnum; i--; ph=(void *)((char *)ph+ldso.phentsize))
		if (ph->p_type == PT_DYNAMIC && _DYNAMIC)
			ldso.base = (void *)((size_t)_DYNAMIC - ph->p_vaddr);
	runtime = 1;
	error = error_impl;
	kernel_mapped_dso(&ldso);
	decode_dyn(&ldso);
	if (!ldso.ghashtab && !ldso.hashtab) ldso.hashtab = no_symbols;

	ldso.name = "/proc/self/exe";
	if (aux[AT_EXECFN] && strncmp((char *)aux[AT_EXECFN], "/proc/", 6))
		ldso.name = (char *)aux[AT_EXECFN];
	if (!stat("/proc/self/exe", &st)) {
		ldso.dev = st.st_dev;
		ldso.ino = st.st_ino;
	}
	ldso.shortname = "libc.so";
	ldso.relocated = ldso.constructed = ldso.bfs_built = 1;
	ldso.deps = (struct dso **)no_deps;

	/* Thread-local storage as __init_tls laid it out. */
	if (libc.tls_head) {
		ldso.tls = *libc.tls_head;
		ldso.tls_id = 1;
		tls_tail = libc.tls_head;
		tls_offset = ldso.tls.offset;
#ifdef TLS_ABOVE_TP
		tls_offset += ldso.tls.size;
#endif
	}
	given.static_tls = tls_offset;
	if (libc.loads_glibc) tls_offset += STATIC_TLS_SURPLUS;
	static_tls_end = tls_offset;
	tls_align = MAXP2(tls_align, libc.tls_align);
	tls_cnt = static_tls_cnt = libc.tls_cnt;

	/* A copy, because setenv may free the original. */
	if (!libc.secure && (env_path = getenv("LD_LIBRARY_PATH")))
		env_path = strdup(env_path);

	head = tail = syms_tail = &ldso;

	debug.ver = 1;
	debug.bp = dl_debug_state;
	debug.head = head;
	debug.base = ldso.base;
	debug.state = RT_CONSISTENT;
	for (i=0; ldso.dynv[i]; i+=2) if (ldso.dynv[i] == DT_DEBUG) {
		size_t *slot = ldso.dynv+i+1;
		void *page = (void *)((size_t)slot & -PAGE_SIZE);
		size_t at = (unsigned char *)slot - ldso.base;
		int ro = at-ldso.relro_start < ldso.relro_end-ldso.relro_start;
		if (ro && mprotect(page, PAGE_SIZE, PROT_READ|PROT_WRITE)) continue;
		*slot = (size_t)&debug;
		if (ro) mprotect(page, PAGE_SIZE, PROT_READ);
	}
}

/* For the interpreter, which then accepts more file names of extensions. */
hidden int __loads_glibc(void)
{
	return libc.loads_glibc;
}

static void self_init(void)
{
	static volatile int done;
	if (!done) {
		/* This lock, not pthread_once: fork knows about it. */
		pthread_rwlock_wrlock(&lock);
		if (!done) {
			describe_program();
			a_barrier();
			done = 1;
		}
		pthread_rwlock_unlock(&lock);
	}
	a_barrier();
}

weak void _fini(void);
extern weak hidden void (*const __fini_array_start)(void), (*const __fini_array_end)(void);

/* As exit.c without a loader. */
static void program_fini(void)
{
	uintptr_t a = (uintptr_t)&__fini_array_end;
	for (; a>(uintptr_t)&__fini_array_start; a-=sizeof(void(*)()))
		(*(void (**)())(a-sizeof(void(*)())))();
	if (_fini) _fini();
}

/* Libraries other than libc's own that the program may contain. If it has
 * the symbol, it contains the library. */
static int program_stands_for(const char *name)
{
	static const struct { char name[12], witness[16]; } inside[] = {
		{ "libz.", "zlibVersion" },
		{ "libpython3.", "Py_GetVersion" },
	};
	size_t i;
	if (!strncmp(name, "ld-musl-", 8)) return 1;
	if (libc.loads_glibc && is_of_glibc(name)) return 1;
	for (i=0; i<countof(inside); i++)
		if (!strncmp(name, inside[i].name, strlen(inside[i].name)))
			return !!find_sym(&ldso, inside[i].witness, 1).sym;
	return 0;
}

/* With a shared libc, RTLD_NEXT in a library reaches libc at the end of
 * the list. Here libc is in the program, which is first. */
static struct symdef next_in_libc(struct dso *from, const char *s)
{
	if (!from || from == head) return (struct symdef){ 0 };
	return find_sym2(&ldso, s, 0, 1);
}

/* Files */

static struct stat carried;
static int is_carried;

static int open_library(const char *name)
{
	int fd;
	library_at = 0;
	fd = vfs_is_below(name) ? __vfs_library(name, &library_at, &carried, 0) : VFS_NOT;
	is_carried = fd >= 0;
	if (fd == VFS_NOT) {
		fd = __sys_open(name, O_RDONLY|O_CLOEXEC);
		if (fd == -ENOTDIR && __vfs) {
			fd = __vfs_library(name, &library_at, &carried, 1);
			is_carried = fd >= 0;
		}
	}
	return __syscall_ret(fd);
}

static int stat_library(int fd, struct stat *st)
{
	if (!is_carried) return fstat(fd, st);
	*st = carried;
	return 0;
}

/* Messages */

static int refuse(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	return 0;
}

/* The file found, if it is not the one that was asked for. */
static void explain(const char *name, const char *pathname)
{
	char text[sizeof reason];
	if (!*reason || name == pathname) return;
	memcpy(text, reason, sizeof text);
	snprintf(reason, sizeof reason, "%.*s: %s", 200, pathname, text);
}

/* The mount of a file: its number from fdinfo, because devices may be
 * mounted more than once; then its line in mountinfo. */
static int mount_of(int fd, char *dir, size_t size)
{
	char line[PATH_MAX+256], path[64], *s, *d;
	int id = -1, found = 0, n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	if (!(f = fopen(path, "re"))) return 0;
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "mnt_id: %d", &id) == 1) break;
	fclose(f);
	if (id < 0 || !(f = fopen("/proc/self/mountinfo", "re"))) return 0;
	while (!found && fgets(line, sizeof line, f)) {
		/* number, parent, device, root, mount point */
		if (sscanf(line, "%d %*d %*s %*s %n", &n, &found) != 1 || n != id) {
			found = 0;
			continue;
		}
		/* Spaces and similar characters are octal. */
		for (s=line+found, d=dir; *s && *s!=' ' && d-dir<size-1; d++) {
			if (*s=='\\' && s[1] && s[2] && s[3]) {
				*d = (s[1]-'0')*64 + (s[2]-'0')*8 + s[3]-'0';
				s += 4;
			} else *d = *s++;
		}
		*d = 0;
		found = 1;
	}
	fclose(f);
	return found;
}

/* Why a readable file may not be mapped for execution. */
static void explain_mount(int fd)
{
	struct statvfs st;
	char dir[192];
	int e = errno;
	if (!fstatvfs(fd, &st) && (st.f_flag & ST_NOEXEC)) {
		if (mount_of(fd, dir, sizeof dir))
			refuse("%s: %s is mounted noexec: put the file on another"
				" file system, or mount -o remount,exec %s",
				strerror(e), dir, dir);
		else
			refuse("%s: it is on a file system mounted noexec:"
				" put the file on another one", strerror(e));
	} else if (e == EACCES) {
		refuse("%s: a security policy (SELinux or the like) forbids"
			" to execute it; the system's audit log has the reason",
			strerror(e));
	}
	errno = e;
}

static const char *why(void)
{
	return *reason ? reason : strerror(errno);
}

static const char *remedy(const char *name)
{
	if (*reason || errno != ENOENT || strchr(name, '/')) return "";
	return "; it was looked for in LD_LIBRARY_PATH, in the RPATH or RUNPATH"
		" of what needs it, and in the system's library path";
}

/* Explains a missing symbol. */
static const char *hint(const char *name)
{
	size_t l = strlen(name);
	if (!strncmp(name, "__isoc", 6)
	    || (l > 6 && !strncmp(name, "__", 2) && !strcmp(name+l-4, "_chk")))
		return "; glibc has it, and this program's C library is musl:"
			" take a build for musl";
	if ((!strncmp(name, "Py", 2) || !strncmp(name, "_Py", 3))
	    && find_sym(&ldso, "Py_GetVersion", 1).sym)
		return "; this Python does not have it: take a build for"
			" this version of Python";
	return "";
}

/* Checks of the file */

/* Far more than any library has. */
#define MAX_TLS (1UL<<28)
#define MAX_SPAN (SIZE_MAX >> (sizeof(size_t)==8 ? 28 : 2))

static const char *machine_name(int m)
{
	switch (m) {
	case EM_386: return "i386";
	case EM_X86_64: return "x86_64";
	case EM_AARCH64: return "aarch64";
	case EM_RISCV: return "riscv";
	case EM_ARM: return "arm";
	case EM_PPC64: return "ppc64";
	case EM_S390: return "s390x";
	case 258: return "loongarch64";
	}
	return "another machine";
}

static int check_ehdr(int fd, const Ehdr *eh, size_t len)
{
	const Ehdr *self = (void *)__ehdr_start;
	const unsigned char *id = eh->e_ident;
	struct stat st;

	if (len < EI_NIDENT || memcmp(id, ELFMAG, SELFMAG))
		return refuse(len ? "not an ELF library" : "the file is empty");
	if (len < sizeof *eh)
		return refuse("the file is truncated");
	if (id[EI_CLASS] != self->e_ident[EI_CLASS]
	    || id[EI_DATA] != self->e_ident[EI_DATA]
	    || eh->e_machine != self->e_machine)
		return refuse("built for %s (%d bit), this program is for "
			LDSO_ARCH, machine_name(eh->e_machine),
			id[EI_CLASS]==ELFCLASS64 ? 64 : 32);
	if (eh->e_machine == EM_RISCV /* EF_RISCV_FLOAT_ABI */
	    && ((eh->e_flags ^ self->e_flags) & 6))
		return refuse("built for another floating-point ABI");
	if (eh->e_type != ET_DYN)
		return refuse(eh->e_type == ET_EXEC
			? "a program, not a library" : "not a shared library");
	if (eh->e_phentsize != sizeof(Phdr) || !eh->e_phnum)
		return refuse("bad ELF header");
	if (stat_library(fd, &st)) return 0;
	if (eh->e_phoff > st.st_size
	    || eh->e_phnum*sizeof(Phdr) > st.st_size - eh->e_phoff)
		return refuse("the file is truncated: no program headers");
	return 1;
}

/* Is [addr,addr+len) within one segment that has all these flags? */
static const Phdr *segment(const Phdr *ph, size_t n, size_t addr, size_t len, unsigned flags)
{
	for (; n; n--, ph++)
		if (ph->p_type == PT_LOAD && (ph->p_flags & flags) == flags
		    && addr - ph->p_vaddr <= ph->p_memsz
		    && len <= ph->p_memsz - (addr - ph->p_vaddr))
			return ph;
	return 0;
}

static int check_phdrs(int fd, Phdr *ph, size_t n)
{
	Phdr *p, *end = ph+n;
	size_t min = SIZE_MAX, max = 0, dyn = 0;
	struct stat st;
	if (stat_library(fd, &st)) return 0;

	for (p=ph; p<end; p++) {
		size_t file_end = p->p_offset + p->p_filesz;
		if (p->p_type != PT_LOAD) continue;
		/* Not used, so it may be anywhere. */
		if (!p->p_memsz) {
			p->p_type = PT_NULL;
			continue;
		}
		if (p->p_filesz > p->p_memsz
		    || p->p_vaddr > SIZE_MAX/2 || p->p_memsz > SIZE_MAX/4
		    || (p->p_vaddr & -PAGE_SIZE) < max)
			return refuse("bad or overlapping segments");
		if ((p->p_vaddr ^ p->p_offset) & PAGE_SIZE-1)
			return refuse("segments are not aligned to this "
				"kernel's pages of %zu bytes", (size_t)PAGE_SIZE);
		/* In these, nothing would clear the memory after the file's part. */
		if (p->p_filesz < p->p_memsz && !(p->p_flags & PF_W))
			return refuse("read-only segment is not all in the file");
		/* The page with the end of the file's part is written to,
		 * even if that part is empty. */
		if (file_end < p->p_offset
		    || (p->p_filesz ? file_end > st.st_size
			: (file_end & PAGE_SIZE-1) && (file_end & -PAGE_SIZE) >= st.st_size)
		    || (!p->p_filesz && p->p_offset > SIZE_MAX/4))
			return refuse("the file is truncated: it ends within a segment");
		if (min > max) min = p->p_vaddr & -PAGE_SIZE;
		max = p->p_vaddr + p->p_memsz + PAGE_SIZE-1 & -PAGE_SIZE;
	}
	if (!max) return refuse("no loadable segment");
	if (max-min > MAX_SPAN) return refuse("the segments take too much memory");

	for (p=ph; p<end; p++) switch (p->p_type) {
	case PT_DYNAMIC:
		dyn = p->p_vaddr;
		break;
	case PT_TLS:
		if (p->p_memsz && ((p->p_filesz
			&& !segment(ph, n, p->p_vaddr, p->p_filesz, PF_R))
		    || p->p_filesz > p->p_memsz || p->p_memsz > MAX_TLS
		    || !p->p_align || p->p_align > MAX_TLS
		    || (p->p_align & p->p_align-1)))
			return refuse("bad thread-local storage");
		break;
	case PT_GNU_RELRO:
		if (p->p_vaddr < min || p->p_vaddr > max
		    || p->p_memsz > max - p->p_vaddr)
			return refuse("bad RELRO segment");
		break;
	}
	if (!dyn || !segment(ph, n, dyn, 2*sizeof(size_t), PF_R))
		return refuse("no dynamic section");
	return 1;
}

/* Checks of the mapped image, before anything in it is used. */

struct image {
	unsigned char *base;
	const Phdr *ph;
	size_t phnum;
	Sym *syms;
	size_t nsyms, strsz;
	char *strings;
	unsigned write;
	struct { size_t addr, len; } tables[16]; /* one for each call of keep() */
	size_t ntables;
};

static void *part(const struct image *m, size_t addr, size_t len)
{
	return segment(m->ph, m->phnum, addr, len, PF_R) ? m->base + addr : 0;
}

/* Relocation must not change tables that have been checked. */
static void keep(struct image *m, size_t addr, size_t len)
{
	if (!segment(m->ph, m->phnum, addr, len, m->write)) return;
	m->tables[m->ntables].addr = addr;
	m->tables[m->ntables++].len = len;
}

static int writable(const struct image *m, size_t addr, size_t len)
{
	size_t i;
	for (i=0; i<m->ntables; i++)
		if (addr < m->tables[i].addr + m->tables[i].len
		    && m->tables[i].addr < addr + len) return 0;
	return !!segment(m->ph, m->phnum, addr, len, m->write);
}

/* Number of symbols that the hash table leads to; 0 for a bad table. */
static size_t check_sysv_hash(struct image *m, size_t addr)
{
	Elf_Symndx *h = part(m, addr, 2*sizeof *h), *bucket, *chain;
	size_t nb, nc, i, j, steps = 0;
	if (!h) return 0;
	nb = h[0], nc = h[1];
	if (!nb || !nc || nb > SIZE_MAX/16 || nc > SIZE_MAX/16
	    || !part(m, addr, (2+nb+nc)*sizeof *h)) return 0;
	bucket = h+2, chain = bucket+nb;
	/* Each symbol is in one chain, so more steps are a loop. */
	for (i=0; i<nb; i++)
		for (j=bucket[i]; j; j=chain[j])
			if (j >= nc || ++steps > nc) return 0;
	keep(m, addr, (2+nb+nc)*sizeof *h);
	return nc;
}

static size_t check_gnu_hash(struct image *m, size_t addr)
{
	uint32_t *h = part(m, addr, 4*sizeof *h), *bucket;
	size_t nb, first, bloom, i, last = 0, len, end;
	if (!h) return 0;
	nb = h[0], first = h[1], bloom = h[2];
	if (!nb || !first || !bloom || nb > SIZE_MAX/32 || bloom > SIZE_MAX/32
	    || bloom & bloom-1 || h[3] > 31) return 0;
	len = 4*sizeof *h + bloom*sizeof(size_t) + nb*sizeof *h;
	if (!part(m, addr, len)) return 0;
	bucket = h + 4 + bloom*(sizeof(size_t)/4);
	for (i=0; i<nb; i++) {
		if (bucket[i] && bucket[i] < first) return 0;
		if (bucket[i] > last) last = bucket[i];
	}
	if (last) {
		/* This bounds all chains: the others end before the last one. */
		if (last-first > SIZE_MAX/32) return 0;
		len += (last-first)*sizeof *h;
		for (end=0; !end; last++, len+=sizeof *h) {
			uint32_t *v = part(m, addr+len, sizeof *v);
			if (!v) return 0;
			end = *v & 1;
		}
	}
	keep(m, addr, len);
	return last > first ? last : first;
}

static int check_relocs(struct image *m, size_t addr, size_t size, size_t stride)
{
	size_t *rel = part(m, addr, size), len;
	if (!size) return 1;
	if (!rel || size % (stride*sizeof *rel))
		return refuse("bad relocation table");
	for (; size; rel+=stride, size-=stride*sizeof *rel) {
		int type = R_TYPE(rel[1]);
		size_t sym = R_SYM(rel[1]);
		if (type == REL_NONE) continue;
		if (sym >= m->nsyms || m->syms[sym].st_name >= m->strsz)
			return refuse("relocation with a bad symbol");
		len = sizeof *rel;
		if (type == REL_OFFSET32) len = 4;
		if (type == REL_TLSDESC) len = 2*sizeof *rel;
		if (type == REL_COPY)
			return refuse("a program, not a library");
		if (type == REL_IRELATIVE
		    && (stride < 3 || !segment(m->ph, m->phnum, rel[2], 1, PF_X)))
			return refuse("bad IFUNC");
		if (!writable(m, rel[0], len))
			return refuse("relocation outside of the library's data");
	}
	return 1;
}

static int check_relr(struct image *m, size_t addr, size_t size)
{
	size_t *relr = part(m, addr, size), at = 0, bits, i, j;
	if (!size) return 1;
	if (!relr || size % sizeof *relr)
		return refuse("bad relocation table");
	for (i=0; i<size/sizeof *relr; i++) {
		if (!(relr[i] & 1)) {
			at = relr[i];
			if (!writable(m, at, sizeof at)) goto bad;
			at += sizeof at;
			continue;
		}
		if (!i) goto bad;
		for (j=0, bits=relr[i]>>1; bits; j++, bits>>=1)
			if ((bits & 1) && !writable(m, at+j*sizeof at, sizeof at))
				goto bad;
		at += (8*sizeof at-1) * sizeof at;
	}
	return 1;
bad:
	return refuse("relocation outside of the library's data");
}

/* Symbol versions: chains of structs that lead forward only. Version
 * numbers have 15 bits, which bounds the length of a chain. */
#define MAX_VERSIONS 0x8000
#define ALIGNED(at) (!((at) % sizeof(Elf64_Word)))

/* A chain's next struct; 0 if it would lead back or out of the table. */
static size_t next_in_chain(size_t at, size_t step, size_t size)
{
	return step < size || !ALIGNED(step) ? 0 : at + step;
}

static int check_needed_versions(struct image *m, size_t at, size_t n)
{
	size_t start = at, end = at, aux, left, all = 0;
	const Elf64_Verneed *need; /* the same in both classes */
	const Elf64_Vernaux *a;

	if (n > MAX_VERSIONS || !ALIGNED(at)) return 0;
	for (; n; n--) {
		need = part(m, at, sizeof *need);
		if (!need || need->vn_file >= m->strsz || !ALIGNED(need->vn_aux)) return 0;
		if (end < at + sizeof *need) end = at + sizeof *need;
		for (aux=at+need->vn_aux, left=need->vn_cnt; left; left--) {
			a = part(m, aux, sizeof *a);
			if (!a || a->vna_name >= m->strsz || ++all > MAX_VERSIONS) return 0;
			if (end < aux + sizeof *a) end = aux + sizeof *a;
			if (left > 1 && !(aux = next_in_chain(aux, a->vna_next, sizeof *a))) return 0;
		}
		if (n > 1 && !(at = next_in_chain(at, need->vn_next, sizeof *need))) return 0;
	}
	if (!part(m, start, end-start)) return 0;
	keep(m, start, end-start);
	return 1;
}

static int check_own_versions(struct image *m, size_t at, size_t n)
{
	size_t start = at, end = at, aux;
	const Elf64_Verdef *def;
	const Elf64_Verdaux *a;

	if (n > MAX_VERSIONS || !ALIGNED(at)) return 0;
	for (; n; n--) {
		def = part(m, at, sizeof *def);
		if (!def || !def->vd_cnt || !ALIGNED(def->vd_aux)) return 0;
		if (end < at + sizeof *def) end = at + sizeof *def;
		aux = at + def->vd_aux; /* the others are its parents */
		a = part(m, aux, sizeof *a);
		if (!a || a->vda_name >= m->strsz) return 0;
		if (end < aux + sizeof *a) end = aux + sizeof *a;
		if (n > 1 && !(at = next_in_chain(at, def->vd_next, sizeof *def))) return 0;
	}
	if (!part(m, start, end-start)) return 0;
	keep(m, start, end-start);
	return 1;
}

static int check_versions(struct image *m, size_t *v, size_t nsyms)
{
	size_t at, n;
	if (search_vec(v, &at, DT_VERSYM)) {
		if (!part(m, at, nsyms*sizeof(int16_t))) return 0;
		keep(m, at, nsyms*sizeof(int16_t));
	}
	if (search_vec(v, &at, DT_VERNEED) && search_vec(v, &n, DT_VERNEEDNUM)
	    && !check_needed_versions(m, at, n)) return 0;
	if (search_vec(v, &at, DT_VERDEF) && search_vec(v, &n, DT_VERDEFNUM)
	    && !check_own_versions(m, at, n)) return 0;
	return 1;
}

/* What the last checked library needs from glibc. */
static char foreign[128];

static const Elf64_Vernaux *version_of_glibc(const struct image *m, size_t *v)
{
	size_t at, n, aux, left;
	if (!search_vec(v, &at, DT_VERNEED) || !search_vec(v, &n, DT_VERNEEDNUM)) return 0;
	for (; n; n--) {
		const Elf64_Verneed *need = (void *)(m->base + at);
		/* GCC's own library also has versions called GLIBC_2.0. */
		left = strncmp(m->strings+need->vn_file, "libgcc_s", 8) ? need->vn_cnt : 0;
		for (aux=at+need->vn_aux; left; left--) {
			const Elf64_Vernaux *a = (void *)(m->base + aux);
			if (!strncmp(m->strings+a->vna_name, "GLIBC_", 6)) return a;
			aux += a->vna_next;
		}
		at += need->vn_next;
	}
	return 0;
}

static void find_glibc(const struct image *m, size_t *v, size_t nsyms)
{
	const char *lib = 0, *symbol = "";
	const Elf64_Vernaux *a = version_of_glibc(m, v);
	const int16_t *versym;
	size_t at, i;

	for (i=0; v[i]; i+=2)
		if (v[i] == DT_NEEDED && !strcmp(m->strings+v[i+1], "libc.so.6"))
			lib = m->strings+v[i+1];
	*foreign = 0;
	if (lib) snprintf(foreign, sizeof foreign, "%s", lib);
	if (!a) return;
	versym = search_vec(v, &at, DT_VERSYM) ? (void *)(m->base + at) : 0;
	for (i=1; versym && i<nsyms && !*symbol; i++)
		if (!m->syms[i].st_shndx && (versym[i]&0x7fff) == a->vna_other)
			symbol = m->strings + m->syms[i].st_name;
	snprintf(foreign, sizeof foreign, "%s%s%s%s%s", lib ? lib : "",
		lib ? " with " : "", m->strings+a->vna_name,
		*symbol ? ", for " : "", symbol);
}

static int check_image(struct dso *p, unsigned char *base, const Phdr *ph, size_t phnum, size_t dyn)
{
	struct image m = { .base = base, .ph = ph, .phnum = phnum, .write = PF_W };
	const Phdr *seg = segment(ph, phnum, dyn, 2*sizeof(size_t), PF_R);
	size_t d[DYN_CNT], *v = (void *)(base+dyn), i, n, x;
	size_t max = (seg->p_memsz - (dyn-seg->p_vaddr)) / sizeof *v & -2;

	for (n=0; n<max && v[n]; n+=2);
	if (n == max) return refuse("dynamic section without an end");
	decode_vec(v, d, DYN_CNT);
	if (search_vec(v, &x, DT_TEXTREL)) m.write = 0;
	keep(&m, dyn, (n+2)*sizeof *v);

	m.strings = part(&m, d[DT_STRTAB], d[DT_STRSZ]);
	m.strsz = d[DT_STRSZ];
	if (!m.strsz || !m.strings || m.strings[m.strsz-1])
		return refuse("bad string table");
	keep(&m, d[DT_STRTAB], m.strsz);
	for (i=0; i<n; i+=2)
		if ((v[i]==DT_NEEDED || v[i]==DT_SONAME || v[i]==DT_RPATH || v[i]==DT_RUNPATH)
		    && v[i+1] >= m.strsz)
			return refuse("bad name in the dynamic section");

	if (!(seg = segment(ph, phnum, d[DT_SYMTAB], sizeof(Sym), PF_R))
	    || ((d[0] & 1<<DT_SYMENT) && d[DT_SYMENT] != sizeof(Sym)))
		return refuse("bad symbol table");
	m.syms = (void *)(base + d[DT_SYMTAB]);
	m.nsyms = (seg->p_memsz - (d[DT_SYMTAB]-seg->p_vaddr)) / sizeof(Sym);
	n = 0;
	if (d[0] & 1<<DT_HASH) {
		if (!(n = check_sysv_hash(&m, d[DT_HASH])))
			return refuse("bad symbol hash table");
	}
	if (search_vec(v, &x, DT_GNU_HASH)) {
		if (!(x = check_gnu_hash(&m, x)))
			return refuse("bad symbol hash table");
		if (x > n) n = x;
	}
	if (!n) return refuse("no symbol hash table");
	if (n > m.nsyms) return refuse("bad symbol table");
	keep(&m, d[DT_SYMTAB], n*sizeof(Sym));
	for (i=0; i<n; i++)
		if (m.syms[i].st_name >= m.strsz)
			return refuse("bad symbol name");
	if (!check_versions(&m, v, n))
		return refuse("bad symbol versions");
	find_glibc(&m, v, n);

	keep(&m, d[DT_JMPREL], d[DT_PLTRELSZ]);
	keep(&m, d[DT_REL], d[DT_RELSZ]);
	keep(&m, d[DT_RELA], d[DT_RELASZ]);
	keep(&m, d[DT_RELR], d[DT_RELRSZ]);
	if (d[DT_PLTRELSZ] && d[DT_PLTREL] != DT_REL && d[DT_PLTREL] != DT_RELA)
		return refuse("bad relocation table");
	if (!check_relocs(&m, d[DT_JMPREL], d[DT_PLTRELSZ], 2+(d[DT_PLTREL]==DT_RELA))
	    || !check_relocs(&m, d[DT_REL], d[DT_RELSZ], 2)
	    || !check_relocs(&m, d[DT_RELA], d[DT_RELASZ], 3)
	    || !check_relr(&m, d[DT_RELR], d[DT_RELRSZ]))
		return 0;

	if (((d[0] & 1<<DT_INIT) && d[DT_INIT] && !segment(ph, phnum, d[DT_INIT], 1, PF_X))
	    || ((d[0] & 1<<DT_FINI) && d[DT_FINI] && !segment(ph, phnum, d[DT_FINI], 1, PF_X))
	    || ((d[0] & 1<<DT_INIT_ARRAY) && !part(&m, d[DT_INIT_ARRAY], d[DT_INIT_ARRAYSZ]))
	    || ((d[0] & 1<<DT_FINI_ARRAY) && !part(&m, d[DT_FINI_ARRAY], d[DT_FINI_ARRAYSZ])))
		return refuse("bad constructors or destructors");

	/* dl_iterate_phdr reads the mapped copy. */
	if (p->phdr && !part(&m, (unsigned char *)p->phdr-base, phnum*sizeof *ph))
		p->phdr = 0, p->phnum = 0;
	return 1;
}

/* Is this address code of p, or a function that another object exports? */
static int is_code(const struct dso *p, const void *f)
{
	size_t a = (size_t)f, i;
	const Phdr *ph = p->phdr;
	struct dso *q;

	if (!ph && a-(size_t)p->map < p->map_len) return 1;
	for (i=0; i<p->phnum; i++)
		if (ph[i].p_type == PT_LOAD && (ph[i].p_flags & PF_X)
		    && a-(size_t)p->base-ph[i].p_vaddr < ph[i].p_memsz)
			return 1;
	for (q=head; q; q=q->next)
		if (q != p) for (i=count_syms(q); i--; )
			if (q->syms[i].st_shndx && (q->syms[i].st_info&0xf) == STT_FUNC
			    && laddr(q, q->syms[i].st_value) == f) return 1;
	return 0;
}

/* Called after relocation: now the arrays must point to code. */
static void check_ctors(struct dso *p)
{
	static const int tag[2][2] = {
		{ DT_INIT_ARRAY, DT_INIT_ARRAYSZ }, { DT_FINI_ARRAY, DT_FINI_ARRAYSZ }
	};
	size_t d[DYN_CNT], i, j;
	decode_vec(p->dynv, d, DYN_CNT);
	for (i=0; i<2; i++) if (d[0] & 1<<tag[i][0]) {
		void **f = laddr(p, d[tag[i][0]]);
		for (j=0; j<d[tag[i][1]]/sizeof *f; j++) if (!is_code(p, f[j])) {
			error("Error relocating %s: bad constructor or destructor", p->name);
			longjmp(*rtld_fail, 1);
		}
	}
}

/* A whole program, or a library for another C library? Called after
 * dynlink.c has recognised libc itself, under any name. */
static int check_origin(struct dso *p)
{
	size_t flags = 0;
	if (search_vec(p->dynv, &flags, DT_FLAGS_1) && (flags & DF_1_PIE))
		return refuse("a program, not a library");
	if (*foreign && !libc.loads_glibc)
		return refuse("built for glibc (it needs %s), and this program's "
			"C library is musl; take a build for musl, such as a "
			"musllinux wheel, or compile it for musl%s", foreign, LOADS_GLIBC
			? "; STATICPYTHON_GLIBC=1 in the environment loads it"
			" all the same, on trial" : "");
	p->glibc = !!*foreign;
	if (p->glibc && search_vec(p->dynv, &flags, DT_SONAME))
		p->soname = p->strings + flags;
	return 1;
}
