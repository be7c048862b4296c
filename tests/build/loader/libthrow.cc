// Throws through its caller.
#include <stdexcept>

struct Guard {
    int *count;
    ~Guard() { ++*count; }
};

extern "C" void throw_it(int *count)
{
    Guard guard{count};
    throw std::runtime_error("across");
}

extern "C" const char *throw_and_catch(void)
{
    static char text[16];
    int count = 0;
    try {
        Guard guard{&count};
        throw std::runtime_error("within");
    } catch (const std::exception &e) {
        __builtin_strncpy(text, e.what(), sizeof text - 1);
    }
    return count == 1 ? text : "guard did not run";
}
