/*
 * Into a call and out of it, in the instructions of Armv6-M: for Cortex-M0 and M0+, and for code of theirs on the twin. The
 * same road as enter-v7m.c; both must stay true to what is said there. A CPU without an unprivileged mode ignores that bit of
 * CONTROL, and calls run privileged.
 */
#include "cortex-m.h"
#include "enter.h"

/* GCC takes assembly for Thumb-1 in the old syntax otherwise. */
#define UNIFIED ".syntax unified\n\t"

__attribute__((naked, noinline)) void mt_enter_call(uint32_t entry, const uint32_t *args, uint32_t *stack_end) {
    (void)entry;
    (void)args;
    (void)stack_end;
    __asm__ volatile(UNIFIED "push {r4-r7, lr}\n\t"
                     "mov r4, r8\n\t"
                     "mov r5, r9\n\t"
                     "mov r6, r10\n\t"
                     "mov r7, r11\n\t"
                     "push {r4-r7}\n\t"
                     "sub sp, #4\n\t"
                     "ldr r3, =mt_saved_msp\n\t"
                     "mov r4, sp\n\t"
                     "str r4, [r3]\n\t"
                     "msr psp, r2\n\t"
                     "movs r4, #1\n\t"
                     "orrs r0, r4\n\t"
                     "mov r12, r0\n\t"
                     "mov r4, r1\n\t"
                     "ldmia r4!, {r0-r3}\n\t" /* before the switch: args lie in the server's memory */
                     "movs r5, #3\n\t"        /* CONTROL: process stack, unprivileged */
                     "msr control, r5\n\t"
                     "isb\n\t" MT_COUNTED("blx r12") MT_RETURN "udf #0\n\t"
                     ".ltorg");
}

/* Handler mode -> after mt_enter_call, privileged, on the main stack: a made-up exception frame whose pc is the epilogue. */
__attribute__((naked, used)) void mt_leave_call(void) {
    __asm__ volatile(UNIFIED "ldr r0, =mt_saved_msp\n\t"
                     "ldr r0, [r0]\n\t"
                     "mov sp, r0\n\t"
                     "movs r1, #0\n\t"
                     "msr control, r1\n\t" /* privileged; the stack pointer bit is ignored here, EXC_RETURN decides */
                     "sub sp, #32\n\t"
                     "movs r1, #1\n\t"
                     "lsls r1, r1, #24\n\t"
                     "str r1, [sp, #28]\n\t"
                     "ldr r1, =mt_call_epilogue\n\t"
                     "lsrs r1, r1, #1\n\t"
                     "lsls r1, r1, #1\n\t"
                     "str r1, [sp, #24]\n\t"
                     "ldr r0, =0xfffffff9\n\t"
                     "bx r0\n\t"
                     ".ltorg");
}
__attribute__((naked, used)) void mt_call_epilogue(void) {
    __asm__ volatile(UNIFIED "add sp, #4\n\t"
                     "pop {r4-r7}\n\t"
                     "mov r8, r4\n\t"
                     "mov r9, r5\n\t"
                     "mov r10, r6\n\t"
                     "mov r11, r7\n\t"
                     "pop {r4-r7, pc}");
}

#define ENDS_CALL(name, how, otherwise)                                                                                \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm__ volatile(UNIFIED MT_CALL_IS_OVER "mov r0, lr\n\t"                                                      \
                                         "movs r1, #4\n\t"                                                             \
                                         "tst r0, r1\n\t" /* on the process stack: inside a call */                    \
                                         "bne 1f\n\t"                                                                  \
                                         "ldr r0, =" #otherwise "\n\t"                                                 \
                                         "bx r0\n"                                                                     \
                                         "1:\n\t"                                                                      \
                                         "mrs r0, psp\n\t"                                                             \
                                         "movs r1, #" #how "\n\t"                                                      \
                                         "bl mt_call_ended\n\t"                                                        \
                                         "ldr r0, =mt_leave_call\n\t"                                                  \
                                         "bx r0\n\t"                                                                   \
                                         ".ltorg");                                                                    \
    }
/* A supervisor call whose stacking failed ends its call by that fault, and is still pending then: nothing is left to do. */
__attribute__((used)) void mt_late_supervisor_call(void) {}

ENDS_CALL(SVC_Handler, 0, mt_late_supervisor_call)
ENDS_CALL(Fault_Handler, 1, mt_server_fault)
ENDS_CALL(Deadline_Handler, 2, mt_server_fault)
