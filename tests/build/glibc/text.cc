// Numbers and text: printf, scanf, strtol, locales, regular expressions, iconv, sorting.
#include "check.h"
#include <algorithm>
#include <cerrno>
#include <climits>
#include <clocale>
#include <cmath>
#include <codecvt>
#include <cstdlib>
#include <cstring>
#include <iconv.h>
#include <iomanip>
#include <langinfo.h>
#include <locale>
#include <random>
#include <regex.h>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string.h>
#include <vector>
#include <wchar.h>

extern "C" int __xpg_strerror_r(int, char *, size_t);

CHECK(streams)
{
	std::ostringstream o;
	o.imbue(std::locale::classic());
	o << 1234567.5 << ' ' << std::hex << 255 << ' ' << std::setprecision(3) << M_PI << ' ' << std::boolalpha << true;
	say("%s", o.str().c_str());
	std::istringstream i("12 0x1f 3.5e3 word");
	int a, b;
	double d;
	std::string s;
	i >> a >> std::hex >> b >> d >> s;
	say("%d %d %g %s", a, b, d, s.c_str());
}

CHECK(named_locale)
{
	std::locale l("C.UTF-8");
	std::ostringstream o;
	std::wostringstream w;
	o.imbue(l);
	w.imbue(l);
	o << 1234567 << ' ' << 1.5 << ' ' << std::put_money(1234.0L);
	w << L"x" << 1.5 << 1234567;
	auto &narrow = std::use_facet<std::ctype<char>>(l);
	auto &wide = std::use_facet<std::ctype<wchar_t>>(l);
	say("%s %ls %c %d %lc %d %s", o.str().c_str(), w.str().c_str(), narrow.toupper('a'), std::isalpha('b', l),
		(wint_t)wide.toupper(L'a'), wide.is(std::ctype_base::alpha, 0xe9), l.name().c_str());
	say("%x", (unsigned)wide.toupper(0xe9));
}

CHECK(money_and_times_of_a_locale)
{
	std::locale l("C.UTF-8");
	auto &money = std::use_facet<std::moneypunct<char>>(l);
	say("%d %s %s", money.frac_digits(), money.curr_symbol().c_str(), money.negative_sign().c_str());
	auto &numbers = std::use_facet<std::numpunct<wchar_t>>(l);
	say("%lc %s %ls", (wint_t)numbers.decimal_point(), numbers.grouping().c_str(), numbers.truename().c_str());
	std::wostringstream w;
	w.imbue(l);
	std::tm t{};
	t.tm_year = 100;
	t.tm_mday = 2;
	w << std::put_time(&t, L"%Y-%m-%d %A %b %p");
	say("%ls", w.str().c_str());
	std::wistringstream in(L"Tuesday 5 March 2024");
	in.imbue(l);
	std::tm got{};
	in >> std::get_time(&got, L"%A %d %B %Y");
	say("%d %d %d %d %d", in.fail(), got.tm_wday, got.tm_mday, got.tm_mon, got.tm_year);
}

CHECK(unknown_locale)
{
	try {
		std::locale l("xx_YY");
		say("found");
	} catch (std::runtime_error &e) {
		say("%s", e.what());
	}
	say("%d %d", newlocale(LC_ALL_MASK, "xx_YY", nullptr) == nullptr, errno);
	say("%d %d", newlocale(1 << 20, "C", nullptr) == nullptr, errno);
}

CHECK(locale_objects)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", nullptr), u = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
	say("%s %s", nl_langinfo_l(CODESET, c), nl_langinfo_l(CODESET, u));
	say("%s %s %s", nl_langinfo_l(RADIXCHAR, u), nl_langinfo_l(DAY_1, u), nl_langinfo_l(ABMON_12, u));
	locale_t d = duplocale(u), old = uselocale(d);
	say("%d %d", old == LC_GLOBAL_LOCALE, uselocale(nullptr) == d);
	wchar_t w[4];
	say("%zu %d", mbstowcs(w, "\xc3\xa9", 4), toupper_l('x', u));
	say("%d", uselocale(LC_GLOBAL_LOCALE) == d);
	c = newlocale(LC_CTYPE_MASK, "C.UTF-8", c);
	say("%s %.2f %ld", nl_langinfo_l(CODESET, c), strtod_l("1.25", nullptr, c), strtol_l("77", nullptr, 8, c));
	freelocale(c);
	freelocale(u);
	freelocale(d);
}

