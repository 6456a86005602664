/*
 * Parts of the Cortex-M55 model (core-m55.c): which pipe an instruction goes through and when its results are there.
 * Sources, named by these letters in the comments and in the tests:
 *   [L] LLVM, ARMScheduleM55.td: written by Arm; pipes, beats, latencies, dual issue
 *   [S] SLOTHY, cortex_m55r1.py: "approximate", by an author of the paper on optimising Helium code
 *   [H] ARM-software, "Helium optimization topics #3 – processor specific details": memory of M55
 *   [D] Arm DDI 0553 (Armv8-M ARM): low-overhead loops, LO_BRANCH_INFO
 *   [M] Arm DDI 0439 (Cortex-M4 TRM), where nothing is known of the M55: division
 * Where [L] and [S] differ (VLD2, VLD4, VSHLL, VMLADAV by one cycle) [L] counts.
 * Not modelled: a load right behind a store to its bank of DTCM, banks of gathering loads, ITCM's data port of 32 bits, vector
 * code at odd halfwords [H: named without numbers]; long FP operations let the whole pipeline wait.
 */
#ifndef MICROTUNE_TIMING_M55_H
#define MICROTUNE_TIMING_M55_H

#include "core.h"

/* [L] A vector instruction is two beats of 64 bits in one pipe; the next goes along in another pipe one cycle later. */
enum m55_pipe { M55_LOAD_STORE, M55_INTEGER, M55_MULTIPLY, M55_PIPES, M55_EITHER, M55_NO_PIPE };

struct m55_work {
    uint8_t pipe;    /* enum m55_pipe */
    uint8_t busy;    /* cycles for which it keeps its pipe */
    uint8_t alone;   /* cycles in which nothing issues behind it */
    uint8_t core;    /* cycles until core registers are there */
    uint8_t fp;      /* and FP and vector registers, 11 at most */
    uint8_t forward; /* a store can have the result a cycle sooner */
};
struct m55_work m55_work(const struct insn *i);

/* 16-bit instructions that go along with another 16-bit one [L]. */
int m55_goes_along(const struct insn *i);
/* LE, LETP: the end of a low-overhead loop. */
int m55_loop_end(const struct insn *i);

#endif
