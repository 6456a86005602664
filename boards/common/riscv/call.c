/*
 * Calls on RV32 with machine and user mode. A call runs in user mode on a stack of its own, behind the PMP. User mode can
 * neither mask machine interrupts nor touch a control register beyond the FPU's, so the deadline always comes. The call comes
 * back through ECALL, a fault or the timer's interrupt; all three enter mt_trap, which goes on where enter_call was left.
 *
 * Must stay true: mscratch is 0 while the server runs, and the server's stack pointer while a call does. mt_trap trusts
 * nothing else, least of all the call's stack pointer.
 */
#include "riscv.h"

#include <string.h>

#include "microtune_board.h"

#define PAINT 0xa5a5a5a5u
#define TIMER_INTERRUPT 0x80000007u
#define ECALL_FROM_USER 8u

/* minstreth, minstret, minstreth, one after another. */
typedef struct {
    uint32_t high, low, high_again;
} stamp;

/* Where the low word has just overflowed, the second read of the high word belongs to it, else the first. */
static uint64_t count_of(stamp s) { return (uint64_t)((s.low >> 31) != 0u ? s.high : s.high_again) << 32 | s.low; }

/* Filled in by enter_call and mt_trap, which know the order. */
stamp mt_began;
struct {
    stamp at;
    uint32_t returned, lr, pc, cause, address;
} mt_left;

#ifdef __riscv_flen
#define FLOATS(do) \
    #do " fs0, 60(sp)\n\t" #do " fs1, 64(sp)\n\t" #do " fs2, 68(sp)\n\t" #do " fs3, 72(sp)\n\t" #do " fs4, 76(sp)\n\t" #do \
        " fs5, 80(sp)\n\t" #do " fs6, 84(sp)\n\t" #do " fs7, 88(sp)\n\t" #do " fs8, 92(sp)\n\t" #do " fs9, 96(sp)\n\t" #do \
        " fs10, 100(sp)\n\t" #do " fs11, 104(sp)\n\t"
#define USUAL_ROUNDING "csrw fcsr, zero\n\t"
#else
#define FLOATS(do) ""
#define USUAL_ROUNDING ""
#endif
#define INTEGERS(do) \
    #do " ra, 0(sp)\n\t" #do " s0, 4(sp)\n\t" #do " s1, 8(sp)\n\t" #do " s2, 12(sp)\n\t" #do " s3, 16(sp)\n\t" #do \
        " s4, 20(sp)\n\t" #do " s5, 24(sp)\n\t" #do " s6, 28(sp)\n\t" #do " s7, 32(sp)\n\t" #do " s8, 36(sp)\n\t" #do \
        " s9, 40(sp)\n\t" #do " s10, 44(sp)\n\t" #do " s11, 48(sp)\n\t" #do " gp, 52(sp)\n\t" #do " tp, 56(sp)\n\t"
#define STAMP "csrr t0, minstreth\n\tcsrr t1, minstret\n\tcsrr t2, minstreth\n\t"
#define KEEP_STAMP "sw t0, 0(t3)\n\tsw t1, 4(t3)\n\tsw t2, 8(t3)\n\t"

/* Calls entry(args[0..3]) in user mode on the stack below `top`. Comes back by mt_trap, as if it had returned. */
__attribute__((naked, noinline)) static void enter_call(uint32_t entry, const uint32_t *args, uint32_t *top) {
    (void)entry;
    (void)args;
    (void)top;
    __asm__ volatile("addi sp, sp, -112\n\t"
                     INTEGERS(sw) FLOATS(fsw)
                     "csrw mscratch, sp\n\t"
                     "csrw mepc, a0\n\t"
                     "li t0, 3 << 11\n\t"
                     "csrc mstatus, t0\n\t" /* mret goes to user mode */
                     "mv sp, a2\n\t"
                     "mv t4, a1\n\t"
                     "lw a0, 0(t4)\n\t"
                     "lw a1, 4(t4)\n\t"
                     "lw a2, 8(t4)\n\t"
                     "lw a3, 12(t4)\n\t"
                     "lla ra, 1f\n\t"
                     "lla t3, mt_began\n\t"
                     STAMP KEEP_STAMP
                     "mret\n"
                     "1:\n\t" /* in user mode, when the call returns */
                     "ecall");
}

/* In machine mode, whatever happened in user mode. A trap of the server itself is a bug, and restarts it. */
__attribute__((naked, used, aligned(4))) void mt_trap(void) {
    __asm__ volatile("csrrw sp, mscratch, sp\n\t"
                     "beqz sp, 1f\n\t"
                     STAMP
                     "lla t3, mt_left\n\t"
                     KEEP_STAMP
                     "sw a0, 12(t3)\n\t"
                     "sw ra, 16(t3)\n\t"
                     "csrr t0, mepc\n\t"
                     "sw t0, 20(t3)\n\t"
                     "csrr t0, mcause\n\t"
                     "sw t0, 24(t3)\n\t"
                     "csrr t0, mtval\n\t"
                     "sw t0, 28(t3)\n\t"
                     "csrw mscratch, zero\n\t"
                     USUAL_ROUNDING
                     INTEGERS(lw) FLOATS(flw)
                     "addi sp, sp, 112\n\t"
                     "ret\n"
                     "1:\n\t"
                     "lla sp, mt_stack_top\n\t"
                     "j board_reset");
}

static mt_call_end end_of(uint32_t cause) {
    if (cause == ECALL_FROM_USER) return MT_CALL_DONE;
    return cause == TIMER_INTERRUPT ? MT_CALL_DEADLINE : MT_CALL_FAULT;
}

static uint32_t overhead;

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    const uint32_t words = (uint32_t)(mt_call_stack_end - mt_call_stack);
    for (uint32_t i = 0; i < words; i++) mt_call_stack[i] = PAINT;
    riscv_start_deadline(deadline_ms);
    CSR_CLEAR(mie, MACHINE_EXTERNAL); /* what arrives meanwhile waits, uncounted */
    CSR_SET(mie, MACHINE_TIMER);
    enter_call(entry, args, mt_call_stack_end);
    CSR_CLEAR(mie, MACHINE_TIMER);
    CSR_SET(mie, MACHINE_EXTERNAL);
    riscv_stop_deadline();
    const uint64_t count = count_of(mt_left.at) - count_of(mt_began);
    uint32_t clean = 0;
    while (clean < words && mt_call_stack[clean] == PAINT) clean++;
    *result = (mt_call){
        .end = end_of(mt_left.cause),
        .returned = mt_left.returned,
        .count = count > overhead ? count - overhead : 0u,
        .stack_bytes = (words - clean) * 4u,
        .pc = mt_left.pc,
        .lr = mt_left.lr,
        .cause = mt_left.cause,
        .address = mt_left.address,
    };
}

/* What a call costs that does nothing. */
__attribute__((naked)) static void nothing(void) { __asm__ volatile("ret"); }
void riscv_calibrate(void) {
    static const uint32_t args[4] = {0u, 0u, 0u, 0u};
    mt_call result;
    board_call((uint32_t)(uintptr_t)nothing, args, 1000u, &result);
    overhead = (uint32_t)result.count;
}

uint64_t board_cycles(void) {
    stamp s;
    __asm__ volatile("csrr %0, minstreth\n\tcsrr %1, minstret\n\tcsrr %2, minstreth"
                     : "=&r"(s.high), "=&r"(s.low), "=&r"(s.high_again));
    return count_of(s);
}
