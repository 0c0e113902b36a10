/* Counts what a process does to files, and ends it at a chosen count with SIGKILL.
 *
 * Loaded before libc (LD_PRELOAD). Writing, syncing, truncating, renaming, linking and removing count when
 * they concern a regular file or a folder; the process dies just before the act of that number.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long done;
static atomic_long last = 0;

void killer_arm(long kill_at) { atomic_store(&done, 0); atomic_store(&last, kill_at); }
long killer_count(void) { return atomic_load(&done); }

static void act(void) {
    long number = atomic_fetch_add(&done, 1) + 1;
    if (number == atomic_load(&last)) kill(getpid(), SIGKILL);
}

static void act_on(int fd) {
    struct stat facts;
    if (fstat(fd, &facts) == 0 && (S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode))) act();
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t write(int fd, const void *data, size_t size) { REAL(write); act_on(fd); return real(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { REAL(pwrite); act_on(fd); return real(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { REAL(pwrite64); act_on(fd); return real(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *data, int count) { REAL(writev); act_on(fd); return real(fd, data, count); }
int fsync(int fd) { REAL(fsync); act_on(fd); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); act_on(fd); return real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); act_on(fd); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); act_on(fd); return real(fd, size); }
int rename(const char *from, const char *to) { REAL(rename); act(); return real(from, to); }
int renameat(int a, const char *from, int b, const char *to) { REAL(renameat); act(); return real(a, from, b, to); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { REAL(renameat2); act(); return real(a, from, b, to, flags); }
int link(const char *from, const char *to) { REAL(link); act(); return real(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) { REAL(linkat); act(); return real(a, from, b, to, flags); }
int unlink(const char *path) { REAL(unlink); act(); return real(path); }
int unlinkat(int fd, const char *path, int flags) { REAL(unlinkat); act(); return real(fd, path, flags); }
