/*
 * Peripherals of Arm's MPS2 boards with the images AN385, AN386 and AN500, as QEMU emulates them with -icount shift=0: one
 * instruction takes one nanosecond of virtual time, and a tick of the 25 MHz timers is exactly 40 instructions. UART 0 is
 * the link, timer 0 the counter of boards that count instructions, timer 1 the deadline.
 */
#ifndef MICROTUNE_MPS2_H
#define MICROTUNE_MPS2_H

#include "cortex-m.h"

#define UART_BASE 0x40004000u
#define TIMER_BASE 0x40000000u
#define UART_RX_IRQ 0u
#define TIMER1_IRQ 9u

/* CMSDK APB UART and timers. */
#define UART_DATA REG32(UART_BASE)
#define UART_STATE REG32(UART_BASE + 0x4u)
#define UART_CTRL REG32(UART_BASE + 0x8u)
#define UART_INT REG32(UART_BASE + 0xcu)
#define UART_BAUD REG32(UART_BASE + 0x10u)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u
#define TIMER(n, reg) REG32(TIMER_BASE + 0x1000u * (n) + (reg))
#define TIMER_CTRL 0x0u
#define TIMER_VALUE 0x4u
#define TIMER_RELOAD 0x8u
#define TIMER_INT 0xcu
#define TIMER_ENABLE 1u
#define TIMER_INT_ENABLE 8u
#define TICKS_PER_SECOND 25000000u
#define INSTRUCTIONS_PER_TICK 40u

/* Of counter-instructions.c or counter-twin.c. */
void mt_start_counter(void);

#endif
