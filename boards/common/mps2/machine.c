/* The link of the MPS2 and MPS3 machines, and who a machine is. */
#include <string.h>

#include "mps2.h"

#ifndef MT_STAGING
#error "MT_STAGING, MT_STAGING_BYTES: memory that QEMU shares with the host"
#endif

const mt_range mt_staging = {MT_STAGING, MT_STAGING_BYTES};

static void Wake_Handler(void) { UART_INT = 2u; }

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[])(void) = {
    [MT_UART_IRQ] = Wake_Handler,
    [MT_DEADLINE_IRQ] = Deadline_Handler,
};

void mt_start_machine(void) {
    SCB_VTOR = MT_PLACE(mt_flash_start);
    UART_BAUD = 16u;
    UART_CTRL = 1u | 2u | 8u; /* transmit, receive, interrupt on receive: it only wakes the CPU */
    mt_start_deadline();
    irq_on(MT_UART_IRQ);
    irq_on(MT_DEADLINE_IRQ);
    mt_start_counter();
}

void mt_link_quiet(void) { irq_off(MT_UART_IRQ); }
void mt_link_listen(void) { irq_on(MT_UART_IRQ); }

uint8_t board_uart_read(void) {
    /* With interrupts masked a pending one still ends WFI, and nothing is lost between the test and the sleep. */
    __asm__ volatile("cpsid i");
    while ((UART_STATE & UART_RX_FULL) == 0u) {
        __asm__ volatile("wfi");
        UART_INT = 2u;
        irq_forget(MT_UART_IRQ);
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
