/*
 * Counts instructions by QEMU's virtual time. Must stay true: a count begins right at a tick, so that equal calls are counted
 * equally; counts are multiples of a tick.
 */
#include "mps2.h"

#define INSTRUCTIONS_PER_TICK (1000000000u / MT_TICKS_PER_SECOND)

static uint32_t begun;

static uint32_t ticks(void) { return ~TIMER(0u, TIMER_VALUE); }

void mt_start_counter(void) {
    TIMER(0u, TIMER_RELOAD) = 0xffffffffu;
    TIMER(0u, TIMER_VALUE) = 0xffffffffu;
    TIMER(0u, TIMER_CTRL) = TIMER_ENABLE;
    mt_calibrate();
}

uint64_t board_cycles(void) {
    static uint32_t last, high;
    const uint32_t now = ticks();
    if (now < last) high++;
    last = now;
    return ((uint64_t)high << 32 | now) * INSTRUCTIONS_PER_TICK;
}
void board_settle(void) {} /* QEMU models neither caches nor predictors */

/*
 * Waits for the very instruction at which a tick begins; the timer's value there. Reads are one instruction more than a tick
 * apart: each finds the tick one instruction older, and the one that finds two ticks gone since the last stands at the
 * beginning of the second.
 */
static uint32_t tick_begins(void) {
    uint32_t before, now, gone;
    __asm__ volatile("ldr %0, [%3]\n"
                     "1:\n\t"
                     ".rept %c4\n\tnop\n\t.endr\n\t"
                     "ldr %1, [%3]\n\t"
                     "subs %2, %0, %1\n\t"
                     "mov %0, %1\n\t"
                     "cmp %2, #2\n\t"
                     "blo 1b"
                     : "=&r"(before), "=&r"(now), "=&r"(gone)
                     : "r"(&TIMER(0u, TIMER_VALUE)), "i"(INSTRUCTIONS_PER_TICK - 4u) /* with the other five one more than a tick */
                     : "cc", "memory");
    return now;
}
_Static_assert(INSTRUCTIONS_PER_TICK * MT_TICKS_PER_SECOND == 1000000000u, "a tick is a whole number of instructions");

void mt_count_start(void) { begun = ~tick_begins(); }
uint64_t mt_count_stop(void) { return (uint64_t)(ticks() - begun) * INSTRUCTIONS_PER_TICK; }
