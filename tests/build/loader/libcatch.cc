// Catches what libthrow.so throws. By (...): each may have a runtime library of its own.
extern "C" void throw_it(int *count);
extern "C" const char *throw_and_catch(void);

extern "C" const char *within(void) { return throw_and_catch(); }

extern "C" const char *across(void)
{
    int count = 0;
    try {
        throw_it(&count);
    } catch (...) {
        return count == 1 ? "across" : "guard did not run";
    }
    return "nothing was thrown";
}
