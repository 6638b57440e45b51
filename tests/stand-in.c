/* An ELF file in the place of sshd: runs the script PROGRAM.sh with its own arguments. A script in that place
   would not be run at all. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    static char script[PATH_MAX + 4];
    ssize_t length = readlink("/proc/self/exe", script, PATH_MAX);
    char **arguments = calloc(argc + 2, sizeof *arguments);
    if (length < 0 || !arguments)
        return 126;
    sprintf(script + length, ".sh");
    arguments[0] = "bash";
    arguments[1] = script;
    for (int i = 1; i < argc; i++)
        arguments[i + 1] = argv[i];
    execv("/bin/bash", arguments);
    perror(script);
    return 126;
}
