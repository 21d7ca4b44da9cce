/* What a program without an operating system has here: startup.c. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stdint.h>

int main(void);

void put_text(const char *text);
void put_hex(uint32_t value);    /* 0x and eight digits */
void put_number(uint32_t value); /* decimal */
_Noreturn void leave(int status);

/* Bytes of the stack that were in use at most until now. */
uint32_t stack_used(void);

#endif
