// Characters, strings, multibyte text, iconv, locales.
#include "check.h"
#include <cerrno>
#include <clocale>
#include <cstddef>
#include <initializer_list>
#include <cstdlib>
#include <cctype>
#include <cwchar>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <strings.h>
#include <csignal>
#include <unistd.h>
#include <wctype.h>
#include <uchar.h>

CHECK(character_classes)
{
	for (int c = -1; c < 256; c++) {
		int bits = 0, i = 0;
		for (auto is : { isalpha, isdigit, isalnum, isspace, isupper, islower, ispunct, iscntrl, isgraph, isprint, isxdigit, isblank })
			bits |= !!is(c) << i++;
		if (bits || c < 0) say("%d %x %d %d", c, bits, tolower(c), toupper(c));
	}
}

CHECK(character_tables)
{
	const unsigned short *b = *__ctype_b_loc();
	const int *lower = *__ctype_tolower_loc(), *upper = *__ctype_toupper_loc();
	unsigned long sum = 0;
	for (int c = -128; c < 256; c++) sum = sum * 31 + b[c] + 7 * lower[c] + 11 * upper[c];
	for (int c : { int('a'), int('Z'), int('0'), int(' '), int('_'), 0, 127 }) say("%x %d %d", b[c], lower[c], upper[c]);
	say("%lu", sum);
}

CHECK(wide_classes_of_ascii)
{
	for (wint_t c = 0; c < 128; c++) {
		int bits = 0, i = 0;
		for (auto is : { iswalpha, iswdigit, iswalnum, iswspace, iswupper, iswlower, iswpunct, iswcntrl, iswgraph, iswprint, iswxdigit, iswblank })
			bits |= !!is(c) << i++;
		say("%x %x %x", bits, (unsigned)towlower(c), (unsigned)towupper(c));
	}
	for (const char *name : { "alpha", "digit", "blank", "no-such-class" }) say("%d", iswctype(L'1', wctype(name)) != 0);
	say("%x %x", (unsigned)towctrans(L'a', wctrans("toupper")), (unsigned)towctrans(L'A', wctrans("tolower")));
}

CHECK(wide_classes_of_unicode)
{
	setlocale(LC_ALL, "C.UTF-8");
	for (wint_t c : { 0xe9, 0xc9, 0x3b1, 0x391, 0x416, 0x4e2d, 0x3000, 0x661, 0x1f600 })
		say("%d %d %d %d %d %x %x", iswalpha(c) != 0, iswupper(c) != 0, iswlower(c) != 0, iswspace(c) != 0, iswprint(c) != 0,
			(unsigned)towupper(c), (unsigned)towlower(c));
	setlocale(LC_ALL, "C");
}

CHECK(multibyte_text)
{
	setlocale(LC_ALL, "C.UTF-8");
	const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	mbstate_t state = {};
	wchar_t w = 0;
	for (const char *p = text; *p;) {
		size_t n = mbrtowc(&w, p, 10, &state);
		say("%zu %x", n, (unsigned)w);
		p += n;
	}
	say("%zd %d", (ssize_t)mbrtowc(&w, "\xe2\x82", 2, &state), mbsinit(&state));
	say("%zd %x", (ssize_t)mbrtowc(&w, "\xac", 1, &state), (unsigned)w);
	errno = 0;
	say("%zd %d", (ssize_t)mbrtowc(&w, "\xff", 1, &state), errno == EILSEQ);
	state = {};
	for (const char *bad : { "\xc0\x80", "\xed\xa0\x80", "\x80", "\xe2\x28" }) {
		say("%zd", (ssize_t)mbrtowc(&w, bad, 4, &state));
		state = {};
	}
	char b[20];
	for (wchar_t c : { 0x41, 0xe9, 0x20ac, 0x1f600 }) say("%d", wctomb(b, c));
	wchar_t ws[20];
	say("%zu %zu", mbstowcs(ws, text, 20), mbstowcs(nullptr, text, 0));
	say("%zu %s", wcstombs(b, ws, 20), b);
	say("%zd %zd", (ssize_t)mbstowcs(ws, "a\xff", 20), (ssize_t)mblen("\xc3\xa9", 2));
	const char *from = text;
	say("%zu %d", mbsnrtowcs(ws, &from, 3, 20, &state), (int)(from - text));
	const wchar_t *wide = L"a\xe9z";
	say("%zu %d", wcsnrtombs(b, &wide, 2, 20, &state), wide != nullptr);
	say("%zu", mbrlen("\xe2\x82\xac", 3, &state));
	setlocale(LC_ALL, "C");
}

