/* A disk that fails: calls that change what lies in one folder are counted, and the n-th gives an error.

   Loaded before the C library (LD_PRELOAD). AWD_DISK_FOLDER names the folder. disk_arm(n, error, lasting, kinds) makes
   the n-th call of the kinds (a sum of WRITE …) that comes from now on fail, and, if it is lasting, all that follow;
   error -1 is a write of half the bytes. disk_calls() says how many there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, RENAME = 2, LOCK = 4, SYNC = 8, OPEN = 16 };

static atomic_long calls;
static long wanted = -1;
static int error_given, lasting, kinds_wanted = 31;

void disk_arm(long n, int error, int lasts, int kinds) {
    atomic_store(&calls, 0);
    wanted = n, error_given = error, lasting = lasts, kinds_wanted = kinds;
}

long disk_calls(void) { return atomic_load(&calls); }

static int inside(const char *path) {
    const char *folder = getenv("AWD_DISK_FOLDER");
    return folder && *folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int inside_fd(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0) return 0;
    path[size] = 0;
    return inside(path);
}

/* 0: as ever; 1: fail, errno is set; 2: half. */
static int verdict(int kind) {
    if (!(kinds_wanted & kind)) return 0;
    long now = atomic_fetch_add(&calls, 1) + 1;
    if (wanted < 0 || (lasting ? now < wanted : now != wanted)) return 0;
    if (error_given == -1) return kind == WRITE ? 2 : 0;
    errno = error_given;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    int how = inside_fd(fd) ? verdict(WRITE) : 0;
    return how == 1 ? -1 : real(fd, data, how == 2 && size > 1 ? size / 2 : size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    int how = inside_fd(fd) ? verdict(WRITE) : 0;
    return how == 1 ? -1 : real(fd, data, how == 2 && size > 1 ? size / 2 : size, at);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

size_t fwrite(const void *data, size_t size, size_t count, FILE *file) {
    REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *);
    int how = inside_fd(fileno(file)) ? verdict(WRITE) : 0;
    return how == 1 ? 0 : real(data, size, how == 2 && count > 1 ? count / 2 : count, file);
}

int ftruncate64(int fd, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    return inside_fd(fd) && verdict(WRITE) == 1 ? -1 : real(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return inside(to) && verdict(RENAME) == 1 ? -1 : real(from, to);
}

int renameat(int one, const char *from, int other, const char *to) {
    REAL(int, "renameat", int, const char *, int, const char *);
    return inside(to) && verdict(RENAME) == 1 ? -1 : real(one, from, other, to);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return inside_fd(fd) && verdict(SYNC) == 1 ? -1 : real(fd);
}

int flock(int fd, int how) {
    REAL(int, "flock", int, int);
    return inside_fd(fd) && !(how & LOCK_UN) && verdict(LOCK) == 1 ? -1 : real(fd, how);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, "mkdir", const char *, mode_t);
    return inside(path) && verdict(OPEN) == 1 ? -1 : real(path, mode);
}

static int opened(const char *path, int flags) {
    return (flags & (O_CREAT | O_WRONLY | O_RDWR)) && inside(path) ? verdict(OPEN) : 0;
}

int open64(const char *path, int flags, ...) {
    REAL(int, "open64", const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return opened(path, flags) == 1 ? -1 : real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open64(path, flags, mode);
}
