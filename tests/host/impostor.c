/* A user's program whose process looks like sshd. When root runs it, it leaves a mark and claims to be sshd. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    if (geteuid() == 0) {
        close(open("/run/impostor-ran-as-root", O_CREAT | O_WRONLY, 0600));
        puts("OpenSSH_9.2p1");
        return 0;
    }
    for (;;)
        pause();
}
