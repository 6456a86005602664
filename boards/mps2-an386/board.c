/*
 * Arm MPS2 with the AN386 image (Cortex-M4F), as QEMU emulates it with -icount shift=0: one instruction is one nanosecond
 * of virtual time, and a tick of the 25 MHz timer is exactly 40 instructions.
 *
 * A call runs unprivileged on a stack of its own, behind the MPU: it may read and run what lies in flash and the load region,
 * and write the data region and its stack; anything else is a MemManage fault. Unprivileged, it cannot mask interrupts, so the
 * deadline always comes. It comes back through SVC, a fault, or the deadline's interrupt;
 * all three take the same road (leave_call), which drops the exception and returns from enter_call.
 */
#include "microtune_board.h"

#include <string.h>

#define REG32(address) (*(volatile uint32_t *)(address))

/* CMSDK APB UART 0 and timers 0 (counter) and 1 (deadline). */
#define UART_DATA REG32(0x40004000u)
#define UART_STATE REG32(0x40004004u)
#define UART_CTRL REG32(0x40004008u)
#define UART_INT REG32(0x4000400cu)
#define UART_BAUD REG32(0x40004010u)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u
#define TIMER(n, reg) REG32(0x40000000u + 0x1000u * (n) + (reg))
#define TIMER_CTRL 0x0u
#define TIMER_VALUE 0x4u
#define TIMER_RELOAD 0x8u
#define TIMER_INT 0xcu
#define TIMER_ENABLE 1u
#define TIMER_INT_ENABLE 8u
#define UART_RX_IRQ 0u
#define TIMER1_IRQ 9u

#define NVIC_ENABLE REG32(0xe000e100u)
#define NVIC_DISABLE REG32(0xe000e180u)
#define NVIC_CLEAR_PENDING REG32(0xe000e280u)
#define SCB_CCR REG32(0xe000ed14u)
#define SCB_SHCSR REG32(0xe000ed24u)
#define SCB_CFSR REG32(0xe000ed28u)
#define SCB_HFSR REG32(0xe000ed2cu)
#define SCB_MMFAR REG32(0xe000ed34u)
#define SCB_BFAR REG32(0xe000ed38u)
#define SCB_AIRCR REG32(0xe000ed0cu)
#define SCB_CPACR REG32(0xe000ed88u)
#define FPU_FPCCR REG32(0xe000ef34u)
#define MPU_CTRL REG32(0xe000ed94u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RASR REG32(0xe000eda0u)

#define TICKS_PER_SECOND 25000000u
#define INSTRUCTIONS_PER_TICK 40u
#define STACK_BYTES 32768u
#define PAINT 0xa5a5a5a5u

extern uint32_t mt_call_stack[STACK_BYTES / 4u];
extern uint32_t mt_network_data_bytes[]; /* address = bytes of the data region that a linked network occupies */

extern uint32_t mt_hot_bytes[];             /* and of the load region */

/*
 * The server has the first 512 KiB of the 4 MiB SRAM, the load region the rest. Host-visible staging is the end of the 16 MiB
 * PSRAM, whose memory QEMU can share as a file. board.json and index.ts say the same.
 */
static const mt_board_info all = {
    .name = "mps2-an386",
    .load = {0x20080000u, 0x380000u},
    .data = {0x21000000u, 0xfe0000u},
    .staging = {0x21fe0000u, 0x20000u},
    .stack_bytes = STACK_BYTES,
    .flags = MT_FLAG_GUARDED,
};
static mt_board_info info; /* without what a linked network occupies */

/* Set by whatever ended the call. */
static volatile struct {
    uint32_t end, returned, pc, lr, cause, address, ticks;
} left;
uint32_t mt_saved_msp;

enum { SERVER_ONLY = 1, CALL_READS = 2, CALL_WRITES = 3, READ_ONLY = 6 };
/* `without`: the eighths of the region that it leaves alone, a bit each. */
static void mpu_region(uint32_t n, uint32_t base, uint32_t log2_bytes, uint32_t access, uint32_t never_execute,
                       uint32_t without) {
    MPU_RBAR = base | 0x10u | n;
    MPU_RASR = never_execute << 28 | access << 24 | 1u << 17 | without << 8 | (log2_bytes - 1u) << 1 | 1u;
}
/* The server, privileged, sees everything. Where regions overlap the higher number counts. */
static void guard_memory(void) {
    mpu_region(0u, 0x00000000u, 22u, READ_ONLY, 0u, 0u);    /* flash */
    mpu_region(1u, 0x20000000u, 22u, CALL_READS, 0u, 1u);   /* load: all of the SRAM but the server's eighth */
    mpu_region(2u, 0x21000000u, 24u, CALL_WRITES, 1u, 0u);  /* data */
    mpu_region(3u, (uint32_t)(uintptr_t)mt_call_stack, 15u, CALL_WRITES, 1u, 0u);
    mpu_region(4u, 0x00000000u, 7u, SERVER_ONLY, 1u, 0u);   /* the vectors: a null pointer faults when it is read, too */
    MPU_CTRL = 5u;
}

