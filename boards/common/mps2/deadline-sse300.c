/*
 * The deadline by system timer 0 of the SSE-300: it compares the 64-bit system counter with a value.
 * Must stay true: the value is a multiple of four. A tick of 32 MHz is 31.25 ns, and QEMU rounds the time of an interrupt down to
 * whole nanoseconds: where a tick does not begin on one, it finds the counter still one short, tries again at the same
 * instant, and stands still for ever.
 */
#include "mps2.h"

#define COUNTER_CNTCR REG32(0x58100000u) /* SSE-300 TRM, system counter, control frame */
#define TIMER_CNTPCT_LO REG32(MT_TIMERS + 0x00u)
#define TIMER_CNTPCT_HI REG32(MT_TIMERS + 0x04u)
#define TIMER_CVAL_LO REG32(MT_TIMERS + 0x20u)
#define TIMER_CVAL_HI REG32(MT_TIMERS + 0x24u)
#define TIMER_CTL REG32(MT_TIMERS + 0x2cu)
#define CTL_ENABLE 1u
#define CTL_STATUS 4u

_Static_assert(MT_TICKS_PER_SECOND == 32000000u, "four ticks are 125 ns");

void mt_start_deadline(void) { COUNTER_CNTCR = 1u; }

static uint64_t now(void) {
    for (;;) {
        const uint32_t high = TIMER_CNTPCT_HI, low = TIMER_CNTPCT_LO;
        if (TIMER_CNTPCT_HI == high) return (uint64_t)high << 32 | low;
    }
}

void mt_deadline_start(uint32_t ms) {
    const uint64_t at = (now() + 4u + deadline_ns(ms) * 4u / 125u) & ~3ull;
    TIMER_CVAL_LO = (uint32_t)at;
    TIMER_CVAL_HI = (uint32_t)(at >> 32);
    TIMER_CTL = CTL_ENABLE;
}
int mt_deadline_stop(void) {
    const int had_come = (TIMER_CTL & CTL_STATUS) != 0u;
    TIMER_CTL = 0u;
    irq_forget(MT_DEADLINE_IRQ);
    return had_come;
}
