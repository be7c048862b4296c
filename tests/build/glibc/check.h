// Included first by each file of checks. A check prints facts; its output under glibc is the right one.
#pragma once
#include <cstdio>

struct check {
	const char *name;
	void (*run)();
	check *next;
};
extern "C" check *checks;
extern "C" int say(const char *, ...) __attribute__((format(printf, 1, 2)));

#define CHECK(name) \
	static void run_##name(); \
	static check check_##name = { #name, run_##name, nullptr }; \
	__attribute__((constructor)) static void add_##name() { check_##name.next = checks; checks = &check_##name; } \
	static void run_##name()
