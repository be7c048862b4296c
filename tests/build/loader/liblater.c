int later(void) { return 6; }
