/* Runs some work in a child process where every system call is refused and counted. */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "syscalls.h"

/* Under a sanitizer's runtime a page of shadow memory may cost a system call. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__linux__) && !defined(SANITIZED)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct watch {
    volatile long calls, first;
    volatile bool ended;
} watch;

static watch *shared; /* with the child */

static void note(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    if (shared->calls++ == 0) shared->first = info->si_syscall;
}

/* From now on this thread may return from a signal and end; all else is refused, and a signal. */
static bool refuse_all(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

long syscalls_of(void (*work)(void *arg), void *arg, long *first)
{
    int status;
    if (!shared) {
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED) abort();
    }
    *shared = (watch){.first = -1};
    const pid_t child = fork();
    if (child == 0) {
        if (!refuse_all()) _exit(1);
        work(arg);
        shared->ended = true;
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    *first = shared->first;
    return shared->ended ? shared->calls : -1;
}

static void nothing(void *arg) { (void)arg; }

const char *syscalls_unwatched(void)
{
    long first;
    const char *const preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "valgrind")) return "Valgrind makes some of its own";
    return syscalls_of(nothing, NULL, &first) == 0 ? NULL : "the kernel refuses a seccomp filter";
}
#else
const char *syscalls_unwatched(void)
{
#ifdef __linux__
    return "a sanitizer makes some of its own";
#else
    return "it is no Linux";
#endif
}

long syscalls_of(void (*work)(void *arg), void *arg, long *first)
{
    (void)first;
    work(arg);
    return -1;
}
#endif
