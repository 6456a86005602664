/* The link and the deadline of the MPS2 machines. */
#include <string.h>

#include "mps2.h"

#ifndef MT_STAGING
#error "MT_STAGING, MT_STAGING_BYTES: memory that QEMU shares with the host"
#endif

const mt_range mt_staging = {MT_STAGING, MT_STAGING_BYTES};

static void Wake_Handler(void) { UART_INT = 2u; }

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[16])(void) = {
    [UART_RX_IRQ] = Wake_Handler,
    [TIMER1_IRQ] = Deadline_Handler,
};

void mt_start_machine(void) {
    UART_BAUD = 16u;
    UART_CTRL = 1u | 2u | 8u; /* transmit, receive, interrupt on receive: it only wakes the CPU */
    NVIC_ENABLE = 1u << UART_RX_IRQ | 1u << TIMER1_IRQ;
    mt_start_counter();
}

void mt_link_quiet(void) { NVIC_DISABLE = 1u << UART_RX_IRQ; }
void mt_link_listen(void) { NVIC_ENABLE = 1u << UART_RX_IRQ; }

uint8_t board_uart_read(void) {
    /* With interrupts masked a pending one still ends WFI, and nothing is lost between the test and the sleep. */
    __asm__ volatile("cpsid i");
    while ((UART_STATE & UART_RX_FULL) == 0u) {
        __asm__ volatile("wfi");
        UART_INT = 2u;
        NVIC_CLEAR_PENDING = 1u << UART_RX_IRQ;
    }
    __asm__ volatile("cpsie i");
    return (uint8_t)UART_DATA;
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UART_STATE & UART_TX_FULL) != 0u) {
        }
        UART_DATA = bytes[i];
    }
}

void board_uid(uint8_t uid[16]) {
    static const char name[] = MT_BOARD;
    memset(uid, 0, 16u);
    memcpy(uid, name, sizeof name - 1u < 16u ? sizeof name - 1u : 16u);
}

/*
 * A deadline is in the product's time: as many instructions as it runs at most in so many milliseconds, a nanosecond each.
 * The timer's 32 bits end after 171 seconds of virtual time.
 */
void mt_deadline_start(uint32_t ms) {
    const uint64_t ticks = (uint64_t)ms * (MT_MOST_INSTRUCTIONS_PER_SECOND / 1000u) / INSTRUCTIONS_PER_TICK;
    TIMER(1u, TIMER_VALUE) = ticks > 0xffffffffu ? 0xffffffffu : (uint32_t)ticks + 1u;
    TIMER(1u, TIMER_INT) = 1u;
    TIMER(1u, TIMER_CTRL) = TIMER_ENABLE | TIMER_INT_ENABLE;
}
int mt_deadline_stop(void) {
    const int had_come = (TIMER(1u, TIMER_INT) & 1u) != 0u;
    TIMER(1u, TIMER_CTRL) = 0u;
    TIMER(1u, TIMER_INT) = 1u;
    NVIC_CLEAR_PENDING = 1u << TIMER1_IRQ;
    return had_come;
}
