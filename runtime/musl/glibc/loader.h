/* Libraries built for glibc: how their symbols are bound. A part of loader.c.
 *
 * Binding is per object. For a symbol NAME such an object gets, in this order: `__glibc_NAME` of the program
 * (src/glibc: where glibc differs from musl), musl's NAME, an alias (aliases.h: other names of the same thing), or a
 * stub that prints the name and aborts when it is called. All other objects are bound as before.
 */

/* The libraries of glibc itself, which the program replaces. */
static int is_of_glibc(const char *file)
{
	static const char names[] =
		"libc.so.6\0libm.so.6\0libpthread.so.0\0libdl.so.2\0librt.so.1\0libutil.so.1\0"
		"libresolv.so.2\0libmvec.so.1\0libanl.so.1\0libcrypt.so.1\0";
	const char *s;
	if (!strncmp(file, "ld-linux", 8)) return 1;
	for (s=names; *s; s+=strlen(s)+1)
		if (!strcmp(file, s)) return 1;
	return 0;
}

/* Search for a library by name: in the program's own tree, then where systems with glibc keep libraries. buf gets the
 * path. */

#define TREE_FOLDER "/lib/built-for-glibc/"
#define GLIBC_PATH "/lib/" LDSO_ARCH "-linux-gnu:/usr/lib/" LDSO_ARCH \
	"-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib"