CHECK(bytes_of_the_c_locale)
{
	setlocale(LC_ALL, "C");
	say("%d %s", (int)MB_CUR_MAX, nl_langinfo(CODESET));
	wchar_t w = 0;
	say("%d %x", mbtowc(&w, "a", 1), (unsigned)w);
	say("%d %d", btowc('x') == L'x', btowc(EOF) == (wint_t)WEOF);
	say("%d", wctob(L'y'));
}

CHECK(utf16_and_utf32)
{
	setlocale(LC_ALL, "C.UTF-8");
	char16_t c16 = 0;
	char32_t c32 = 0;
	mbstate_t state = {};
	say("%zd %x", (ssize_t)mbrtoc16(&c16, "\xf0\x9f\x98\x80", 4, &state), c16);
	say("%zd %x", (ssize_t)mbrtoc16(&c16, "", 0, &state), c16);
	say("%zd %x", (ssize_t)mbrtoc32(&c32, "\xe2\x82\xac", 3, &state), (unsigned)c32);
	char b[8];
	state = {};
	say("%zd", (ssize_t)c32rtomb(b, 0x20ac, &state));
	say("%zd %zd", (ssize_t)c16rtomb(b, 0xd83d, &state), (ssize_t)c16rtomb(b, 0xde00, &state));
	setlocale(LC_ALL, "C");
}

CHECK(string_searches)
{
	say("%s %s", strstr("hello world", "o w"), strcasestr("Hello World", "WORLD"));
	say("%d %d", strstr("abc", "") != nullptr, strstr("abc", "x") == nullptr);
	say("%s %s", (char *)memmem("hello", 5, "ll", 2), (char *)memrchr("hello", 'l', 5));
	say("%s %s %s", strrchr("a/b/c", '/'), index("abc", 'b'), rindex("abab", 'a'));
	say("%zu %zu %s", strspn("aabbc", "ab"), strcspn("hello", "lo"), strpbrk("hello", "xyzl"));
	say("%s", strchrnul("abc", 'b'));
	say("%d %d %d", ffs(8), ffsl(0), ffsll(1LL << 40));
}

CHECK(string_comparisons)
{
	auto sign = [](int x) { return (x > 0) - (x < 0); };
	say("%d %d %d", sign(strcmp("a", "b")), sign(strncmp("abc", "abd", 2)), sign(memcmp("\xff", "\x01", 1)));
	say("%d %d", sign(strcasecmp("ABC", "abd")), strncasecmp("ABCx", "abcy", 3));
	for (auto pair : { "a1 a2", "a9 a10", "a01 a1", "1.9 1.10", "a a", "000 00", "x0 x00" }) {
		char b[20], *second;
		strcpy(b, pair);
		second = strchr(b, ' ');
		*second++ = 0;
		say("%s %d", pair, sign(strverscmp(b, second)));
	}
	say("%d %zu", sign(strcoll("a", "B")), strxfrm(nullptr, "abc", 0));
	say("%d", sign(wcscoll(L"a", L"b")));
}

CHECK(string_copies)
{
	char b[16];
	memset(b, 'x', sizeof b);
	strncpy(b, "ab", 5);
	say("%d %d %c", b[2], b[4], b[5]);
	say("%s %td", strcpy(b, "abc"), stpcpy(b, "hello") - b);
	say("%td %s", stpncpy(b, "ab", 5) - b, b);
	say("%s", strncat(strcpy(b, "ab"), "cdef", 2));
	say("%s %zu", strndup("hello", 3), strnlen("hello", 3));
	say("%s", (char *)memccpy(b, "ab:cd", ':', 5) - 3);
	swab("abcd", b, 4);
	say("%.4s", b);
}

CHECK(tokens)
{
	char text[] = ",a,,b;c,", *rest, *token;
	for (token = strtok_r(text, ",;", &rest); token; token = strtok_r(nullptr, ",;", &rest)) say("%s", token);
	char again[] = "a,,b";
	rest = again;
	while ((token = strsep(&rest, ","))) say("[%s]", token);
	char third[] = "x y";
	say("%s", strtok(third, " "));
	say("%s", strtok(nullptr, " "));
	wchar_t wide[] = L"a b", *state;
	say("%ls", wcstok(wide, L" ", &state));
	say("%ls", wcstok(nullptr, L" ", &state));
	char options[] = "ro,size=5,unknown", *p = options, *value;
	char *const names[] = { (char *)"ro", (char *)"size", nullptr };
	while (*p) {
		int n = getsubopt(&p, names, &value);
		say("%d %s", n, value ? value : "-");
	}
}

