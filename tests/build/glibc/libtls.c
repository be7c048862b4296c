/* Initial-exec TLS, like libgomp's. */
static __thread int value __attribute__((tls_model("initial-exec"))) = 42;
static __thread char zero[100] __attribute__((tls_model("initial-exec")));
int get(void) { return value + zero[3]; }
void set(int x) { value = x; zero[3] = 1; }
