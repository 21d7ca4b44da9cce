/* Catches every system call that some work makes: a call that never enters the kernel can neither
 * wait, nor read or write a file, nor ask for memory. Linux alone has what it takes. */
#ifndef RNNAT_TEST_SYSCALLS_H
#define RNNAT_TEST_SYSCALLS_H

#include <stdbool.h>

/* NULL where system calls can be caught, otherwise why not. */
const char *syscalls_unwatched(void);

/* Does the work in a child process where every system call is refused and counted; -1 where it
 * never came to its end. `first` becomes the number of the first one. */
long syscalls_of(void (*work)(void *arg), void *arg, long *first);

#endif
