/* Preloaded into a program that writes a ledger: what it does to the ledger, to its log, and to what else is beside it is
 * counted, and the program ends by SIGKILL at the CRASH_AT-th of these operations.
 *
 * With CRASH_BYTES that one is a write, and so much of it still happens (what is negative counts from its end). Otherwise
 * nothing of it happens, and what was done before is recorded in the file CRASH_RECORD:
 *   one letter, two names (without folders) that end with a zero each, offset and length (8 bytes each), and the bytes.
 *   W write, T truncate to `offset`, S flush to disk, D flush a folder, R rename, L link, U unlink
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static long operations;
static int record = -1;

#define REAL(name, result, ...) ((result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int is_of_ledger(const char *name) { return !strncmp(name, "ledger.duckdb", 13) && !strstr(name, ".sock"); }

/* The name of an open file of the ledger's; NULL for another one. */
static const char *name_of(int fd, char *path, size_t room) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, room - 1);
    if (length < 0) return NULL;
    path[length] = 0;
    const char *name = last_part(path);
    return is_of_ledger(name) ? name : NULL;
}

static void put(const void *bytes, size_t length) {
    for (const char *from = bytes; length;) {
        ssize_t written = syscall(SYS_write, record, from, length);
        if (written <= 0) abort();
        from += written, length -= (size_t)written;
    }
}

/* Counts an operation. Returns how many of its bytes happen before the end; -1 where this is not the end. */
static ssize_t count(char what, const char *name, const char *other, uint64_t offset, const void *bytes, uint64_t length) {
    const char *at = getenv("CRASH_AT"), *kept = getenv("CRASH_BYTES"), *to = getenv("CRASH_RECORD");
    if (!at || (kept && what != 'W')) return -1;
    if (++operations == atol(at)) {
        if (!kept) kill(getpid(), SIGKILL);
        long wanted = atol(kept);
        if (wanted < 0) wanted += (long)length;
        return wanted < 0 ? 0 : wanted > (long)length ? (ssize_t)length : wanted;
    }
    if (to && record < 0) record = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (to) {
        put(&what, 1), put(name, strlen(name) + 1), put(other, strlen(other) + 1);
        put(&offset, 8), put(&length, 8);
        if (bytes) put(bytes, length);
    }
    return -1;
}

static ssize_t at_place(const char *call, int fd, const void *from, size_t bytes, off_t place) {
    char path[4096];
    const char *name = name_of(fd, path, sizeof path);
    pthread_mutex_lock(&lock);
    ssize_t kept = name ? count('W', name, "", (uint64_t)place, from, bytes) : -1;
    if (kept >= 0) bytes = (size_t)kept;
    ssize_t written = REAL(call, ssize_t, int, const void *, size_t, off_t)(fd, from, bytes, place);
    if (kept >= 0) kill(getpid(), SIGKILL);
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t place) { return at_place("pwrite", fd, from, bytes, place); }

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t place) {
    return at_place("pwrite64", fd, from, bytes, place);
}

ssize_t write(int fd, const void *from, size_t bytes) {
    char path[4096];
    const char *name = name_of(fd, path, sizeof path);
    if (!name) return REAL("write", ssize_t, int, const void *, size_t)(fd, from, bytes);
    pthread_mutex_lock(&lock);
    int appends = fcntl(fd, F_GETFL) & O_APPEND;
    ssize_t kept = count('W', name, "", (uint64_t)lseek(fd, 0, appends ? SEEK_END : SEEK_CUR), from, bytes);
    if (kept >= 0) bytes = (size_t)kept;
    ssize_t written = REAL("write", ssize_t, int, const void *, size_t)(fd, from, bytes);
    if (kept >= 0) kill(getpid(), SIGKILL);
    pthread_mutex_unlock(&lock);
    return written;
}

static int truncated(const char *call, int fd, off_t length) {
    char path[4096];
    const char *name = name_of(fd, path, sizeof path);
    pthread_mutex_lock(&lock);
    if (name) count('T', name, "", (uint64_t)length, NULL, 0);
    int result = REAL(call, int, int, off_t)(fd, length);
    pthread_mutex_unlock(&lock);
    return result;
}

int ftruncate(int fd, off_t length) { return truncated("ftruncate", fd, length); }
int ftruncate64(int fd, off64_t length) { return truncated("ftruncate64", fd, length); }

/* What was begun before it is on disk when it returns. */
static int flushed(const char *call, int fd) {
    char path[4096];
    struct stat found;
    const char *name = name_of(fd, path, sizeof path);
    int is_folder = !fstat(fd, &found) && S_ISDIR(found.st_mode);
    pthread_mutex_lock(&lock);
    int result = REAL(call, int, int)(fd);
    if (name && !result) count('S', name, "", 0, NULL, 0);
    if (is_folder && !result) count('D', "", "", 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return result;
}

int fsync(int fd) { return flushed("fsync", fd); }
int fdatasync(int fd) { return flushed("fdatasync", fd); }

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    if (is_of_ledger(last_part(from))) count('R', last_part(from), last_part(to), 0, NULL, 0);
    int result = REAL("rename", int, const char *, const char *)(from, to);
    pthread_mutex_unlock(&lock);
    return result;
}

static int linked(int folder, const char *from, int other, const char *to, int flags) {
    int result = REAL("linkat", int, int, const char *, int, const char *, int)(folder, from, other, to, flags);
    if (!result && is_of_ledger(last_part(from))) count('L', last_part(from), last_part(to), 0, NULL, 0);
    return result;
}

int linkat(int folder, const char *from, int other, const char *to, int flags) {
    pthread_mutex_lock(&lock);
    int result = linked(folder, from, other, to, flags);
    pthread_mutex_unlock(&lock);
    return result;
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    if (is_of_ledger(last_part(path)) && !access(path, F_OK)) count('U', last_part(path), "", 0, NULL, 0);
    int result = REAL("unlink", int, const char *)(path);
    pthread_mutex_unlock(&lock);
    return result;
}

/* A file that is opened to be made, or to be emptied, has nothing in it then. */
static int opened(int folder, const char *path, int flags, mode_t mode) {
    const char *name = last_part(path);
    if (!is_of_ledger(name) || !(flags & (O_CREAT | O_TRUNC))) return (int)syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_lock(&lock);
    if ((flags & O_TRUNC) || faccessat(folder, path, F_OK, 0)) count('T', name, "", 0, NULL, 0);
    int result = (int)syscall(SYS_openat, folder, path, flags, mode);
    pthread_mutex_unlock(&lock);
    return result;
}

#define MODE(flags)                                                                                                      \
    mode_t mode = 0;                                                                                                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                                 \
        va_list more;                                                                                                      \
        va_start(more, flags);                                                                                             \
        mode = va_arg(more, mode_t);                                                                                       \
        va_end(more);                                                                                                      \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return opened(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags)
    return opened(folder, path, flags | O_LARGEFILE, mode);
}