static uint32_t overhead;
static void calibrate(void);

const mt_board_info *board_init(void) {
    SCB_CPACR |= 0xfu << 20; /* FPU */
    SCB_SHCSR |= 7u << 16;   /* MemManage, BusFault, UsageFault of their own */
    SCB_CCR |= 1u << 4;      /* division by zero traps */
    guard_memory();
    TIMER(0u, TIMER_RELOAD) = 0xffffffffu;
    TIMER(0u, TIMER_VALUE) = 0xffffffffu;
    TIMER(0u, TIMER_CTRL) = TIMER_ENABLE;
    UART_BAUD = 16u;
    UART_CTRL = 1u | 2u | 8u; /* transmit, receive, interrupt on receive: it only wakes the CPU */
    NVIC_ENABLE = 1u << UART_RX_IRQ | 1u << TIMER1_IRQ;
    info = all;
    info.load.base += (uint32_t)(uintptr_t)mt_hot_bytes;
    info.load.bytes -= (uint32_t)(uintptr_t)mt_hot_bytes;
    info.data.base += (uint32_t)(uintptr_t)mt_network_data_bytes;
    info.data.bytes -= (uint32_t)(uintptr_t)mt_network_data_bytes;
    calibrate();
    return &info;
}

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

uint64_t board_cycles(void) {
    static uint32_t last, high;
    const uint32_t now = ~TIMER(0u, TIMER_VALUE);
    if (now < last) high++;
    last = now;
    return ((uint64_t)high << 32 | now) * INSTRUCTIONS_PER_TICK;
}
uint32_t board_cpu_hz(void) { return TICKS_PER_SECOND * INSTRUCTIONS_PER_TICK; }
void board_uid(uint8_t uid[16]) { memcpy(uid, "qemu-mps2-an386", 16u); }
void board_sync_code(uint32_t address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
void board_settle(void) {} /* QEMU models neither caches nor predictors */
void board_reset(void) {
    SCB_AIRCR = 0x05fa0004u;
    for (;;) {
    }
}

/* Calls r0(r1[0..3]) unprivileged on the process stack at r2. Comes back by leave_call, as if it had returned. */
__attribute__((naked, noinline)) static void enter_call(uint32_t entry, const uint32_t *args, uint32_t *top) {
    (void)entry;
    (void)args;
    (void)top;
    __asm__ volatile("push {r4-r11, lr}\n\t"
                     "sub sp, #4\n\t"
                     "vpush {s16-s31}\n\t"
                     "ldr r3, =mt_saved_msp\n\t"
                     "mov r12, sp\n\t"
                     "str r12, [r3]\n\t"
                     "msr psp, r2\n\t"
                     "orr r12, r0, #1\n\t"
                     "ldmia r1, {r0-r3}\n\t" /* before the switch: args lie in the server's memory */
                     "mov r5, #3\n\t"        /* CONTROL: process stack, unprivileged */
                     "msr control, r5\n\t"
                     "isb\n\t"
                     "blx r12\n\t"
                     "svc #0\n\t"
                     "udf #0");
}

/* Handler mode -> after enter_call, privileged, on the main stack: a made-up exception frame whose pc is the epilogue. */
__attribute__((naked)) static void leave_call(void) {
    __asm__ volatile("ldr r0, =mt_saved_msp\n\t"
                     "ldr r0, [r0]\n\t"
                     "mov sp, r0\n\t"
                     "mov r1, #0\n\t"
                     "msr control, r1\n\t" /* privileged; the stack pointer bit is ignored here, EXC_RETURN decides */
                     "sub sp, #32\n\t"
                     "mov r1, #0x01000000\n\t"
                     "str r1, [sp, #28]\n\t"
                     "ldr r1, =mt_call_epilogue\n\t"
                     "bic r1, #1\n\t"
                     "str r1, [sp, #24]\n\t"
                     "ldr lr, =0xfffffff9\n\t"
                     "bx lr");
}
__attribute__((naked, used)) void mt_call_epilogue(void) {
    __asm__ volatile("vpop {s16-s31}\n\t"
                     "add sp, #4\n\t"
                     "pop {r4-r11, pc}");
}

/* frame: r0-r3, r12, lr, pc, xpsr as stacked on the process stack; null where stacking itself failed. */
__attribute__((used)) void mt_call_ended(const uint32_t *frame, uint32_t end) {
    const uint32_t cfsr = SCB_CFSR;
    const uint32_t stacked = (cfsr & 0x1818u) == 0u ? 1u : 0u;
    left.ticks = ~TIMER(0u, TIMER_VALUE);
    /* Where the stack pointer is bad, stacking faults on the way into any handler: that was a fault, too. */
    left.end = cfsr != 0u ? (uint32_t)MT_CALL_FAULT : end;
    left.returned = stacked != 0u ? frame[0] : 0u;
    left.lr = stacked != 0u ? frame[5] : 0u;
    left.pc = stacked != 0u ? frame[6] : 0u;
    left.cause = cfsr != 0u ? cfsr : SCB_HFSR;
    left.address = (cfsr & 0x80u) != 0u ? SCB_MMFAR : (cfsr & 0x8000u) != 0u ? SCB_BFAR : 0u;
    SCB_CFSR = cfsr;
    SCB_HFSR = SCB_HFSR;
    SCB_SHCSR &= ~(15u << 12); /* and its own exception must not follow */
    FPU_FPCCR &= ~1u; /* a lazy FPU save that is still pending would write to the call's stack */
    TIMER(1u, TIMER_CTRL) = 0u;
    TIMER(1u, TIMER_INT) = 1u;
    NVIC_CLEAR_PENDING = 1u << TIMER1_IRQ;
}

#define ENDS_CALL(name, how)                                                                                            \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm__ volatile("tst lr, #4\n\t" /* on the process stack: inside a call */                                     \
                         "beq mt_server_fault\n\t"                                                                      \
                         "mrs r0, psp\n\t"                                                                              \
                         "mov r1, #" #how "\n\t"                                                                        \
                         "bl mt_call_ended\n\t"                                                                         \
                         "b %0" ::"i"(leave_call));                                                                     \
    }
