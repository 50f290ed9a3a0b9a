/* Makes every fsync and fdatasync take 4 ms at least: a slow disk, the same on every machine.
 *
 *   cc -O2 -shared -fPIC -o fsync4ms.so fsync4ms.c
 *   LD_PRELOAD=./fsync4ms.so hallpass serve
 *
 * The real call is made, so durability is what it was; only the rest of the 4 ms is slept. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define NANOS 4000000L

static int slow(const char *name, int fd)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += NANOS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }

    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (!real)
        abort();
    int result = real(fd);
    int error = errno;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
    errno = error;
    return result;
}

int fsync(int fd)
{
    return slow("fsync", fd);
}

int fdatasync(int fd)
{
    return slow("fdatasync", fd);
}
