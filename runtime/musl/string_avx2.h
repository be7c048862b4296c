/* More than a few vectors, with AVX2: 32 bytes at a time, in long loops 128.
 * string.c comes here after the first bytes, if they have no match and the
 * CPU has AVX2.
 *
 * Searches read aligned blocks in which at least one byte is known to exist:
 * never another page.
 */

#define with_avx2 __attribute__((__target__("avx2")))
#define avx2_function static __attribute__((__noinline__)) with_avx2

/* As in string.c, whose own cannot pass such vectors without AVX2. */
static inline with_avx2 wide load_32(const void *p)
{
	return *(const uwide *)p;
}

static inline with_avx2 void store_32(void *p, wide v)
{
	*(uwide *)p = v;
}

static inline with_avx2 wide all_32(unsigned char c)
{
	return (wide){ 0 } + c;
}

static inline with_avx2 wide eq_32(wide a, wide b)
{
	return (wide)(a==b);
}

static inline with_avx2 int any_32(wide v)
{
	typedef uint64_t words __attribute__((__vector_size__(32)));
	return !!__builtin_reduce_or((words)v);
}

static inline with_avx2 uint32_t bits_32(wide v)
{
	typedef char chars __attribute__((__vector_size__(32)));
	return __builtin_ia32_pmovmskb256((chars)v);
}

/* ---- copying and filling ---- */

/* Both for n>256. The end is read first, because the loop may overwrite it;
 * and the loop's first block is read before anything is written. */
static inline with_avx2 void *forwards_avx2(unsigned char *d, const unsigned char *s, size_t n)
{
	unsigned char *p = (void *)(((uintptr_t)d & -32)+32), *end = d+n-128;
	ptrdiff_t from = s-d;
	wide first = load_32(s), last[4], v[4];
	for (int k=0; k<4; k++) last[k] = load_32(s+n-128+32*k);
	for (int k=0; k<4; k++) v[k] = load_32(p+from+32*k);
	store_32(d, first);
	for (;;) {
		for (int k=0; k<4; k++) *(wide *)(p+32*k) = v[k];
		p += 128;
		if (p>=end) break;
		for (int k=0; k<4; k++) v[k] = load_32(p+from+32*k);
	}
	for (int k=0; k<4; k++) store_32(end+32*k, last[k]);
	return d;
}

static inline with_avx2 void *backwards_avx2(unsigned char *d, const unsigned char *s, size_t n)
{
	unsigned char *p = (void *)((uintptr_t)(d+n-1) & -32);
	ptrdiff_t from = s-d;
	wide last = load_32(s+n-32), first[4], v[4];
	for (int k=0; k<4; k++) first[k] = load_32(s+32*k);
	for (int k=0; k<4; k++) v[k] = load_32(p+from-32-32*k);
	store_32(d+n-32, last);
	for (;;) {
		for (int k=0; k<4; k++) *(wide *)(p-32-32*k) = v[k];
		p -= 128;
		if (p<=d+128) break;
		for (int k=0; k<4; k++) v[k] = load_32(p+from-32-32*k);
	}
	for (int k=0; k<4; k++) store_32(d+32*k, first[k]);
	return d;
}

/* n>128. */
avx2_function void *copy_avx2(unsigned char *d, const unsigned char *s, size_t n)
{
	wide v[8];
	if (n<=256) {
		for (int k=0; k<4; k++) v[k] = load_32(s+32*k), v[4+k] = load_32(s+n-128+32*k);
		for (int k=0; k<4; k++) store_32(d+32*k, v[k]), store_32(d+n-128+32*k, v[4+k]);
		return d;
	}
	if ((uintptr_t)d-(uintptr_t)s < n) return backwards_avx2(d, s, n);
	if (can_copy_by_instruction(d, s, n)) return copy_by_instruction(d, s, n);
	return forwards_avx2(d, s, n);
}

/* n>128. */
avx2_function void *fill_avx2(unsigned char *d, int c, size_t n)
{
	wide v = all_32(c);
	if (n > 256) {
		if (can_fill_by_instruction(n)) return fill_by_instruction(d, c, n);
		store_32(d, v);
		for (unsigned char *p = (void *)(((uintptr_t)d & -32)+32); p<d+n-128; p+=128)
			for (int k=0; k<4; k++) *(wide *)(p+32*k) = v;
	} else {
		for (int k=0; k<4; k++) store_32(d+32*k, v);
	}
	for (int k=0; k<4; k++) store_32(d+n-128+32*k, v);
	return d;
}

