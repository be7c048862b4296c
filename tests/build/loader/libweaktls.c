extern __thread int nowhere_tls __attribute__((weak));
int *get_nowhere(void) { return &nowhere_tls; }
