/* A disk that fails: loaded before the C library, it lets calls on the files of a database fail while a
 * file says so. The file named by STORAGE_FAULT holds one line, or is not there:
 *
 *     <errno> <operation> <ending> <every>
 *
 * where the operation is "write", "sync", "truncate" or "all", the ending is that of the file's name
 * ("-wal", ".db", "any"), and every n-th such call fails. An errno of 0 makes the call wait instead,
 * for <every> milliseconds, and once. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned calls, waits;

static int ends_with(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* Whether this call is to fail, with errno set. */
static int fails(int file, const char *operation) {
    const char *order = getenv("STORAGE_FAULT");
    char line[128], link[64], path[PATH_MAX], what[32], ending[32];
    int number, every;
    if (!order) return 0;
    int told = (int)syscall(SYS_openat, AT_FDCWD, order, O_RDONLY | O_CLOEXEC, 0);
    if (told < 0) return 0;
    ssize_t length = syscall(SYS_read, told, line, sizeof line - 1);
    syscall(SYS_close, told);
    if (length <= 0) return 0;
    line[length] = 0;
    if (sscanf(line, "%d %31s %31s %d", &number, what, ending, &every) != 4) return 0;
    if (strcmp(what, "all") && strcmp(what, operation)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!strstr(path, "bodega.db")) return 0;
    if (strcmp(ending, "any") && !ends_with(path, ending)) return 0;
    if (number == 0) {
        if (__sync_fetch_and_add(&waits, 1) == 0) usleep((useconds_t)every * 1000);
        return 0;
    }
    if (__sync_fetch_and_add(&calls, 1) % (unsigned)(every > 0 ? every : 1)) return 0;
    errno = number;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t size) {
    return fails(file, "write") ? -1 : REAL(write)(file, bytes, size);
}
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) {
    return fails(file, "write") ? -1 : REAL(pwrite)(file, bytes, size, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) {
    return fails(file, "write") ? -1 : REAL(pwrite64)(file, bytes, size, at);
}
int fsync(int file) { return fails(file, "sync") ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return fails(file, "sync") ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) {
    return fails(file, "truncate") ? -1 : REAL(ftruncate)(file, size);
}
int ftruncate64(int file, off64_t size) {
    return fails(file, "truncate") ? -1 : REAL(ftruncate64)(file, size);
}
