/*
 * Into a call and out of it, for Armv8-M with the main extension. Beside what enter-v7m.c says: the MPU is on from here to
 * there only; the end of the call's stack is a limit of the stack pointer (PSPLIM), so that it cannot step over the guard;
 * and a call that enters the non-secure world, where nothing of ours is, ends by the fault that this causes.
 * Must stay true: only exceptions that come from a call end one. The server runs secure and on the main stack.
 */
#include "cortex-m.h"
#include "enter.h"

#define SCB_SFSR REG32(0xe000ede4u)
#define STACK_OVERFLOW (1u << 20) /* of CFSR */

/*
 * EXC_RETURN. Where the part has no Security Extension, or has it switched off, its bits for it read as 0 (Armv8-M ARM,
 * B3.22): define MT_NO_SECURITY for these.
 */
#ifdef MT_NO_SECURITY
#define TO_SERVER "0xffffffb8"
#define WORLD_AND_STACK "#0x04"
#define SERVERS "#0"
#define FROM_SECURE 0u
#else
#define TO_SERVER "0xfffffff9"
#define WORLD_AND_STACK "#0x44" /* secure; process stack */
#define SERVERS "#0x40"
#define FROM_SECURE 0x40u
#endif

/* CTRL: with the default map for privileged code, off in faults of high priority; or off. Clobbers r4, r5. */
#define MPU_CTRL(value)                                                                                                \
    "ldr r4, =0xe000ed94\n\t"                                                                                          \
    "movs r5, #" #value "\n\t"                                                                                         \
    "str r5, [r4]\n\t"                                                                                                 \
    "dsb\n\t"                                                                                                          \
    "isb\n\t"

__attribute__((naked, noinline)) void mt_enter_call(uint32_t entry, const uint32_t *args, uint32_t *stack_end) {
    (void)entry;
    (void)args;
    (void)stack_end;
    __asm__ volatile(MT_SAVE_SERVER
                     "ldr r3, =mt_call_stack\n\t"
                     "msr psplim, r3\n\t"
                     "msr psp, r2\n\t"
                     "orr r12, r0, #1\n\t"
                     "ldmia r1, {r0-r3}\n\t" /* before the switch: args lie in the server's memory */
                     MPU_CTRL(5)
                     "movs r5, #3\n\t" /* CONTROL: process stack, unprivileged */
                     "msr control, r5\n\t"
                     "isb\n\t" MT_COUNTED("blx r12") MT_RETURN "udf #0");
}

/* Handler mode -> after mt_enter_call, privileged, on the main stack: a made-up exception frame whose pc is the epilogue. */
__attribute__((naked, used)) void mt_leave_call(void) {
    __asm__ volatile(MPU_CTRL(0)
                     "ldr r0, =mt_saved_msp\n\t"
                     "ldr r0, [r0]\n\t"
                     "mov sp, r0\n\t"
                     "movs r1, #0\n\t"
                     "msr control, r1\n\t" /* privileged; the stack pointer bit is ignored here, EXC_RETURN decides */
                     MT_RETURN_TO_EPILOGUE(TO_SERVER));
}
__attribute__((naked, used)) void mt_call_epilogue(void) {
    __asm__ volatile(MT_RESTORE_SERVER);
}

/*
 * Where the frame did not fit the CPU leaves the stack pointer at its limit; what a fault in the non-secure world has stacked is not
 * ours to look for.
 */
__attribute__((used)) void mt_v8m_call_ended(uint32_t exc_return, uint32_t end) {
    static const uint32_t nothing[8];
    uint32_t psp, limit;
    __asm__ volatile("mrs %0, psp\n\tmrs %1, psplim" : "=r"(psp), "=r"(limit));
    const int overflowed = (SCB_CFSR & STACK_OVERFLOW) != 0u && psp <= limit;
    const int elsewhere = (exc_return & 0x40u) != FROM_SECURE;
    SCB_SFSR = SCB_SFSR;
    mt_call_ended(overflowed != 0 || elsewhere != 0 ? nothing : (const uint32_t *)psp, end);
}

#define ENDS_CALL(name, how)                                                                                            \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm__ volatile(MT_CALL_IS_OVER "and r0, lr, " WORLD_AND_STACK "\n\t"                                          \
                                         "cmp r0, " SERVERS "\n\t"                                                      \
                                         "beq mt_server_fault\n\t"                                                      \
                                         "mov r0, lr\n\t"                                                               \
                                         "movs r1, #" #how "\n\t"                                                       \
                                         "bl mt_v8m_call_ended\n\t"                                                     \
                                         "b mt_leave_call");                                                            \
    }
ENDS_CALL(SVC_Handler, 0)
ENDS_CALL(Fault_Handler, 1)
ENDS_CALL(Deadline_Handler, 2)
