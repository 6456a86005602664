/*
 * What the firmware of a twin and the timing plugin share: marker instructions, and the counters in memory that both see.
 * Markers are DBG hints, which a CPU runs as NOP. Outside BEGIN..END the model stands still: code there is neither counted
 * nor does it touch modelled caches.
 */
#ifndef MICROTUNE_TIMING_MAILBOX_H
#define MICROTUNE_TIMING_MAILBOX_H

#include <stdint.h>

#define MT_MARKER_SETTLE 1 /* caches, buffers, predictors into the state after reset */
#define MT_MARKER_BEGIN 2  /* counts from the next instruction on */
#define MT_MARKER_END 3    /* counts no more; the counters are in the mailbox then. A second END does nothing */
#define MT_MARKER_READ 4   /* brings the counters of the mailbox up to date */

/* DBG #n; 0xf3af80f0 is DBG #0. A literal, so that it can be pasted into assembly. */
#define MT_MARKER_TEXT(n) ".inst.w 0xf3af80f" #n "\n\t"
#define MT_TIMING_SETTLE MT_MARKER_TEXT(1)
#define MT_TIMING_BEGIN MT_MARKER_TEXT(2)
#define MT_TIMING_END MT_MARKER_TEXT(3)
#define MT_TIMING_READ MT_MARKER_TEXT(4)

#define MT_MAILBOX_MAGIC 0x4d544d42u
/* Why cycles pass, in the order of mt_mailbox.cause. */
enum mt_cause {
    MT_CAUSE_ISSUE,    /* one for each instruction, and what its operation takes */
    MT_CAUSE_PIPELINE, /* waiting for a loaded or computed register, an address, a busy unit */
    MT_CAUSE_BRANCH,   /* refilling the pipeline */
    MT_CAUSE_FETCH,    /* waiting for instructions from memory */
    MT_CAUSE_DATA,     /* waiting for data memory; unaligned accesses */
    MT_CAUSES
};

/* The plugin writes, the firmware and the host read. Each counter runs freely from the start of the emulator. */
struct mt_mailbox {
    uint32_t magic;           /* MT_MAILBOX_MAGIC once a plugin is there */
    uint32_t unknown_code;    /* the last instruction that the decoder did not know */
    uint64_t cycles;          /* the sum of all causes */
    uint64_t instructions;
    uint64_t cause[MT_CAUSES];
    uint64_t unknown;         /* instructions that the decoder did not know; counted as one cycle */
    uint64_t unmapped;        /* data accesses outside every region of the configuration; counted as without waiting */
    uint64_t fetch_misses;    /* reads of instruction memory that no cache or buffer answered */
    uint64_t data_misses;     /* the same for data */
};

#endif
