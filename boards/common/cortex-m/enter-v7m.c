/*
 * Into a call and out of it, for CPUs with all of Thumb-2 (Armv7-M, Armv8-M with the main extension).
 * Must stay true: whatever ends a call (its return by SVC, a fault, the deadline) takes the same road, mt_leave_call; and only
 * exceptions that come while the process stack is in use end one.
 */
#include "cortex-m.h"
#include "enter.h"

__attribute__((naked, noinline)) void mt_enter_call(uint32_t entry, const uint32_t *args, uint32_t *stack_end) {
    (void)entry;
    (void)args;
    (void)stack_end;
    __asm__ volatile(MT_SAVE_SERVER
                     "msr psp, r2\n\t"
                     "orr r12, r0, #1\n\t"
                     "ldmia r1, {r0-r3}\n\t" /* before the switch: args lie in the server's memory */
                     "mov r5, #3\n\t"        /* CONTROL: process stack, unprivileged */
                     "msr control, r5\n\t"
                     "isb\n\t" MT_COUNTED("blx r12") MT_RETURN "udf #0");
}

/* Handler mode -> after mt_enter_call, privileged, on the main stack: a made-up exception frame whose pc is the epilogue. */
__attribute__((naked, used)) void mt_leave_call(void) {
    __asm__ volatile("ldr r0, =mt_saved_msp\n\t"
                     "ldr r0, [r0]\n\t"
                     "mov sp, r0\n\t"
                     "mov r1, #0\n\t"
                     "msr control, r1\n\t" /* privileged; the stack pointer bit is ignored here, EXC_RETURN decides */
                     MT_RETURN_TO_EPILOGUE("0xfffffff9"));
}
__attribute__((naked, used)) void mt_call_epilogue(void) {
    __asm__ volatile(MT_RESTORE_SERVER);
}

#define ENDS_CALL(name, how)                                                                                            \
    __attribute__((naked)) void name(void) {                                                                           \
        __asm__ volatile(MT_CALL_IS_OVER "tst lr, #4\n\t" /* on the process stack: inside a call */                     \
                                         "beq mt_server_fault\n\t"                                                      \
                                         "mrs r0, psp\n\t"                                                              \
                                         "mov r1, #" #how "\n\t"                                                        \
                                         "bl mt_call_ended\n\t"                                                         \
                                         "b mt_leave_call");                                                            \
    }
ENDS_CALL(SVC_Handler, 0)
ENDS_CALL(Fault_Handler, 1)
ENDS_CALL(Deadline_Handler, 2)
