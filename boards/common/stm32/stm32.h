/*
 * What STM32 parts have in common: waits that end, and what each family and board gives to the shared drivers. A family is a
 * folder beside this file (family.h, family.c), a board a silicon.h in its own folder. Registers are named as in the
 * family's reference manual, and found there by that name: section numbers move between its revisions.
 * Must stay true: no wait on hardware is endless. What does not come in time leaves a state that the caller names.
 */
#ifndef MICROTUNE_STM32_H
#define MICROTUNE_STM32_H

#include "cortex-m.h"
#include "family.h"

/* Sets the bits of `mask` in the register to those of `value`, and leaves the others. */
static inline void change(uint32_t address, uint32_t mask, uint32_t value) {
    REG32(address) = (REG32(address) & ~mask) | value;
}

/* Switches a clock on. It is there two cycles of its bus after the bit was set: the bit is read back for that. */
static inline void switch_on(uint32_t address, uint32_t bit) {
    change(address, bit, bit);
    (void)REG32(address);
}

/* Reads before a wait is over: tens of milliseconds, where oscillators, regulators and PLLs need less than one. */
#define PATIENCE 100000u

/* Waits until the bits of `mask` read as `value`. 0 where they did not in time. */
static inline uint32_t comes(uint32_t address, uint32_t mask, uint32_t value) {
    for (uint32_t i = 0; i < PATIENCE; i++) {
        if ((REG32(address) & mask) == value) return 1u;
    }
    return 0u;
}

static inline void irq_on(uint32_t n) { REG32(0xe000e100u + n / 32u * 4u) = 1u << n % 32u; }      /* NVIC_ISER */
static inline void irq_off(uint32_t n) { REG32(0xe000e180u + n / 32u * 4u) = 1u << n % 32u; }     /* NVIC_ICER */
static inline void irq_forget(uint32_t n) { REG32(0xe000e280u + n / 32u * 4u) = 1u << n % 32u; }  /* NVIC_ICPR */

/*
 * Of the family: brings the CPU to its full speed from an internal oscillator, with wait states, caches and prefetch to match.
 * 0 where a flag did not come: then the CPU stays on the oscillator that it started with, at SLOW_HZ and without prescalers.
 * The part works all the same, and its host learns the speed from HELLO.
 */
uint32_t stm32_start_clock(void);

/* Of machine.c: what the clock has come to. */
uint32_t stm32_cpu_hz(void);
/* Of a bus or a timer that runs at the CPU's clock by a divider of the family. */
uint32_t stm32_hz_by(uint32_t divider);

/* Of usart.c and timers.c. */
void stm32_start_uart(void);
void stm32_start_timers(void);
void stm32_uart_interrupt(void);

#endif
