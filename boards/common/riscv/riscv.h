/*
 * What RV32 boards share: calls in user mode and back, the guard of memory, start-up. A board adds its machine: UART, deadline
 * timer, reset.
 */
#ifndef MICROTUNE_RISCV_H
#define MICROTUNE_RISCV_H

#include <stdint.h>

#define REG8(address) (*(volatile uint8_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

#define CSR_WRITE(name, value) __asm__ volatile("csrw " #name ", %0" ::"r"((uint32_t)(value)) : "memory")
#define CSR_SET(name, bits) __asm__ volatile("csrs " #name ", %0" ::"r"((uint32_t)(bits)) : "memory")
#define CSR_CLEAR(name, bits) __asm__ volatile("csrc " #name ", %0" ::"r"((uint32_t)(bits)) : "memory")

/* mie and mip */
#define MACHINE_TIMER (1u << 7)
#define MACHINE_EXTERNAL (1u << 11)

/* Places by the link script (sections.ld): the address of a symbol is its value. */
#define MT_PLACE(symbol) ((uint32_t)(uintptr_t)(symbol))
extern uint8_t mt_program_start[], mt_program_end[];
extern uint32_t mt_call_stack[], mt_call_stack_end[];
extern uint8_t mt_hot_start[];     /* what a linked network keeps in RAM, and behind it: */
extern uint8_t mt_load_start[], mt_load_end[];
extern uint8_t mt_network_start[]; /* its arena, and behind it: */
extern uint8_t mt_data_start[], mt_data_end[];
extern uint8_t mt_staging_start[], mt_staging_end[];

/* Of call.c. Measures what an empty call costs, which later counts leave out. */
void riscv_calibrate(void);

/* Of the machine. Interrupts of its link only end WFI: in machine mode they are off. */
void riscv_start_machine(void);
/* A machine timer interrupt after so many milliseconds, and none any more. */
void riscv_start_deadline(uint32_t ms);
void riscv_stop_deadline(void);

#endif
