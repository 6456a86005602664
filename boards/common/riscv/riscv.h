/*
 * What RV32 boards share: calls in user mode and back, the guard of memory, start-up. A board adds its UART, its deadline
 * timer and its memory map.
 */
#ifndef MICROTUNE_RISCV_H
#define MICROTUNE_RISCV_H

#include <stdint.h>

#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint32_t)(value)) : "memory")
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint32_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint32_t)(bits)) : "memory")

/* mie and mip */
#define MACHINE_TIMER (1u << 7)
#define MACHINE_EXTERNAL (1u << 11)

/*
 * A region for pmpaddr<n>: a power of two of bytes, aligned to itself. And its byte of pmpcfg0. User mode may do what the
 * lowest matching region says, and nothing where none matches; machine mode, the server, is not held by them.
 */
#define PMP_REGION(base, bytes) ((uint32_t)(base) >> 2 | (((bytes) >> 3) - 1u))
#define PMP_MAY(n, access) ((3u << 3 | (access)) << (8u * (n)))
enum { PMP_NOTHING = 0, PMP_READ = 1, PMP_WRITE = 2, PMP_EXECUTE = 4 };

#define CALL_STACK_BYTES 32768u
extern uint32_t mt_call_stack[CALL_STACK_BYTES / 4u];

/* Provided by the board: a machine timer interrupt after so many milliseconds, and none any more. */
void riscv_start_deadline(uint32_t ms);
void riscv_stop_deadline(void);

/* To be called at the end of board_init: measures what an empty call costs, which later counts leave out. */
void riscv_calibrate(void);

#endif
