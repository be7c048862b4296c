/* The end of a program of checks, after its table `checks`: names them all,
 * or runs the one that is asked for and says ok. */
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