/* The program is TREE/bin/NAME. Without /proc its path is what the kernel was given, if that is absolute. */
static int open_in_tree(const char *name, char *buf, size_t size)
{
	char program[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	if (n > 0) program[n] = 0;
	else if (*ldso.name != '/' || !realpath(ldso.name, program)) return -1;
	for (n=0; n<2; n++) {
		if (!(slash = strrchr(program, '/'))) return -1;
		*slash = 0;
	}
	if (snprintf(buf, size, "%s" TREE_FOLDER "%s", program, name) >= size) return -1;
	return open_library(buf);
}

static int open_for_glibc(const char *name, char *buf, size_t size)
{
	int fd = open_in_tree(name, buf, size);
	return fd >= 0 ? fd : path_open(name, GLIBC_PATH, buf, size);
}

/* Symbol versions. check_image has walked these tables. */

struct version {
	const char *name;
	const char *file; /* the file that it is needed from; null: defined here */
};

static struct version version_of(const struct dso *p, size_t i)
{
	size_t at, n, left, wanted = p->versym ? p->versym[i] & 0x7fff : 0;
	if (wanted < 2) return (struct version){ 0 };
	if (search_vec(p->dynv, &at, DT_VERNEED) && search_vec(p->dynv, &n, DT_VERNEEDNUM)) {
		const Elf64_Verneed *need = (void *)(p->base + at);
		for (; n; n--, need=(void *)((char *)need + need->vn_next)) {
			const Elf64_Vernaux *aux = (void *)((char *)need + need->vn_aux);
			for (left=need->vn_cnt; left; left--, aux=(void *)((char *)aux + aux->vna_next))
				if (aux->vna_other == wanted)
					return (struct version){ p->strings + aux->vna_name, p->strings + need->vn_file };
		}
	}
	if (search_vec(p->dynv, &at, DT_VERDEF) && search_vec(p->dynv, &n, DT_VERDEFNUM)) {
		const Elf64_Verdef *def = (void *)(p->base + at);
		for (; n; n--, def=(void *)((char *)def + def->vd_next)) {
			const Elf64_Verdaux *aux = (void *)((char *)def + def->vd_aux);
			if ((def->vd_ndx & 0x7fff) == wanted)
				return (struct version){ p->strings + aux->vda_name, 0 };
		}
	}
	return (struct version){ 0 };
}

/* The symbol of this name and version, whether it is the name's default or not. In an object without versions every
 * symbol matches. Only DT_GNU_HASH is used, which all libraries built for glibc since 2006 have. */
static Sym *versioned_symbol(struct dso *p, const char *name, uint32_t h, const char *version)
{
	uint32_t *table = p->ghashtab, *bucket = table + 4 + table[2]*(sizeof(size_t)/4), *hash;
	const size_t *bloom = (void *)(table+4);
	size_t bits = 8*sizeof *bloom, f = bloom[h/bits & table[2]-1], i = bucket[h % table[0]];

	if (!i || !(f >> h%bits & f >> (h>>table[3])%bits & 1)) return 0;
	for (hash = bucket + table[0] + (i-table[1]); ; hash++, i++) {
		Sym *sym = p->syms + i;
		if ((*hash|1) == (h|1) && !strcmp(name, p->strings + sym->st_name) && sym->st_shndx
		    && (sym->st_value || (sym->st_info&0xf) == STT_TLS)
		    && (1<<(sym->st_info&0xf) & OK_TYPES) && (1<<(sym->st_info>>4) & OK_BINDS)) {
			struct version v = version_of(p, i);
			if (!v.name || (!v.file && !strcmp(v.name, version))) return sym;
		}
		if (*hash & 1) return 0;
	}
}

static struct symdef find_versioned(struct dso *p, const char *name, const char *version)
{
	uint32_t h = gnu_hash(name);
	for (; p; p=p->syms_next) {
		Sym *sym = p->glibc && p->ghashtab ? versioned_symbol(p, name, h, version) : 0;
		if (sym) return (struct symdef){ sym, p };
	}
	return (struct symdef){ 0 };
}

/* The program's symbols for these libraries. */

static struct symdef find_in_table(const char *name)
{
	static const char prefix[] = "__glibc_";
	size_t l = strlen(name);
	char full[64 + sizeof prefix];
	if (l > 63) return (struct symdef){ 0 };
	memcpy(full, prefix, sizeof prefix);
	memcpy(full + sizeof prefix - 1, name, l+1);
	return find_sym2(&ldso, full, 1, 1);
}

static struct symdef find_alias(const char *name)
{
	static const char aliases[] =
#define ALIAS(name, same) #name "\0" #same "\0"
#include "../glibc/aliases.h"
	;
	const char *s, *same;
	for (s=aliases; *s; s=same+strlen(same)+1) {
		struct symdef def;
		same = s+strlen(s)+1;
		if (strcmp(s, name)) continue;
		def = find_in_table(same);
		return def.sym ? def : find_sym2(&ldso, same, 1, 1);
	}
	return get_lfs64(name);
}

/* Missing functions. Each has a stub in missing.s, which gives its number. */

#define STUBS 256

struct place { unsigned char jump[10]; };
extern weak hidden struct place __missing_stubs[STUBS];

static struct { const char *name, *user; } missing[STUBS];

hidden _Noreturn void __missing_called(size_t i)
{
	dprintf(2, "\n%s called %s, a function of glibc that this program does not have\n",
		missing[i].user, missing[i].name);
	abort();
}

static struct symdef make_stub(struct dso *p, const char *name)
{
	static Sym sym; /* read at once */
	size_t i;
	if (!&__missing_stubs[0]) return (struct symdef){ 0 };
	for (i=0; i<given.stubs && strcmp(missing[i].name, name); i++);
	if (i == STUBS) return (struct symdef){ 0 };
	if (i == given.stubs) {
		missing[i].name = name;
		missing[i].user = p->name;
		given.stubs++;
	}
	sym.st_info = STT_FUNC;
	sym.st_shndx = 1;
	sym.st_value = (size_t)(__missing_stubs+i) - (size_t)ldso.base;
	return (struct symdef){ &sym, &ldso };
}

/* Is the missing symbol only called, not read? */
static int is_function(const Sym *sym, int reloc)
{
	int type = sym->st_info & 0xf;
	return type == STT_FUNC || (type == STT_NOTYPE && reloc == REL_PLT);
}

static struct symdef find_for_glibc(struct dso *p, struct dso *scope, Sym *sym, int reloc)
{
	const char *name = p->strings + sym->st_name;
	size_t i = sym - p->syms;
	struct version v = version_of(p, i);
	int of_glibc = v.file && is_of_glibc(v.file);
	struct symdef def;

	/* Its own symbol, which is not the name's default version: no other object has it. */
	if (sym->st_shndx && p->versym && p->versym[i] < 0)
		return (struct symdef){ sym, p };
	def = v.name && !of_glibc ? find_versioned(scope, name, v.name) : find_in_table(name);
	if (!def.sym) def = find_sym(scope, name, reloc==REL_PLT);
	if (!def.sym && (of_glibc || !v.name)) def = find_alias(name);
	if (!def.sym && of_glibc && sym->st_info>>4 != STB_WEAK && is_function(sym, reloc))
		def = make_stub(p, name);
	return def;
}

/* Where dlsym() would give such a library libc's symbol, it answers as binding does. */
static struct symdef find_for_caller(void *caller, const char *name, struct symdef found)
{
	struct dso *p = addr2dso((size_t)caller);
	struct symdef def;
	if (!p || !p->glibc || (found.sym && found.dso != &ldso)) return found;
	def = find_in_table(name);
	if (!def.sym) def = found;
	return def.sym ? def : find_alias(name);
}

/* IFUNCs: functions that a resolver in the library chooses. */

static struct choice {
	size_t *slot, resolver, addend;
} *choices;
static size_t nchoices, room_for_choices;

static void resolve_later(struct dso *p, size_t *slot, size_t resolver, size_t addend)
{
	if (!is_code(p, (void *)resolver)) {
		error("Error relocating %s: the resolver of an IFUNC is not code", p->name);
		longjmp(*rtld_fail, 1);
	}
	if (nchoices == room_for_choices) {
		size_t room = 2*room_for_choices + 64;
		struct choice *more = room < SIZE_MAX/sizeof *more ? realloc(choices, room*sizeof *more) : 0;
		if (!more) {
			error("Error relocating %s: %m", p->name);
			longjmp(*rtld_fail, 1);
		}
		choices = more;
		room_for_choices = room;
	}
	choices[nchoices++] = (struct choice){ slot, resolver, addend };
}

/* Without arguments, as in x86's ABI. */
static size_t resolve_ifunc(size_t resolver)
{
	return ((size_t (*)(void))resolver)();
}

/* Dependencies come later in the list and are resolved first. Debuggers and the fuzz test, which watch the loader, are
 * told before, because this is the first code of the libraries that runs. */
static void resolve_ifuncs(void)
{
	if (nchoices) _dl_debug_state();
	while (nchoices) {
		struct choice *c = choices + --nchoices;
		*c->slot = resolve_ifunc(c->resolver) + c->addend;
	}
}

/* Thread-local storage at a fixed distance from the thread pointer (initial-exec), for libraries that declare such
 * access. Every thread has had room for it since its start (__init_tls.c). */

static size_t static_tls_end;

static int take_static_tls(struct dso *p)
{
	struct tls_module tls = p->tls;
	size_t flags, end;
	if (!search_vec(p->dynv, &flags, DT_FLAGS) || !(flags & DF_STATIC_TLS)
	    || tls.align > STATIC_TLS_ALIGN || tls.size > STATIC_TLS_SURPLUS) return 0;
	end = place_tls(&tls, given.static_tls);
	if (end > static_tls_end) return 0;
	given.static_tls = end;
	p->tls.offset = tls.offset;
	p->tls_static = 1;
	return 1;
}

/* A failed load, or the last thread on this stack, may have used the room. */
static unsigned char *static_tls(void *td, const struct tls_module *tls)
{
#ifdef TLS_ABOVE_TP
	unsigned char *p = (unsigned char *)td + sizeof(struct pthread) + tls->offset;
#else
	unsigned char *p = (unsigned char *)td - tls->offset;
#endif
	return memset(p, 0, tls->size);
}

/* For unwinders: the segment tables of the object that holds this code (dlfcn.h of glibc 2.35). It is called for each
 * frame of an exception, so results are kept; code that runs is never unmapped. The range is that of the segment,
 * because other objects may be between the program's segments. */

struct found_object {
	unsigned long long flags;
	void *start, *end;
	struct dso *map; /* begins as a struct link_map */
	void *eh_frame;
	unsigned long long reserved[7];
};

int __glibc__dl_find_object(void *pc, struct found_object *to)
{
	static struct found_object kept[64];
	static volatile int nkept;
	static volatile int keeping;
	struct dso *p;
	size_t i, n = nkept;

	a_barrier();
	for (i=0; i<n; i++) {
		if ((size_t)pc - (size_t)kept[i].start >= (size_t)kept[i].end - (size_t)kept[i].start) continue;
		*to = kept[i];
		return 0;
	}
	pthread_rwlock_rdlock(&lock);
	p = addr2dso((size_t)pc);
	pthread_rwlock_unlock(&lock);
	if (!p) return -1;
	*to = (struct found_object){ .map = p };
	for (i=0; i<p->phnum; i++) {
		const Phdr *ph = (void *)((char *)p->phdr + i*p->phentsize);
		char *start = (char *)laddr(p, ph->p_vaddr), *end = start + ph->p_memsz;
		if (ph->p_type == PT_GNU_EH_FRAME) to->eh_frame = start;
		if (ph->p_type != PT_LOAD || (char *)pc < start || (char *)pc >= end) continue;
		to->start = start;
		to->end = end;
	}
	if (!to->eh_frame) return -1;
	if (!a_cas(&keeping, 0, 1)) {
		if (nkept < countof(kept)) {
			kept[nkept] = *to;
			a_inc(&nkept);
		}
		a_store(&keeping, 0);
	}
	return 0;
}

/* dladdr(3) with glibc's extra value: 1 the symbol, 2 the object. */
int __glibc_dladdr1(const void *addr, Dl_info *info, void **extra, int what)
{
	int found = dladdr(addr, info);
	struct dso *p;
	size_t i;
	if (!found || !extra) return found;
	pthread_rwlock_rdlock(&lock);
	p = addr2dso((size_t)addr);
	pthread_rwlock_unlock(&lock);
	*extra = what == 2 ? p : 0;
	if (what == 1 && info->dli_sname) for (i=count_syms(p); i--; )
		if (p->strings + p->syms[i].st_name == info->dli_sname) *extra = p->syms+i;
	return found;
}