CHECK(numbers_of_text)
{
	char *end;
	for (const char *s : { "1e10x", "  -1.5e-3", "infinity", "-INF", "nan(abc)", "0x1p-1000", "1e-400", "1e400", ".", "+.5", "0x", "1e+" }) {
		errno = 0;
		double d = strtod(s, &end);
		say("%s: %a %td %d", s, d == d ? d : 0, end - s, errno);
	}
	for (int base : { 0, 2, 8, 10, 16, 36, 1, 37 }) {
		errno = 0;
		long v = strtol("101z", &end, base);
		say("%d: %ld %d", base, v, errno);
	}
	errno = 0;
	say("%lu %d", strtoul("-1", nullptr, 10), errno);
	say("%llu %d", strtoull("99999999999999999999", nullptr, 10), errno);
	say("%d %ld %lld %g", atoi(" -42x"), atol("7"), atoll("8"), atof("1.5"));
	say("%Lg %g", strtold("1e4000", nullptr), strtof("1e-50", nullptr));
	say("%ld %lu", wcstol(L"0x1f", nullptr, 0), wcstoul(L"77", nullptr, 8));
}

CHECK(numbers_to_text)
{
	int point, sign;
	char b[30];
	say("%s", ecvt(-1234.5678, 6, &point, &sign));
	say("%d %d", point, sign);
	say("%s", fcvt(1234.5678, 2, &point, &sign));
	say("%d %d", point, sign);
	say("%s", gcvt(0.00012345, 3, b));
	say("%ld", a64l("./z"));
	say("%s", l64a(12345));
	div_t d = div(-7, 2);
	lldiv_t l = lldiv(7, -2);
	say("%d %d %lld %lld", d.quot, d.rem, l.quot, l.rem);
}

static void convert(const char *to, const char *from, const char *text, size_t size, size_t room = 60)
{
	iconv_t c = iconv_open(to, from);
	if (c == (iconv_t)-1) {
		say("%s %s: %d", to, from, errno);
		return;
	}
	char out[64] = {}, *o = out, *in = (char *)text;
	errno = 0;
	size_t r = iconv(c, &in, &size, &o, &room);
	int e = errno;
	size_t end = iconv(c, nullptr, nullptr, &o, &room);
	printf("%s %s: %zd %d, left %zu, %zd:", to, from, (ssize_t)r, r == (size_t)-1 ? e : 0, size, (ssize_t)end);
	for (char *p = out; p < o; p++) printf(" %02x", (unsigned char)*p);
	say("%s", "");
	iconv_close(c);
}

CHECK(iconv_sets)
{
	const char *text = "a\xc3\xa9";
	for (const char *to : { "UTF-8", "UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE", "UCS-2LE", "ISO-8859-1", "LATIN1", "ISO-8859-15", "CP1252",
			"WINDOWS-1252", "KOI8-R", "CP437", "ASCII", "US-ASCII", "utf8", "Utf-8", "ISO8859-1" })
		convert(to, "UTF-8", text, 3);
}

CHECK(iconv_of_other_alphabets)
{
	convert("KOI8-R", "UTF-8", "\xd0\x96\xd1\x8f", 4);
	convert("CP1251", "UTF-8", "\xd0\x96\xd1\x8f", 4);
	convert("UTF-8", "KOI8-R", "\xf6\xd1", 2);
	convert("UTF-8", "ISO-8859-7", "\xe1\xe2", 2);
	convert("UTF-8", "EUC-JP", "\xc6\xfc\xcb\xdc", 4);
	convert("UTF-8", "SHIFT_JIS", "\x93\xfa\x96\x7b", 4);
	convert("UTF-8", "GB18030", "\xd6\xd0\xce\xc4", 4);
	convert("UTF-8", "GBK", "\xd6\xd0", 2);
	convert("UTF-8", "BIG5", "\xa4\xa4\xa4\xe5", 4);
	convert("UTF-8", "EUC-KR", "\xc7\xd1", 2);
}

