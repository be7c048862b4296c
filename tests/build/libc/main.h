/* The main function of a program of checks, after its table `checks`: lists
 * them all, or runs the named one and prints ok. */
int main(int argc, char **argv)
{
	for (size_t i=0; i<sizeof checks/sizeof *checks; i++) {
		if (argc<2) puts(checks[i].name);
		else if (!strcmp(argv[1], checks[i].name)) {
			checks[i].run();
			puts("ok");
			return 0;
		}
	}
	return argc>1;
}
