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
