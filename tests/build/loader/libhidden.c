/* Data in RELRO, and data next to it that stays writable. */
int state = 1;
int writable = 1;
__attribute__((constructor)) static void init(void) { state = 2; }
int const_value(void) { return state; }
int *const relro_pointer = &state;
int *const *relro_address(void) { return &relro_pointer; }