CHECK(setlocale)
{
	const char *names[] = { "C", "POSIX", "C.UTF-8", "xx_YY.UTF-8" };
	for (auto name : names) {
		const char *got = setlocale(LC_ALL, name);
		say("%s: %s", name, got ? got : "none");
	}
	setlocale(LC_ALL, "C");
}

CHECK(std_regex)
{
	std::smatch m;
	std::string s = "abc-123";
	bool matched = std::regex_match(s, m, std::regex("([a-z]+)-(\\d+)"));
	say("%d %s %s", matched, m[1].str().c_str(), m[2].str().c_str());
}

static void match(const char *pattern, const char *text, int flags, int how)
{
	regex_t re;
	regmatch_t m[4];
	memset(m, 0x55, sizeof m);
	m[0].rm_so = 2;
	m[0].rm_eo = 9;
	int r = regcomp(&re, pattern, flags);
	if (r) {
		say("%s: %d", pattern, r);
		return;
	}
	r = regexec(&re, text, 4, m, how);
	say("%s: %zu %d %d-%d %d-%d %d-%d", pattern, re.re_nsub, r, r ? 0 : m[0].rm_so, r ? 0 : m[0].rm_eo,
		r ? 0 : m[1].rm_so, r ? 0 : m[1].rm_eo, r ? 0 : m[3].rm_so, r ? 0 : m[3].rm_eo);
	regfree(&re);
}

CHECK(posix_regex)
{
	match("([a-z]+)-([0-9]+)", "xx abc-123", REG_EXTENDED, 0);
	match("\\(b*\\)c", "aabbc", 0, 0);
	match("B", "abc", REG_ICASE, 0);
	match("^b", "abc", REG_EXTENDED, 0);
	match("^b", "abc", REG_EXTENDED, REG_NOTBOL);
	match("(a)|(b)", "b", REG_EXTENDED, 0);
	match("([a-z]+)", "0 abcdef ghij", REG_EXTENDED, REG_STARTEND);
	match("x", "0 abcdef ghxij", REG_EXTENDED, REG_STARTEND);
	match("a(b", "ab", REG_EXTENDED, 0);
	match("[b", "ab", REG_EXTENDED, 0);
	match("b", "abc", REG_NOSUB, 0);
}

CHECK(many_groups)
{
	regex_t re;
	regmatch_t m[40];
	std::string pattern;
	for (int i = 0; i < 30; i++) pattern += "(a)";
	say("%d", regcomp(&re, pattern.c_str(), REG_EXTENDED));
	say("%d %zu", regexec(&re, std::string(30, 'a').c_str(), 40, m, 0), re.re_nsub);
	say("%d %d %d %d", m[30].rm_so, m[30].rm_eo, m[31].rm_so, m[39].rm_eo);
	regfree(&re);
}

CHECK(strerror)
{
	char buf[80];
	for (int e : { 0, 1, 2, 11, 22, 110, 9999 }) say("%s", strerror_r(e, buf, sizeof buf));
	int r = __xpg_strerror_r(2, buf, sizeof buf);
	say("%d %s", r, buf);
}

CHECK(basename)
{
	for (const char *p : { "/a/b", "a", "/a/b/", "" }) say("[%s]", basename(p));
}

CHECK(strings)
{
	char buf[16];
	say("%s %td", (char *)mempcpy(buf, "abc", 4) - 4, (char *)rawmemchr("hello", 'l') - (char *)0 > 0 ? (ptrdiff_t)1 : 0);
	say("%d %d", strverscmp("a9", "a10") < 0, strcasecmp("ABC", "abd") < 0);
	say("%s", strchrnul("abc", 'x'));
}

CHECK(printf_formats)
{
	char buf[200];
	errno = ENOENT;
	snprintf(buf, sizeof buf, "%a|%Lf|%zu|%5.2e|%ls|%m|%-5d|%+d|%#x|%05.1f|%hhd|%lld", 1.5, 2.5L, (size_t)3, 12345.678,
		L"w", 7, 7, 255, 2.25, 300, LLONG_MIN);
	say("%s", buf);
	say("%d", snprintf(nullptr, 0, "%s", "hello"));
	say("%2$s %1$s", "a", "b");
	wchar_t w[50];
	say("%d", swprintf(w, 50, L"%ls-%s-%d", L"x", "y", 5));
	say("%ls", w);
	char *made = nullptr;
	say("%d %s", asprintf(&made, "%d", 42), made ? made : "");
	free(made);
}

