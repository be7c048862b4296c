/* Locales. libstdc++ reads glibc's struct (bits/types/__locale_t.h), and asks for glibc's own items of langinfo.h. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "atomic.h"
#include "locale_impl.h"
#include "table.h"
#if LOADS_GLIBC

#define CATEGORIES 13 /* LC_ALL is one of the numbers */

const unsigned short **__ctype_b_loc(void);

/* The tables of tolower and toupper, from -128 to 255. Beyond ASCII musl's have zeros, glibc's the bytes themselves,
 * which libstdc++ reads (std::tolower with a locale). */
static int32_t cases[2][384];

static const int32_t *table_of_cases(int upper)
{
	static volatile int filled;
	/* If two threads come here, they write the same. */
	if (!filled) {
		for (int i=0; i<384; i++) {
			int c = i - 128;
			cases[0][i] = c == -1 ? -1 : c < 0 ? c + 256 : tolower(c);
			cases[1][i] = c == -1 ? -1 : c < 0 ? c + 256 : toupper(c);
		}
		a_store(&filled, 1);
	}
	return cases[upper] + 128;
}

static const int32_t **of_thread(int upper)
{
	static _Thread_local const int32_t *tables[2];
	tables[upper] = table_of_cases(upper);
	return tables + upper;
}

const int32_t **G(__ctype_tolower_loc)(void) { return of_thread(0); }
const int32_t **G(__ctype_toupper_loc)(void) { return of_thread(1); }

/* musl's struct is at its start, and shorter: its functions take this one too. */
struct glibc_locale {
	union {
		struct __locale_struct musl;
		void *data[CATEGORIES];
	} u;
	const unsigned short *ctype_b;
	const int32_t *tolower, *toupper;
	const char *names[CATEGORIES];
};

static locale_t make(const struct __locale_struct *l)
{
	struct glibc_locale *g = calloc(1, sizeof *g);
	int i;
	if (!g) return 0;
	g->u.musl = *l;
	g->ctype_b = *__ctype_b_loc();
	g->tolower = table_of_cases(0);
	g->toupper = table_of_cases(1);
	for (i=0; i<CATEGORIES; i++)
		g->names[i] = i<LC_ALL && l->cat[i] ? l->cat[i]->name : "C";
	return &g->u.musl;
}

/* Without a base, categories outside the mask are C's; musl takes them from the environment. freelocale is the same. */
locale_t G(newlocale)(int mask, const char *name, locale_t base)
{
	const int all = (1<<CATEGORIES) - 1 - (1<<LC_ALL);
	struct __locale_struct l = base ? *base : __c_locale;
	if (mask == 1<<LC_ALL) mask = all; /* libstdc++ passes it so */
	if (!name || mask & ~all) {
		errno = EINVAL;
		return 0;
	}
	/* musl would change an object in place that is not its own. */
	if (!newlocale(mask & (1<<LC_ALL)-1, name, &l)) return 0;
	if (!base) return make(&l);
	*base = l;
	for (int i=0; i<LC_ALL; i++)
		((struct glibc_locale *)base)->names[i] = l.cat[i] ? l.cat[i]->name : "C";
	return base;
}
G_SAME(__newlocale, newlocale);

locale_t G(duplocale)(locale_t l)
{
	return make(l == LC_GLOBAL_LOCALE ? &libc.global_locale : l);
}
G_SAME(__duplocale, duplocale);

/* Items of LC_TIME for wide characters (_NL_WABDAY_1 to _NL_WT_FMT_AMPM) come in the order of the others. */
#define FIRST_WIDE 0x20034
#define WIDE_ITEMS 44

static const wchar_t *wide_time(int i)
{
	static wchar_t texts[WIDE_ITEMS][24];
	static volatile int made;
	if (!made) {
		/* If two threads come here, they write the same. */
		for (int k=0; k<WIDE_ITEMS; k++) {
			const char *s = nl_langinfo_l(ABDAY_1+k, C_LOCALE);
			for (size_t n=0; s[n] && n<23; n++) texts[k][n] = s[n];
		}
		a_barrier();
		made = 1;
	}
	return texts[i];
}

/* An item may be a number in place of the pointer, or a byte at it, or a wide text. */
char *G(nl_langinfo_l)(nl_item item, locale_t l)
{
	static const wchar_t empty[4];
	static const char unknown[] = { CHAR_MAX, 0 };
	if (l == LC_GLOBAL_LOCALE) l = &libc.global_locale;
	switch (item) {
	case CODESET: return l->cat[LC_CTYPE] ? "UTF-8" : "ANSI_X3.4-1968";
	case 0x10003: return (char *)(uintptr_t)'.'; /* _NL_NUMERIC_DECIMAL_POINT_WC */
	case 0x10004: return 0; /* _NL_NUMERIC_THOUSANDS_SEP_WC */
	case 0x4002b: case 0x4002c: return 0; /* _NL_MONETARY_DECIMAL_POINT_WC, _NL_MONETARY_THOUSANDS_SEP_WC */
	}
	if (item >= FIRST_WIDE && item < FIRST_WIDE+WIDE_ITEMS) return (char *)wide_time(item - FIRST_WIDE);
	/* __INT_FRAC_DIGITS to __N_SIGN_POSN, __INT_P_CS_PRECEDES to __INT_N_SIGN_POSN */
	if ((item >= 0x40007 && item <= 0x4000e) || (item >= 0x40010 && item <= 0x40015)) return (char *)unknown;
	if (item>>16 < LC_ALL) {
		char *s = nl_langinfo_l(item, l);
		if (*s) return s;
	}
	return (char *)empty;
}
G_SAME(__nl_langinfo_l, nl_langinfo_l);

char *G(nl_langinfo)(nl_item item)
{
	return G(nl_langinfo_l)(item, CURRENT_LOCALE);
}
#endif
