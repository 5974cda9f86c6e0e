/*
 * A disk that fails on command, for one process: LD_PRELOAD it. Only regular files below $FAULTY_DISK_ROOT are touched.
 *
 * $FAULTY_DISK_CONTROL is a file of sizeof(struct control) bytes that whoever tests maps too: commands go in, counts come
 * out, at once. $FAULTY_DISK_LEDGER is a folder where it notes, by inode, what a loss of power would leave:
 *   INODE       u64: how many bytes of the file were synced (no such file: none)
 *   INODE.undo  what was in the synced bytes that were overwritten since the last sync: { u64 offset, u64 length, bytes }
 * Whoever tests kills the process, then cuts each file back to that (power-loss.ts). Names of files are not undone.
 *
 * LevelDB writes through stdio (fwrite_unlocked, fflush_unlocked), everybody else by write and pwrite.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#undef fwrite_unlocked
#undef fflush_unlocked

enum { SYNC_HONEST = 0, SYNC_FAILS = 1, SYNC_LIES = 2, SYNC_HANGS = 3 };

struct control {
  uint32_t sync_mode;      /* SYNC_* */
  uint32_t sync_after;     /* SYNC_FAILS: so many syncs are still honest */
  uint32_t sync_once;      /* SYNC_FAILS: 1: only one fails */
  uint32_t hang_ms;        /* SYNC_HANGS: at most so long, and no longer than the mode is on */
  uint32_t is_full;        /* 1: `space_left` is what can still be written */
  uint32_t unused;
  int64_t space_left;      /* bytes; the write that does not fit is cut there and fails */
  uint64_t syncs;          /* counts, since the control file was made */
  uint64_t syncs_failed;
  uint64_t syncs_lied;
  uint64_t syncs_hung;
  uint64_t writes_refused;
};

static volatile struct control *control;
static const char *root;
static size_t root_length;
static const char *ledger;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static size_t (*real_fwrite)(const void *, size_t, size_t, FILE *);
static int (*real_fflush)(FILE *);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);

__attribute__((constructor)) static void begin(void) {
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_write = dlsym(RTLD_NEXT, "write");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_fwrite = dlsym(RTLD_NEXT, "fwrite_unlocked");
  real_fflush = dlsym(RTLD_NEXT, "fflush_unlocked");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_rename = dlsym(RTLD_NEXT, "rename");
  root = getenv("FAULTY_DISK_ROOT");
  ledger = getenv("FAULTY_DISK_LEDGER");
  const char *path = getenv("FAULTY_DISK_CONTROL");
  if (root == NULL || ledger == NULL || path == NULL) return;
  root_length = strlen(root);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) control = page;
}

/* Is it a regular file below the root? Sockets and pipes are told by one fstat. */
static int is_ours(int fd, struct stat *info) {
  if (control == NULL || fstat(fd, info) != 0 || !S_ISREG(info->st_mode)) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  return length > (ssize_t)root_length && memcmp(path, root, root_length) == 0 && path[root_length] == '/';
}

static int open_note(ino_t inode, const char *suffix, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%llu%s", ledger, (unsigned long long)inode, suffix);
  return open(path, flags | O_CLOEXEC, 0600);
}

static uint64_t synced_bytes(ino_t inode) {
  uint64_t size = 0;
  int fd = open_note(inode, "", O_RDONLY);
  if (fd < 0) return 0;
  if (pread(fd, &size, sizeof size, 0) != sizeof size) size = 0;
  close(fd);
  return size;
}

static void note_synced(int file) {
  struct stat info;
  if (fstat(file, &info) != 0) return;
  uint64_t size = (uint64_t)info.st_size;
  int fd = open_note(info.st_ino, "", O_WRONLY | O_CREAT);
  if (fd >= 0) {
    real_pwrite(fd, &size, sizeof size, 0);
    close(fd);
  }
  fd = open_note(info.st_ino, ".undo", O_WRONLY);
  if (fd >= 0) {
    if (ftruncate(fd, 0) != 0) abort();
    close(fd);
  }
}

/* Before synced bytes are overwritten: what they were. */
static void note_overwritten(int file, ino_t inode, uint64_t offset, size_t length) {
  uint64_t synced = synced_bytes(inode);
  if (offset >= synced) return;
  uint64_t kept = synced - offset < length ? synced - offset : length;
  char *record = malloc(16 + kept);
  if (record == NULL) return;
  memcpy(record, &offset, 8);
  memcpy(record + 8, &kept, 8);
  /* The file may be open for writing only. */
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  int reader = open(link, O_RDONLY | O_CLOEXEC);
  int fd = reader < 0 ? -1 : open_note(inode, ".undo", O_WRONLY | O_CREAT | O_APPEND);
  if (fd >= 0 && pread(reader, record + 16, kept, (off_t)offset) == (ssize_t)kept) real_write(fd, record, 16 + kept);
  if (fd >= 0) close(fd);
  if (reader >= 0) close(reader);
  free(record);
}

