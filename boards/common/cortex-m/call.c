/*
 * board_call on a Cortex-M. A call runs on the process stack, unprivileged where the CPU can, behind the MPU where there is one:
 * it may run and read flash and the load regions, and write the data region and its stack. Unprivileged, it cannot mask
 * interrupts, so the deadline always comes. It comes back through SVC, a fault, or the deadline's interrupt (enter-*.c).
 */
#include <string.h>

#include "cortex-m.h"

#define PAINT 0xa5a5a5a5u

/* Set by whatever ended the call. */
static volatile struct {
    uint64_t count;
    uint32_t end, returned, pc, lr, cause, address;
} left;
uint32_t mt_saved_msp;
static uint64_t overhead;

#if MT_FAULT_STATUS
/* Registers, cleared as they are read: their own exceptions must not follow. */
static uint32_t take_cause(void) {
    const uint32_t cfsr = SCB_CFSR;
    const uint32_t cause = cfsr != 0u ? cfsr : SCB_HFSR;
    left.address = (cfsr & 0x80u) != 0u ? SCB_MMFAR : (cfsr & 0x8000u) != 0u ? SCB_BFAR : 0u;
    SCB_CFSR = cfsr;
    SCB_HFSR = SCB_HFSR;
    SCB_SHCSR &= ~(15u << 12);
    return cause;
}
static int was_stacked(const uint32_t *frame) {
    (void)frame;
    return (left.cause & 0x1818u) == 0u;
}
/* Where the stack pointer is bad, stacking faults on the way into any handler. */
static int faulted(const uint32_t *frame) {
    (void)frame;
    return SCB_CFSR != 0u;
}
#else
static uint32_t take_cause(void) {
    left.address = 0u;
    return 0u;
}
/* Nothing tells whether stacking failed, and to read where it did would lock the CPU up: only the call's stack is believed. */
static int was_stacked(const uint32_t *frame) {
    const uint32_t at = MT_PLACE(frame);
    return at >= MT_PLACE(mt_call_stack) && at <= MT_PLACE(mt_call_stack_end) - 32u;
}
static int faulted(const uint32_t *frame) { return was_stacked(frame) == 0; }
#endif

/* frame: r0-r3, r12, lr, pc, xpsr as stacked on the process stack; meaningless where stacking itself failed. */
__attribute__((used)) void mt_call_ended(const uint32_t *frame, uint32_t end) {
    left.count = mt_count_stop();
    left.end = faulted(frame) != 0 ? (uint32_t)MT_CALL_FAULT : end;
    left.cause = take_cause();
    const int stacked = was_stacked(frame);
    left.returned = stacked != 0 ? frame[0] : 0u;
    left.lr = stacked != 0 ? frame[5] : 0u;
    left.pc = stacked != 0 ? frame[6] : 0u;
#ifdef __ARM_FP
    FPU_FPCCR &= ~1u; /* a lazy FPU save that is still pending would write to the call's stack */
#endif
    (void)mt_deadline_stop();
}

/* A fault of the server itself, or a deadline that fired as its call ended. */
__attribute__((used)) void mt_server_fault(void) {
    if (mt_deadline_stop() == 0) board_reset();
}

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    uint32_t *const bottom = mt_call_stack;
    const uint32_t words = (uint32_t)(mt_call_stack_end - mt_call_stack) - MT_FRAME_ROOM / 4u;
    for (uint32_t i = 0; i < words; i++) bottom[i] = PAINT;
    memset(result, 0, sizeof *result);
    mt_deadline_start(deadline_ms);
    mt_link_quiet(); /* what arrives meanwhile waits, uncounted */
    mt_count_start();
    mt_enter_call(entry, args, bottom + words);
    mt_link_listen();
    result->end = (mt_call_end)left.end;
    result->returned = left.returned;
    result->count = left.count > overhead ? left.count - overhead : 0u;
    result->pc = left.pc;
    result->lr = left.lr;
    result->cause = left.cause;
    result->address = left.address;
    uint32_t clean = 0;
    while (clean < words && bottom[clean] == PAINT) clean++;
    result->stack_bytes = (words - clean) * 4u;
}

__attribute__((naked)) static void nothing(void) { __asm__ volatile("bx lr"); }
void mt_calibrate(void) {
    const uint32_t args[4] = {0u, 0u, 0u, 0u}; /* on the stack, as the server's are: to read them from flash takes longer */
    mt_call result;
    overhead = 0u;
    board_call((uint32_t)(uintptr_t)nothing, args, 1000u, &result);
    overhead = result.count;
}
