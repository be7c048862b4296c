/* Much data that needs relocation; linked with each kind of relocation table. */
int plain(void) { return 3; }
static int numbers[3] = { 1, 2, 3 };
int *const table[] = { numbers, numbers+1, numbers+2, numbers, numbers+1, numbers+2 };
int (*const calls[])(void) = { plain, plain };
int plain_sum(void)
{
	int s = 0;
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++) s += *table[i];
	for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) s += calls[i]();
	return s;
}
