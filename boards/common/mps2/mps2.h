/*
 * Peripherals of Arm's MPS2 and MPS3 boards, as QEMU emulates them with -icount shift=0: one instruction takes one nanosecond of
 * virtual time, so that timers count instructions. Where they lie differs from machine to machine: machines.ts defines MT_UART,
 * MT_UART_IRQ, MT_TIMERS, MT_DEADLINE_IRQ and MT_TICKS_PER_SECOND.
 */
#ifndef MICROTUNE_MPS2_H
#define MICROTUNE_MPS2_H

#include "cortex-m.h"

/* CMSDK APB UART. */
#define UART_DATA REG32(MT_UART)
#define UART_STATE REG32(MT_UART + 0x4u)
#define UART_CTRL REG32(MT_UART + 0x8u)
#define UART_INT REG32(MT_UART + 0xcu)
#define UART_BAUD REG32(MT_UART + 0x10u)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u

/* CMSDK APB timers: 0 is the counter of boards that count instructions, 1 the deadline. */
#define TIMER(n, reg) REG32(MT_TIMERS + 0x1000u * (n) + (reg))
#define TIMER_CTRL 0x0u
#define TIMER_VALUE 0x4u
#define TIMER_RELOAD 0x8u
#define TIMER_INT 0xcu
#define TIMER_ENABLE 1u
#define TIMER_INT_ENABLE 8u

static inline void irq_on(uint32_t n) { (&NVIC_ENABLE)[n / 32u] = 1u << n % 32u; }
static inline void irq_off(uint32_t n) { (&NVIC_DISABLE)[n / 32u] = 1u << n % 32u; }
static inline void irq_forget(uint32_t n) { (&NVIC_CLEAR_PENDING)[n / 32u] = 1u << n % 32u; }

/* Of counter-instructions.c or counter-twin.c. */
void mt_start_counter(void);
/* Of deadline-cmsdk.c or deadline-sse300.c. */
void mt_start_deadline(void);

/*
 * A deadline is in the product's time: as many instructions as it runs at most in so many milliseconds, a nanosecond each.
 */
static inline uint64_t deadline_ns(uint32_t ms) { return (uint64_t)ms * (MT_MOST_INSTRUCTIONS_PER_SECOND / 1000u); }

#endif