ENDS_CALL(SVC_Handler, 0)
ENDS_CALL(Fault_Handler, 1)
ENDS_CALL(Deadline_Handler, 2)

/* A fault of the server itself, or a deadline that fired as its call ended. */
__attribute__((used)) void mt_server_fault(void) {
    if ((TIMER(1u, TIMER_INT) & 1u) != 0u) {
        TIMER(1u, TIMER_CTRL) = 0u;
        TIMER(1u, TIMER_INT) = 1u;
        return;
    }
    board_reset();
}
void Wake_Handler(void) { UART_INT = 2u; }

/*
 * Waits for the very instruction at which a tick begins, so that equal calls are counted equally; the timer's value there.
 * Reads are one instruction more than a tick apart: each finds the tick one instruction older, and the one that finds two
 * ticks gone since the last stands at the beginning of the second.
 */
static uint32_t tick_begins(void) {
    uint32_t before, now, gone;
    __asm__ volatile("ldr %0, [%3]\n"
                     "1:\n\t"
                     ".rept 36\n\tnop\n\t.endr\n\t"
                     "ldr %1, [%3]\n\t"
                     "subs %2, %0, %1\n\t"
                     "mov %0, %1\n\t"
                     "cmp %2, #2\n\t"
                     "blo 1b"
                     : "=&r"(before), "=&r"(now), "=&r"(gone)
                     : "r"(&TIMER(0u, TIMER_VALUE))
                     : "cc", "memory");
    return now;
}
_Static_assert(INSTRUCTIONS_PER_TICK == 40u, "the loop above is 41 instructions long");

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    const uint64_t ticks = (uint64_t)deadline_ms * (TICKS_PER_SECOND / 1000u);
    uint32_t *const bottom = mt_call_stack;
    const uint32_t words = STACK_BYTES / 4u;
    for (uint32_t i = 0; i < words; i++) bottom[i] = PAINT;
    memset(result, 0, sizeof *result);
    TIMER(1u, TIMER_VALUE) = ticks > 0xffffffffu ? 0xffffffffu : (uint32_t)ticks + 1u;
    TIMER(1u, TIMER_INT) = 1u;
    TIMER(1u, TIMER_CTRL) = TIMER_ENABLE | TIMER_INT_ENABLE;
    NVIC_DISABLE = 1u << UART_RX_IRQ; /* what arrives meanwhile waits, uncounted */
    const uint32_t start = tick_begins();
    enter_call(entry, args, bottom + words);
    NVIC_ENABLE = 1u << UART_RX_IRQ;
    const uint64_t count = (uint64_t)(left.ticks - ~start) * INSTRUCTIONS_PER_TICK;
    result->end = (mt_call_end)left.end;
    result->returned = left.returned;
    result->count = count > overhead ? count - overhead : 0u;
    result->pc = left.pc;
    result->lr = left.lr;
    result->cause = left.cause;
    result->address = left.address;
    uint32_t clean = 0;
    while (clean < words && bottom[clean] == PAINT) clean++;
    result->stack_bytes = (words - clean) * 4u;
}

/* What a call costs that does nothing. */
__attribute__((naked)) static void nothing(void) { __asm__ volatile("bx lr"); }
static void calibrate(void) {
    static const uint32_t args[4] = {0u, 0u, 0u, 0u};
    mt_call result;
    board_call((uint32_t)(uintptr_t)nothing, args, 1000u, &result);
    overhead = (uint32_t)result.count;
}
