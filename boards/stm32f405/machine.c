/*
 * The STM32F405 as QEMU's netduinoplus2 emulates it, below the Cortex-M port. Clock set-up and link are the part's own
 * (common/stm32): QEMU has no RCC, so the set-up waits for the oscillator as long as it may, gives up and goes on at
 * 16 MHz. Counter and deadline are this file's, because the emulated timers are not the part's: they run at 1 GHz, one tick an
 * instruction with -icount shift=0, have 32 bits each, and their interrupts come late or never. There is neither a
 * DWT nor the unit's id.
 */
#include <string.h>

#include "stm32.h"

#define TIM(n, reg) REG32(0x40000000u + 0x400u * ((n) - 2u) + (reg))
#define TIM_CR1 0x00u
#define TIM_CNT 0x24u
#define TIM_PSC 0x28u
#define TIM_ARR 0x2cu
#define COARSE_SHIFT 16u

#define SYST_CSR REG32(0xe000e010u)
#define SYST_RVR REG32(0xe000e014u)
#define SYST_CVR REG32(0xe000e018u)
#define BY_REFERENCE_WITH_INTERRUPT 3u
#define ICSR REG32(0xe000ed04u)
#define PENDSTCLR (1u << 25)
/* The reference is an eighth of 168 MHz. */
#define TICKS_PER_MS 21000u
#define MOST_TICKS (1u << 24)

const mt_range mt_staging = {0u, 0u};

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[])(void) = {
    [SILICON_UART_IRQ] = stm32_uart_interrupt,
};

uint32_t stm32_cpu_hz(void) { return SLOW_HZ; }
uint32_t stm32_hz_by(uint32_t divider) {
    (void)divider;
    return SLOW_HZ;
}

/* TIM2 counts instructions, TIM5 every 65536th: together 48 bits. */
static void start_counters(void) {
    TIM(2u, TIM_PSC) = 0u;
    TIM(5u, TIM_PSC) = (1u << COARSE_SHIFT) - 1u;
    TIM(2u, TIM_ARR) = TIM(5u, TIM_ARR) = 0xffffffffu;
    TIM(2u, TIM_CR1) = TIM(5u, TIM_CR1) = 1u;
    TIM(5u, TIM_CNT) = 0u;
    TIM(2u, TIM_CNT) = 0u;
}

void mt_start_machine(void) {
    (void)stm32_start_clock();
    start_counters();
    stm32_start_uart();
    irq_on(SILICON_UART_IRQ);
    mt_calibrate();
}

void mt_link_quiet(void) { irq_off(SILICON_UART_IRQ); }
void mt_link_listen(void) { irq_on(SILICON_UART_IRQ); }

/* The coarse counter tells how often the fine one has gone round; it is right to well within half a round. */
uint64_t board_cycles(void) {
    const uint32_t fine = TIM(2u, TIM_CNT);
    const uint64_t about = (uint64_t)TIM(5u, TIM_CNT) << COARSE_SHIFT;
    return ((about + 0x80000000u - fine) & ~0xffffffffull) + fine;
}

/* SysTick has 24 bits: it comes several times before a long deadline has passed. */
uint32_t mt_periods_left;
static uint32_t periods;

static uint64_t begun;
void mt_count_start(void) { begun = board_cycles(); }
/* SysTick_Handler is six instructions long where it goes back to the call. */
uint64_t mt_count_stop(void) {
    const uint64_t all = board_cycles() - begun;
    const uint32_t left = mt_periods_left != 0u ? mt_periods_left : 1u;
    return all - 6u * (uint64_t)(periods - left);
}

/* Virtual time: as many instructions as a CPU of 1 GHz runs in so many milliseconds. */
void mt_deadline_start(uint32_t ms) {
    const uint64_t ticks = (uint64_t)ms * TICKS_PER_MS;
    periods = (uint32_t)((ticks + MOST_TICKS - 1u) / MOST_TICKS);
    mt_periods_left = periods;
    SYST_RVR = (uint32_t)(ticks / periods) - 1u;
    SYST_CVR = 0u;
    SYST_CSR = BY_REFERENCE_WITH_INTERRUPT;
}
int mt_deadline_stop(void) {
    SYST_CSR = 0u;
    ICSR = PENDSTCLR;
    return mt_periods_left == 0u ? 1 : 0;
}
__attribute__((naked)) void SysTick_Handler(void) {
    __asm__ volatile("ldr r0, =mt_periods_left\n\t"
                     "ldr r1, [r0]\n\t"
                     "subs r1, #1\n\t"
                     "str r1, [r0]\n\t"
                     "beq Deadline_Handler\n\t"
                     "bx lr\n\t"
                     ".ltorg");
}

void board_uid(uint8_t uid[16]) {
    memset(uid, 0, 16u);
    memcpy(uid, "qemu-stm32f405", 14u);
}
