// Stands before the C library's functions of the same names and counts their calls: those of a program it is
// linked into, or of one that it is loaded into before others (LD_PRELOAD). With ALLOCATIONS_FILE, a file of at
// least eight bytes, the count stands there, for another process to read.
#include "CAllocations.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static unsigned long own_count;
static unsigned long *count = &own_count;

unsigned long allocations(void) { return __atomic_load_n(count, __ATOMIC_RELAXED); }

__attribute__((constructor)) static void count_into_file(void) {
    const char *path = getenv("ALLOCATIONS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED) count = shared;
    close(file);
}

static void add_one(void) { __atomic_fetch_add(count, 1, __ATOMIC_RELAXED); }

void *malloc(size_t size) {
    add_one();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    add_one();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    add_one();
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    add_one();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **into, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (memory) *into = memory;
    return memory ? 0 : ENOMEM;
}
