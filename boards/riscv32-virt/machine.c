/*
 * QEMU's generic RISC-V machine `virt`, RV32, with -icount shift=0: one instruction is one nanosecond of virtual time, and
 * minstret counts them one by one. common/riscv has the rest: memory, its guard, calls and
 * their way back.
 */
#include <string.h>

#include "microtune_board.h"
#include "riscv.h"

#define UART(reg) REG8(0x10000000u + (reg)) /* a 16550 */
#define UART_DATA 0u
#define UART_INT 1u
#define UART_FIFO 2u
#define UART_LINE 3u
#define UART_STATE 5u
#define UART_RECEIVED 1u
#define UART_MAY_SEND 0x20u
#define UART_IRQ 10u

/* The interrupt controller, as machine mode of hart 0 sees it. */
#define PLIC_PRIORITY(irq) REG32(0x0c000000u + 4u * (irq))
#define PLIC_ENABLE REG32(0x0c002000u)
#define PLIC_THRESHOLD REG32(0x0c200000u)
#define PLIC_CLAIM REG32(0x0c200004u)

#define CLINT_DEADLINE(word) REG32(0x02004000u + 4u * (word))
#define CLINT_TIME(word) REG32(0x0200bff8u + 4u * (word))
#define TICKS_PER_MS 10000u

#define TEST_DEVICE REG32(0x00100000u)
#define TEST_RESET 0x7777u

void riscv_start_machine(void) {
    UART(UART_LINE) = 3u; /* eight bits, no parity */
    UART(UART_FIFO) = 1u;
    UART(UART_INT) = 1u; /* on receive: it only wakes the CPU */
    PLIC_PRIORITY(UART_IRQ) = 1u;
    PLIC_ENABLE = 1u << UART_IRQ;
    PLIC_THRESHOLD = 0u;
}

uint8_t board_uart_read(void) {
    /* Interrupts are off in machine mode, yet a pending one ends WFI: none is lost between the test and the sleep. */
    while ((UART(UART_STATE) & UART_RECEIVED) == 0u) {
        __asm__ volatile("wfi");
        PLIC_CLAIM = PLIC_CLAIM;
    }
    return UART(UART_DATA);
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UART(UART_STATE) & UART_MAY_SEND) == 0u) {
        }
        UART(UART_DATA) = bytes[i];
    }
}

/* The upper word last, and out of reach meanwhile, so that no half-written deadline comes. */
static void set_deadline(uint64_t ticks) {
    CLINT_DEADLINE(1u) = 0xffffffffu;
    CLINT_DEADLINE(0u) = (uint32_t)ticks;
    CLINT_DEADLINE(1u) = (uint32_t)(ticks >> 32);
}
static uint64_t now(void) {
    for (;;) {
        const uint32_t high = CLINT_TIME(1u), low = CLINT_TIME(0u);
        if (CLINT_TIME(1u) == high) return (uint64_t)high << 32 | low;
    }
}
void riscv_start_deadline(uint32_t ms) { set_deadline(now() + (uint64_t)ms * TICKS_PER_MS + 1u); }
void riscv_stop_deadline(void) { set_deadline(UINT64_MAX); }

void board_uid(uint8_t uid[16]) { memcpy(uid, "qemu-riscv32virt", 16u); }
void board_settle(void) {} /* QEMU models neither caches nor predictors */
void board_reset(void) {
    TEST_DEVICE = TEST_RESET;
    for (;;) {
    }
}
