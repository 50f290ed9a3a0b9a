/* Makes writes to regular files fail for want of space as long as the file exists that DISK_IS_FULL names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int full(int fd)
{
    const char *flag = getenv("DISK_IS_FULL");
    struct stat file;
    return flag && access(flag, F_OK) == 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

#define REFUSE(name, type, ...)                                   \
    if (full(fd)) {                                               \
        errno = ENOSPC;                                           \
        return -1;                                                \
    }                                                             \
    type (*real)() = (type (*)())dlsym(RTLD_NEXT, name);          \
    if (!real)                                                    \
        abort();                                                  \
    return real(fd, __VA_ARGS__)

ssize_t write(int fd, const void *bytes, size_t count)
{
    REFUSE("write", ssize_t, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    REFUSE("pwrite", ssize_t, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    REFUSE("pwrite64", ssize_t, bytes, count, at);
}
