/*
 * QEMU's generic RISC-V machine `virt`, RV32, with -icount shift=0: one instruction is one nanosecond of virtual time, and
 * minstret counts them one by one. common/riscv has calls and their way back; here are the UART, the timer and the memory.
 */
#include "microtune_board.h"

#include <string.h>

#include "riscv.h"

#define REG8(address) (*(volatile uint8_t *)(address))
#define REG32(address) (*(volatile uint32_t *)(address))

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

/*
 * All lies in the 32 MiB at 0x80000000, laid out as link.ld, board.json and index.ts say. QEMU can share it as a file: its
 * end is the staging area, which the host then writes.
 */
#define PROGRAM 0x80000000u /* server, network; then the server's variables; then the load region */
#define PROGRAM_BYTES 0x800000u
#define SERVER 0x80400000u
#define SERVER_BYTES 0x80000u
#define DATA 0x81000000u
#define DATA_BYTES 0x1000000u

extern uint32_t mt_hot_bytes[];          /* address = bytes of the load region that a linked network occupies */
extern uint32_t mt_network_data_bytes[]; /* and of the data region */

static const mt_board_info all = {
    .name = "riscv32-virt",
    .load = {SERVER + SERVER_BYTES, PROGRAM + PROGRAM_BYTES - SERVER - SERVER_BYTES},
    .data = {DATA, DATA_BYTES - 0x20000u},
    .staging = {DATA + DATA_BYTES - 0x20000u, 0x20000u},
    .stack_bytes = CALL_STACK_BYTES,
    .flags = MT_FLAG_GUARDED,
};
static mt_board_info info; /* without what a linked network occupies */

static void guard_memory(void) {
    CSR_WRITE(pmpaddr0, PMP_REGION((uintptr_t)mt_call_stack, CALL_STACK_BYTES));
    CSR_WRITE(pmpaddr1, PMP_REGION(SERVER, SERVER_BYTES));
    CSR_WRITE(pmpaddr2, PMP_REGION(PROGRAM, PROGRAM_BYTES));
    CSR_WRITE(pmpaddr3, PMP_REGION(DATA, DATA_BYTES));
    CSR_WRITE(pmpcfg0, PMP_MAY(0u, PMP_READ | PMP_WRITE) | PMP_MAY(1u, PMP_NOTHING) |
                           PMP_MAY(2u, PMP_READ | PMP_EXECUTE) | PMP_MAY(3u, PMP_READ | PMP_WRITE));
}

const mt_board_info *board_init(void) {
    guard_memory();
    riscv_stop_deadline();
    UART(UART_LINE) = 3u; /* eight bits, no parity */
    UART(UART_FIFO) = 1u;
    UART(UART_INT) = 1u; /* on receive: it only wakes the CPU */
    PLIC_PRIORITY(UART_IRQ) = 1u;
    PLIC_ENABLE = 1u << UART_IRQ;
    PLIC_THRESHOLD = 0u;
    info = all;
    info.load.base += (uint32_t)(uintptr_t)mt_hot_bytes;
    info.load.bytes -= (uint32_t)(uintptr_t)mt_hot_bytes;
    info.data.base += (uint32_t)(uintptr_t)mt_network_data_bytes;
    info.data.bytes -= (uint32_t)(uintptr_t)mt_network_data_bytes;
    riscv_calibrate();
    return &info;
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

uint32_t board_cpu_hz(void) { return 1000000000u; }
void board_uid(uint8_t uid[16]) { memcpy(uid, "qemu-riscv32virt", 16u); }
void board_settle(void) {} /* QEMU models neither caches nor predictors */
void board_reset(void) {
    TEST_DEVICE = TEST_RESET;
    for (;;) {
    }
}
