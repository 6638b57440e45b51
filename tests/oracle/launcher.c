/* An ELF file in the place of sshd or ssh: starts the program of another release by that release's own loader. A
   script in that place would not be run. FIXED holds the loader and its arguments, as C strings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *fixed[] = {FIXED};

int main(int argc, char **argv) {
    const int count = sizeof fixed / sizeof *fixed;
    char **arguments = calloc(count + argc + 1, sizeof *arguments);
    if (!arguments)
        return 126;
    for (int i = 0; i < count; i++)
        arguments[i] = fixed[i];
    for (int i = 1; i < argc; i++)
        arguments[count + i - 1] = argv[i];
    execv(fixed[0], arguments);
    perror(fixed[0]);
    return 126;
}
