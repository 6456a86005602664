/*
 * Counter and deadline. Cycles are counted by DWT_CYCCNT (32 bits), on a Cortex-M0+, which has none, by SysTick (24 bits); the
 * deadline is TIM2's. Nothing interrupts a call: how often the counter has gone round while one ran is told by TIM2, which runs
 * since just before.
 */
#include "stm32.h"

/* Armv7-M and v8-M ARM: DEMCR, DWT_CTRL, DWT_CYCCNT; LAR unlocks the DWT of the Cortex-M7. */
#define DEMCR REG32(0xe000edfcu)
#define TRCENA (1u << 24)
#define DWT_CTRL REG32(0xe0001000u)
#define CYCCNTENA (1u << 0)
#define DWT_CYCCNT REG32(0xe0001004u)
#define DWT_LAR REG32(0xe0001fb0u)
/* Armv6-M ARM: SYST_CSR, RVR, CVR. */
#define SYST_CSR REG32(0xe000e010u)
#define BY_CPU_CLOCK_ENABLED 5u
#define SYST_RVR REG32(0xe000e014u)
#define SYST_CVR REG32(0xe000e018u)

#define TIM2(offset) REG32(0x40000000u + (offset))
#define TIM_CR1 0x00u
#define CEN (1u << 0)
#define URS (1u << 2) /* UG sets no flag */
#define OPM (1u << 3) /* stops at its end */
#define TIM_DIER 0x0cu
#define UIE (1u << 0)
#define TIM_SR 0x10u
#define UIF (1u << 0)
#define TIM_EGR 0x14u
#define UG (1u << 0)
#define TIM_CNT 0x24u
#define TIM_PSC 0x28u
#define TIM_ARR 0x2cu
#define TICKS_PER_MS 10u /* the prescaler's 16 bits divide 480 MHz / 2 by 24000 */

#if defined(__ARM_ARCH_6M__)
#define ROUND (1u << 24)
static void start_counter(void) {
    SYST_RVR = ROUND - 1u;
    SYST_CVR = 0u;
    SYST_CSR = BY_CPU_CLOCK_ENABLED;
}
static uint32_t counted(void) { return ROUND - 1u - SYST_CVR; }
static uint32_t since(uint32_t begin) { return (counted() - begin) & (ROUND - 1u); }
#else
#define ROUND (1ull << 32)
static void start_counter(void) {
    DEMCR |= TRCENA;
    DWT_LAR = 0xc5acce55u;
    DWT_CYCCNT = 0u;
    DWT_CTRL |= CYCCNTENA;
}
static uint32_t counted(void) { return DWT_CYCCNT; }
static uint32_t since(uint32_t begin) { return counted() - begin; }
#endif

static uint32_t begun, begun_tick;

void stm32_start_timers(void) {
    start_counter();
    switch_on(TIM2_ENABLE, 1u << 0); /* TIM2EN, in all families */
    TIM2(TIM_PSC) = stm32_hz_by(TIM2_DIVIDER) / (1000u * TICKS_PER_MS) - 1u;
    TIM2(TIM_DIER) = UIE;
}

void mt_deadline_start(uint32_t ms) {
    const uint64_t ticks = (uint64_t)ms * TICKS_PER_MS;
    TIM2(TIM_CR1) = URS | OPM;
    TIM2(TIM_ARR) = ticks > 0xffffffffu ? 0xffffffffu : (uint32_t)ticks;
    TIM2(TIM_EGR) = UG; /* the prescaler's new value, and 0 in the counter */
    TIM2(TIM_SR) = 0u;
    TIM2(TIM_CR1) = URS | OPM | CEN;
}
int mt_deadline_stop(void) {
    const int had_come = (TIM2(TIM_SR) & UIF) != 0u;
    TIM2(TIM_CR1) = URS | OPM;
    TIM2(TIM_SR) = 0u;
    (void)TIM2(TIM_SR); /* the write may wait in a buffer: while the flag stands, the interrupt would be pending again */
    irq_forget(TIM2_IRQ);
    return had_come;
}

static uint32_t tick(void) { return (TIM2(TIM_SR) & UIF) != 0u ? TIM2(TIM_ARR) : TIM2(TIM_CNT); }

void mt_count_start(void) {
    begun_tick = tick();
    begun = counted();
}
uint64_t mt_count_stop(void) {
    const uint32_t part = since(begun);
    const uint64_t about = (uint64_t)(tick() - begun_tick) * (stm32_cpu_hz() / (1000u * TICKS_PER_MS));
    return (about + ROUND / 2u - part) / ROUND * ROUND + part;
}

/* Right as long as it is read once in a round. */
uint64_t board_cycles(void) {
    static uint32_t last;
    static uint64_t all;
    const uint32_t more = since(last);
    last += more;
    return all += more;
}
