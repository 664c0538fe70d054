// What Glibc's Swift module leaves out: the descriptors that Linux makes events of, and functions
// that the C library declares only for _GNU_SOURCE, which a module cannot define for another.
#pragma once
#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
int pthread_setname_np(pthread_t thread, const char *name);

// The C library has CPU_COUNT as a macro over a type that only _GNU_SOURCE declares.
#include <sys/syscall.h>
#include <unistd.h>
static inline int kanmon_usable_processors(void) {
    unsigned char mask[1024] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (long index = 0; index < bytes; index++) count += __builtin_popcount(mask[index]);
    return count;
}

// What a program is told at its start: its environment, and the path that execve(2) was given.
#include <sys/auxv.h>
extern char **environ;
static inline char **kanmon_environment(void) { return environ; }
static inline const char *kanmon_started_from(void) { return (const char *)getauxval(AT_EXECFN); }
