/* The deadline by CMSDK timer 1, whose 32 bits count down. */
#include "mps2.h"

#define NS_PER_TICK (1000000000u / MT_TICKS_PER_SECOND)

void mt_start_deadline(void) {}

/* Cut where the timer's bits end: after 171 seconds at 25 MHz. */
void mt_deadline_start(uint32_t ms) {
    const uint64_t ticks = deadline_ns(ms) / NS_PER_TICK;
    TIMER(1u, TIMER_VALUE) = ticks < 0xffffffffu ? (uint32_t)ticks + 1u : 0xffffffffu;
    TIMER(1u, TIMER_INT) = 1u;
    TIMER(1u, TIMER_CTRL) = TIMER_ENABLE | TIMER_INT_ENABLE;
}
int mt_deadline_stop(void) {
    const int had_come = (TIMER(1u, TIMER_INT) & 1u) != 0u;
    TIMER(1u, TIMER_CTRL) = 0u;
    TIMER(1u, TIMER_INT) = 1u;
    irq_forget(MT_DEADLINE_IRQ);
    return had_come;
}
