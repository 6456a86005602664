/*
 * The LM3S6965 as QEMU emulates it, below the Cortex-M port. Registers are named as in its data sheet (DS-LM3S6965). QEMU wants
 * neither pins nor clocks switched on, and its general-purpose timers cannot be read: the watchdog is the counter.
 * Must stay true: a count begins a round of the watchdog, and its deadline comes before that round ends.
 */
#include <string.h>

#include "cortex-m.h"

/* The system clock at 200 MHz without its divider, four times what the real part can: a tick is 5 instructions. */
#define SYSCTL_RCC REG32(0x400fe060u)
#define SYSDIV_MASK (0xfu << 23)
#define INSTRUCTIONS_PER_TICK 5u
#define TICKS_PER_MS (MT_CPU_HZ / 1000u / INSTRUCTIONS_PER_TICK)

/* Counts down from WDTLOAD, and begins anew whenever WDTICR is written. Twice at its end without that it stops. */
#define WDTLOAD REG32(0x40000000u)
#define WDTVALUE REG32(0x40000004u)
#define WDTCTL REG32(0x40000008u)
#define INTEN (1u << 0)
#define WDTICR REG32(0x4000000cu)
#define WDT_IRQ 18u
#define ROUND 0xffffffffu

/* Timer 0, 32 bits that count down once. */
#define GPTMCFG REG32(0x40030000u)
#define GPTMTAMR REG32(0x40030004u)
#define ONE_SHOT 1u
#define GPTMCTL REG32(0x4003000cu)
#define TAEN (1u << 0)
#define GPTMIMR REG32(0x40030018u)
#define GPTMRIS REG32(0x4003001cu)
#define GPTMICR REG32(0x40030024u)
#define TATO (1u << 0)
#define GPTMTAILR REG32(0x40030028u)
#define TIMER_IRQ 19u

/* UART 0, a PL011. */
#define UARTDR REG32(0x4000c000u)
#define UARTFR REG32(0x4000c018u)
#define RXFE (1u << 4)
#define TXFF (1u << 5)
#define UARTLCRH REG32(0x4000c02cu)
#define EIGHT_BITS_FIFO (3u << 5 | 1u << 4)
#define UARTCTL REG32(0x4000c030u)
#define UARTEN_TXE_RXE (1u << 0 | 3u << 8)
#define UARTIM REG32(0x4000c038u)
#define UARTICR REG32(0x4000c044u)
#define RX (1u << 4)
#define UART_IRQ 5u

/* Bulk data goes through QEMU's GDB server. */
const mt_range mt_staging = {0u, 0u};

static uint64_t ticks_before; /* this round */

static void begin_round(void) {
    ticks_before += ROUND - WDTVALUE;
    WDTICR = 1u;
}
static void Round_Handler(void) {
    ticks_before += ROUND;
    WDTICR = 1u;
}
/* The UART's interrupt only wakes the CPU. */
static void Wake_Handler(void) { UARTICR = RX; }

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[])(void) = {
    [UART_IRQ] = Wake_Handler,
    [WDT_IRQ] = Round_Handler,
    [TIMER_IRQ] = Deadline_Handler,
};

void mt_start_machine(void) {
    SYSCTL_RCC &= ~SYSDIV_MASK;
    WDTLOAD = ROUND;
    WDTCTL = INTEN;
    GPTMTAMR = ONE_SHOT;
    GPTMCFG = 0u;
    GPTMIMR = TATO;
    UARTLCRH = EIGHT_BITS_FIFO;
    UARTIM = RX;
    UARTCTL = UARTEN_TXE_RXE;
    NVIC_ENABLE = 1u << UART_IRQ | 1u << WDT_IRQ | 1u << TIMER_IRQ;
    mt_calibrate();
}

void mt_link_quiet(void) { NVIC_DISABLE = 1u << UART_IRQ; }
void mt_link_listen(void) { NVIC_ENABLE = 1u << UART_IRQ; }

uint8_t board_uart_read(void) {
    /* With interrupts masked a pending one still ends WFI, and nothing is lost between the test and the sleep. */
    while (1) {
        __asm__ volatile("cpsid i" ::: "memory");
        if ((UARTFR & RXFE) == 0u) break;
        __asm__ volatile("wfi\n\tcpsie i\n\tisb" ::: "memory");
    }
    __asm__ volatile("cpsie i" ::: "memory");
    return (uint8_t)UARTDR;
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UARTFR & TXFF) != 0u) {
        }
        UARTDR = bytes[i];
    }
}

void board_settle(void) {} /* QEMU models neither flash buffers nor predictors */

uint64_t board_cycles(void) {
    __asm__ volatile("cpsid i" ::: "memory");
    begin_round();
    const uint64_t ticks = ticks_before;
    __asm__ volatile("cpsie i" ::: "memory");
    return ticks * INSTRUCTIONS_PER_TICK;
}

void mt_count_start(void) { begin_round(); }
uint64_t mt_count_stop(void) { return (uint64_t)(ROUND - WDTVALUE) * INSTRUCTIONS_PER_TICK; }

/* Cut where the bits of timer and watchdog end, after 21 seconds, with the time between this and the beginning of the count to spare. */
void mt_deadline_start(uint32_t ms) {
    const uint64_t ticks = (uint64_t)ms * TICKS_PER_MS;
    GPTMTAILR = ticks > ROUND - 1000u ? ROUND - 1000u : (uint32_t)ticks + 1u;
    GPTMICR = TATO;
    GPTMCTL = TAEN;
}
int mt_deadline_stop(void) {
    const int had_come = (GPTMRIS & TATO) != 0u;
    GPTMCTL = 0u;
    GPTMICR = TATO;
    NVIC_CLEAR_PENDING = 1u << TIMER_IRQ;
    return had_come;
}

void board_uid(uint8_t uid[16]) {
    static const char name[] = MT_BOARD;
    memset(uid, 0, 16u);
    memcpy(uid, name, sizeof name - 1u);
}