CHECK(scanf_formats)
{
	int a = 0, n = 0;
	float f = 0;
	char *m = nullptr, set[8] = "";
	int r = sscanf("12 3.5 abc xyz1", "%d %f %ms %7[a-z]%n", &a, &f, &m, set, &n);
	say("%d %d %g %s %s %d", r, a, f, m ? m : "", set, n);
	free(m);
	unsigned x = 0;
	r = sscanf("0x1f", "%i", &x);
	say("%d %u", r, x);
	say("%d", sscanf("", "%d", &a));
}

CHECK(numbers)
{
	char *end;
	for (const char *s : { "12", "-0x1f", "077", "99999999999999999999", "", "z", "-99999999999999999999", " +5x" }) {
		errno = 0;
		long v = strtol(s, &end, 0);
		say("%s: %ld %td %d", s, v, end - s, errno == ERANGE);
	}
	say("%g %g %g", strtod("1e400", nullptr), strtod("nan", nullptr) != 0, strtod("0x1.8p1", nullptr));
	char buf[40];
	say("%d %s", strfromd(buf, sizeof buf, "%.3f", 2.0 / 3), buf);
	say("%d %s", strfromf(buf, sizeof buf, "%g", 0.1f), buf);
}

CHECK(iconv_names)
{
	for (const char *to : { "ASCII//TRANSLIT", "WCHAR_T", "UTF-16LE", "ISO-8859-1", "no-such-set" }) {
		iconv_t c = iconv_open(to, "UTF-8");
		say("%s %d", to, c != (iconv_t)-1);
		if (c != (iconv_t)-1) iconv_close(c);
	}
	iconv_t c = iconv_open("WCHAR_T", "UTF-8");
	char in[] = "\xc3\xa9", *from = in;
	wchar_t out[4] = {}, *to = out;
	size_t left = 2, room = sizeof out;
	size_t r = iconv(c, &from, &left, (char **)&to, &room);
	say("%zu %x %zu %zu", r, (unsigned)out[0], left, room);
	iconv_close(c);
}

CHECK(stable_sort)
{
	struct Item { int key, at; };
	for (int n : { 10, 127, 128, 129, 5000 }) {
		std::vector<Item> items;
		for (int i = 0; i < n; i++) items.push_back({ i * 7919 % 13, i });
		qsort(items.data(), n, sizeof(Item), [](const void *a, const void *b) { return ((Item *)a)->key - ((Item *)b)->key; });
		long sum = 0;
		for (int i = 0; i < n; i++) sum = (sum * 31 + items[i].at) % 1000003;
		say("%d %ld", n, sum);
	}
	int down = -1, v[] = { 3, 1, 2 };
	qsort_r(v, 3, sizeof *v, [](const void *a, const void *b, void *sign) {
		return *(int *)sign * (*(int *)a - *(int *)b); }, &down);
	say("%d %d %d", v[0], v[1], v[2]);
}

CHECK(random_sequences)
{
	say("%ld %ld %d", random(), random(), rand());
	srand(42);
	say("%d %d", rand(), rand());
	srandom(0);
	say("%ld", random());
	srandom(4000000000u);
	long sum = 0;
	for (int i = 0; i < 1000; i++) sum = (sum * 31 + random()) % 1000003;
	say("%ld", sum);
	unsigned seed = 5;
	say("%d %d %u", rand_r(&seed), rand_r(&seed), seed);
	std::mt19937 twister(1);
	say("%u", (unsigned)twister());
	srand48(3);
	say("%ld %.12f", lrand48(), drand48());
	std::random_device device;
	say("%d", device() == device());
}

CHECK(wide)
{
	std::wstring_convert<std::codecvt_utf8<wchar_t>> c;
	say("%x %s", (unsigned)c.from_bytes("\xc3\xa9")[0], c.to_bytes(L"\x20ac").c_str());
	wchar_t *end;
	say("%ld %g", wcstol(L"-12x", &end, 10), wcstod(L"2.5", nullptr));
	say("%d %d", wcscmp(L"a", L"b") < 0, (int)wcslen(L"abc"));
}
