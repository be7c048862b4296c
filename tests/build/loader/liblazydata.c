/* The address of later() is in RELRO, so it cannot be bound lazily. */
int later(void);
int (*address_of_later(void))(void) { return later; }
