/*
 * What stands around the branch into a candidate, for all ways into one. On a twin: the markers between which the timing model counts
 * (common/timing/mailbox.h); elsewhere nothing, for the machine's counter is read by mt_count_start and mt_count_stop.
 * Markers and branch lie in one line of any flash, so that what is counted does not depend on where the
 * linker puts them.
 */
#ifndef MICROTUNE_CORTEX_M_ENTER_H
#define MICROTUNE_CORTEX_M_ENTER_H

/* Back to the server. What the exception stacks then lies above the call's stack, and does not count as used by it. */
#define MT_RETURN "add sp, #" MT_TEXT(MT_FRAME_ROOM) "\n\tsvc #0\n\t"
#define MT_TEXT(number) MT_TEXT_OF(number)
#define MT_TEXT_OF(number) #number

/* With Thumb-2: what a call must leave as it was for the server, on the server's stack, and where that is. */
#define MT_SAVE_SERVER                                                                                                 \
    "push {r4-r11, lr}\n\t"                                                                                            \
    "sub sp, #4\n\t" SAVE_FLOATS                                                                                       \
    "ldr r3, =mt_saved_msp\n\t"                                                                                        \
    "mov r12, sp\n\t"                                                                                                  \
    "str r12, [r3]\n\t"
#define MT_RESTORE_SERVER RESTORE_FLOATS "add sp, #4\n\tpop {r4-r11, pc}"
/* Out of handler mode, with the stack pointer back at the server's: a made-up exception frame whose pc is the epilogue. */
#define MT_RETURN_TO_EPILOGUE(exc_return)                                                                              \
    "sub sp, #32\n\t"                                                                                                  \
    "mov r1, #0x01000000\n\t"                                                                                          \
    "str r1, [sp, #28]\n\t"                                                                                            \
    "ldr r1, =mt_call_epilogue\n\t"                                                                                    \
    "bic r1, #1\n\t"                                                                                                   \
    "str r1, [sp, #24]\n\t"                                                                                            \
    "ldr lr, =" exc_return "\n\t"                                                                                      \
    "bx lr"

/* Registers of the FPU that a call must leave as they were, for the server: on its stack around a call. */
#ifdef __ARM_FP
#define SAVE_FLOATS "vpush {s16-s31}\n\t"
#define RESTORE_FLOATS "vpop {s16-s31}\n\t"
#else
#define SAVE_FLOATS
#define RESTORE_FLOATS
#endif

#ifdef MT_TWIN
#include "mailbox.h"
#define MT_COUNTED(branch) ".balign 32\n\t" MT_TIMING_BEGIN branch "\n\t" MT_TIMING_END
#define MT_CALL_IS_OVER MT_TIMING_END
#else
#define MT_COUNTED(branch) branch "\n\t"
#define MT_CALL_IS_OVER
#endif

#endif