CHECK(iconv_faults)
{
	convert("UTF-16LE", "UTF-8", "a\xff", 2);
	convert("UTF-16LE", "UTF-8", "a\xe2\x82", 3);
	convert("UTF-8", "UTF-16LE", "a\0\x3d\xd8", 4);
	convert("UTF-32LE", "UTF-8", "abcd", 4, 9);
	convert("ASCII//IGNORE", "UTF-8", "a\xc3\xa9z", 4);
	convert("ISO-8859-1", "UTF-8", "\xc3\xa9\xe2\x82\xacz", 6);
	convert("no-such-set", "UTF-8", "", 0);
	convert("UTF-8", "no-such-set", "", 0);
}

CHECK(localeconv)
{
	struct lconv *l = localeconv();
	say("%s|%s|%s|%s|%s|%s", l->decimal_point, l->thousands_sep, l->grouping, l->int_curr_symbol, l->currency_symbol, l->mon_decimal_point);
	say("%d %d %d %d", l->int_frac_digits, l->frac_digits, l->p_cs_precedes, l->n_sign_posn);
}

CHECK(langinfo)
{
	for (int item : std::initializer_list<int>{ DAY_1, DAY_7, ABDAY_1, ABDAY_7, MON_1, MON_12, ABMON_1, ABMON_12, AM_STR, PM_STR, D_FMT, T_FMT, T_FMT_AMPM,
			ERA, ERA_D_FMT, ALT_DIGITS, RADIXCHAR, THOUSEP, YESEXPR, NOEXPR, CRNCYSTR, 0x7fff0000 })
		say("%s", nl_langinfo(item));
}

CHECK(names_of_locales)
{
	say("%s", setlocale(LC_ALL, nullptr));
	setlocale(LC_CTYPE, "C.UTF-8");
	say("%s", setlocale(LC_CTYPE, nullptr));
	say("%s", setlocale(LC_NUMERIC, nullptr));
	setlocale(LC_ALL, "C");
	say("%d", setlocale(LC_ALL, "not/there") == nullptr);
	say("%d", setlocale(99, "C") == nullptr);
	setenv("LC_ALL", "C.UTF-8", 1);
	say("%s", setlocale(LC_ALL, ""));
	unsetenv("LC_ALL");
	setlocale(LC_ALL, "C");
}

CHECK(locales_of_a_thread)
{
	locale_t u = newlocale(LC_ALL_MASK, "C.UTF-8", nullptr);
	locale_t before = uselocale(u);
	say("%zu %d", mbstowcs(nullptr, "\xc3\xa9", 0), before == LC_GLOBAL_LOCALE);
	say("%d %d %x", isalpha_l('a', u) != 0, iswalpha_l(0xe9, u) != 0, (unsigned)towupper_l(0xe9, u));
	say("%d", strcoll_l("a", "b", u) < 0);
	say("%s", strerror_l(2, u));
	uselocale(before);
	freelocale(u);
}

CHECK(texts_of_errors)
{
	for (int e = 0; e < 134; e++) say("%s", strerror(e));
	say("%s %s", strerror(-1), strerror(9999));
}

CHECK(texts_of_signals)
{
	for (int n = 1; n < 32; n++) say("%s", strsignal(n));
}

CHECK(wide_strings)
{
	wchar_t b[20];
	say("%ls %ls", wcscpy(b, L"abc"), wcscat(b, L"def"));
	say("%zu %zu %ls", wcsspn(L"aab", L"a"), wcscspn(L"abc", L"c"), wcspbrk(L"hello", L"l"));
	say("%ls %ls", wcsstr(L"hello", L"ll"), wcsrchr(L"a/b/c", L'/'));
	say("%d %d", wcsncmp(L"abc", L"abd", 2), wcscasecmp(L"ABC", L"abc"));
	say("%ls %d", wcsdup(L"dup"), wmemcmp(L"a", L"b", 1) < 0);
	say("%td %td", wcpcpy(b, L"xyz") - b, wmemchr(L"abc", L'c', 3) - L"abc" == 2 ? (std::ptrdiff_t)2 : 0);
	say("%d %d", wcwidth(L'a'), wcswidth(L"abc", 3));
	setlocale(LC_ALL, "C.UTF-8");
	say("%d %d %d", wcwidth(0x4e2d), wcwidth(0x301), wcwidth(7));
	setlocale(LC_ALL, "C");
}
