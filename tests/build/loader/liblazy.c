/* May be bound lazily: later() is in a library loaded afterwards. */
int later(void);
int call_later(void) { return later(); }
int here(void) { return 5; }
