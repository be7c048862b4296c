/* Random numbers for a program of checks; the environment variable SEED is the seed. */
static unsigned next_random(void)
{
	static unsigned s;
	if (!s) {
		const char *seed = getenv("SEED");
		s = seed ? strtoul(seed, 0, 10) : 1;
		if (!s) s = 1;
	}
	s ^= s<<13;
	s ^= s>>17;
	return s ^= s<<5;
}
