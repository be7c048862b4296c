int MISSING(void);
int call_missing(void) { return MISSING(); }
