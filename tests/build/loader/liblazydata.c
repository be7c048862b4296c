/* The address of later() lies under RELRO: it cannot be bound lazily. */
int later(void);
int (*address_of_later(void))(void) { return later; }