static void forget(const char *path) {
  struct stat info;
  if (control == NULL || strncmp(path, root, root_length) != 0 || stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_nlink > 1) return;
  char note[4096];
  snprintf(note, sizeof note, "%s/%llu", ledger, (unsigned long long)info.st_ino);
  real_unlink(note);
  snprintf(note, sizeof note, "%s/%llu.undo", ledger, (unsigned long long)info.st_ino);
  real_unlink(note);
}

/* How many of `length` bytes the disk takes: all of them, unless it is full. */
static size_t fitting(size_t length) {
  if (!control->is_full) return length;
  int64_t left = __atomic_fetch_sub(&control->space_left, (int64_t)length, __ATOMIC_SEQ_CST);
  if (left >= (int64_t)length) return length;
  __atomic_add_fetch(&control->writes_refused, 1, __ATOMIC_SEQ_CST);
  return left > 0 ? (size_t)left : 0;
}

static int synced(int fd, int (*sync)(int)) {
  struct stat info;
  if (!is_ours(fd, &info)) return sync(fd);
  __atomic_add_fetch(&control->syncs, 1, __ATOMIC_SEQ_CST);
  if (control->sync_mode == SYNC_LIES) {
    __atomic_add_fetch(&control->syncs_lied, 1, __ATOMIC_SEQ_CST);
    return 0;
  }
  if (control->sync_mode == SYNC_FAILS) {
    if (control->sync_after > 0) {
      __atomic_sub_fetch(&control->sync_after, 1, __ATOMIC_SEQ_CST);
    } else {
      if (control->sync_once) control->sync_mode = SYNC_HONEST;
      __atomic_add_fetch(&control->syncs_failed, 1, __ATOMIC_SEQ_CST);
      errno = EIO;
      return -1;
    }
  }
  if (control->sync_mode == SYNC_HANGS) {
    __atomic_add_fetch(&control->syncs_hung, 1, __ATOMIC_SEQ_CST);
    struct timespec step = {0, 10 * 1000 * 1000};
    for (uint32_t waited = 0; waited < control->hang_ms && control->sync_mode == SYNC_HANGS; waited += 10) nanosleep(&step, NULL);
  }
  int result = sync(fd);
  if (result == 0) note_synced(fd);
  return result;
}

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
  struct stat info;
  if (!is_ours(fd, &info)) return real_pwrite(fd, bytes, length, offset);
  size_t part = fitting(length);
  if (part == 0 && length > 0) {
    errno = ENOSPC;
    return -1;
  }
  note_overwritten(fd, info.st_ino, (uint64_t)offset, part);
  return real_pwrite(fd, bytes, part, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite64(fd, bytes, length, offset); }

ssize_t write(int fd, const void *bytes, size_t length) {
  struct stat info;
  if (control == NULL || !control->is_full || !is_ours(fd, &info)) return real_write(fd, bytes, length);
  size_t part = fitting(length);
  if (part == 0 && length > 0) {
    errno = ENOSPC;
    return -1;
  }
  return real_write(fd, bytes, part);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  struct stat info;
  if (control == NULL || !control->is_full || !is_ours(fd, &info)) return real_writev(fd, parts, count);
  size_t length = 0;
  for (int at = 0; at < count; at += 1) length += parts[at].iov_len;
  if (fitting(length) == length) return real_writev(fd, parts, count);
  errno = ENOSPC;
  return -1;
}

size_t fwrite_unlocked(const void *bytes, size_t size, size_t count, FILE *stream) {
  struct stat info;
  if (control == NULL || !control->is_full || !is_ours(fileno(stream), &info)) return real_fwrite(bytes, size, count, stream);
  size_t part = fitting(size * count);
  if (part == size * count) return real_fwrite(bytes, size, count, stream);
  size_t written = real_fwrite(bytes, 1, part, stream) / size;
  errno = ENOSPC;
  return written;
}

int fflush_unlocked(FILE *stream) {
  struct stat info;
  int is_refused = control != NULL && stream != NULL && control->is_full && control->space_left < 0 && is_ours(fileno(stream), &info);
  int result = real_fflush(stream);
  if (!is_refused) return result;
  errno = ENOSPC;
  return EOF;
}

int unlink(const char *path) {
  forget(path);
  return real_unlink(path);
}

int rename(const char *from, const char *to) {
  forget(to);
  return real_rename(from, to);
}