/* ---- comparing ---- */

/* n>=32. */
avx2_function int compare_avx2(const unsigned char *a, const unsigned char *b, size_t n)
{
	size_t i = 0;
	uint32_t m;
	for (; n-i > 128; i+=128) {
		wide same = eq_32(load_32(a+i), load_32(b+i));
		for (int k=1; k<4; k++) same &= eq_32(load_32(a+i+32*k), load_32(b+i+32*k));
		if (any_32(~same)) break;
	}
	for (; n-i > 32; i+=32)
		if ((m = ~bits_32(eq_32(load_32(a+i), load_32(b+i))))) goto differ;
	i = n-32;
	if (!(m = ~bits_32(eq_32(load_32(a+i), load_32(b+i))))) return 0;
differ:
	i += __builtin_ctz(m);
	return a[i]-b[i];
}

/* ---- searching ---- */

enum sought { CHARACTER, NULL_BYTE, EITHER };

static inline with_avx2 wide matches(const unsigned char *p, wide v, enum sought what)
{
	wide x = *(const wide *)p, zero = all_32(0);
	if (what==CHARACTER) return eq_32(x, v);
	return what==EITHER ? eq_32(x, zero) | eq_32(x, v) : eq_32(x, zero);
}

static inline with_avx2 wide matches_of_4(const unsigned char *p, wide v, enum sought what)
{
	return (matches(p, v, what) | matches(p+32, v, what)) | (matches(p+64, v, what) | matches(p+96, v, what));
}

/* From a byte that exists. A search for a null byte has no other end. */
static inline with_avx2 const unsigned char *search_avx2(const unsigned char *from, int c, const unsigned char *end, enum sought what)
{
	const unsigned char *p = (void *)((uintptr_t)from & -32);
	wide v = all_32(c);
	uint32_t m = bits_32(matches(p, v, what)) >> (from-p);
	if (m) {
		p = from;
		goto found;
	}
	for (int k=0; k<4; k++) {
		p += 32;
		if (p>=end) return 0;
		if ((m = bits_32(matches(p, v, what)))) goto found;
	}
	p = (void *)((uintptr_t)(p+32) & -128);
	while (p<end && !any_32(matches_of_4(p, v, what))) p += 128;
	if (p>=end) return 0;
	while (!(m = bits_32(matches(p, v, what)))) p += 32;
found:
	p += __builtin_ctz(m);
	return p<end ? p : 0;
}

#define NO_END ((const unsigned char *)-1)

avx2_function void *find_avx2(const unsigned char *from, int c, const unsigned char *end)
{
	return (void *)search_avx2(from, c, end, CHARACTER);
}

avx2_function const unsigned char *find_null_avx2(const unsigned char *from)
{
	return search_avx2(from, 0, NO_END, NULL_BYTE);
}

avx2_function char *find_end_avx2(const unsigned char *from, int c)
{
	return (char *)search_avx2(from, c, NO_END, EITHER);
}

/* From end back to start; there is at least one byte. */
avx2_function void *find_back_avx2(const unsigned char *end, int c, const unsigned char *start)
{
	const unsigned char *p = (void *)((uintptr_t)(end-1) & -32);
	wide v = all_32(c);
	uint32_t m = bits_32(matches(p, v, CHARACTER)) & (uint32_t)-1 >> (p+32-end);
	if (m) goto found;
	for (int k=0; k<4; k++) {
		if (p<=start) return 0;
		p -= 32;
		if ((m = bits_32(matches(p, v, CHARACTER)))) goto found;
	}
	p = (void *)((uintptr_t)(p+127) & -128);
	while (p>start && !any_32(matches_of_4(p-128, v, CHARACTER))) p -= 128;
	if (p<=start) return 0;
	do p -= 32; while (!(m = bits_32(matches(p, v, CHARACTER))));
found:
	p += 31-__builtin_clz(m);
	return p>=start ? (void *)p : 0;
}

/* As find_pair_16 in string.c. */
avx2_function const unsigned char *find_pair_avx2(const unsigned char *p, int a, int b, size_t far, const unsigned char *end)
{
	wide v = all_32(a), w = all_32(b);
	for (; end-p >= 64; p+=64)
		if (any_32((eq_32(load_32(p), v) & eq_32(load_32(p+far), w))
		      | (eq_32(load_32(p+32), v) & eq_32(load_32(p+far+32), w)))) break;
	return p;
}
