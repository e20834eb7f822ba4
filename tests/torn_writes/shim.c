/* Preloaded into a program: ends it by SIGKILL in the middle of a write to its ledger, to its log, or to what else is beside
 * it. TORN_AT is the number of that write, TORN_BYTES how much of it still happens (what is negative counts from its end).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long writes;

/* How many bytes of a write happen before the end; -1 where this is not the one. */
static ssize_t torn(int fd, size_t bytes) {
    char link[64], path[4096];
    const char *at = getenv("TORN_AT"), *kept = getenv("TORN_BYTES");
    if (!at || !kept) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    if (!strstr(path, "/ledger.duckdb") || strstr(path, ".sock")) return -1;
    if (atomic_fetch_add(&writes, 1) + 1 != atol(at)) return -1;
    long wanted = atol(kept);
    if (wanted < 0) wanted += (long)bytes;
    return wanted < 0 ? 0 : wanted > (long)bytes ? (ssize_t)bytes : wanted;
}

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

static ssize_t at_place(const char *name, int fd, const void *from, size_t bytes, off_t place) {
    ssize_t (*real)(int, const void *, size_t, off_t) = REAL(name, ssize_t(*)(int, const void *, size_t, off_t));
    ssize_t kept = torn(fd, bytes);
    if (kept >= 0) {
        if (kept > 0) real(fd, from, (size_t)kept, place);
        kill(getpid(), SIGKILL);
    }
    return real(fd, from, bytes, place);
}

ssize_t pwrite(int fd, const void *from, size_t bytes, off_t place) { return at_place("pwrite", fd, from, bytes, place); }

ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t place) {
    return at_place("pwrite64", fd, from, bytes, place);
}

ssize_t write(int fd, const void *from, size_t bytes) {
    ssize_t (*real)(int, const void *, size_t) = REAL("write", ssize_t(*)(int, const void *, size_t));
    ssize_t kept = torn(fd, bytes);
    if (kept >= 0) {
        if (kept > 0) real(fd, from, (size_t)kept);
        kill(getpid(), SIGKILL);
    }
    return real(fd, from, bytes);
}
