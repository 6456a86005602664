/*
 * Counts cycles of the timing model (common/timing): the markers around the branch into a call begin and end the count, and the
 * plugin leaves it in the mailbox, which lies in memory that it shares with the guest. What the server does is not counted.
 */
#include "mailbox.h"
#include "mps2.h"

#ifndef MT_MAILBOX
#error "MT_MAILBOX: where the plugin keeps its counters"
#endif

#define MAILBOX ((const volatile struct mt_mailbox *)MT_MAILBOX)

static uint64_t begun;

void mt_start_counter(void) {}

uint64_t board_cycles(void) {
    __asm__ volatile(MT_TIMING_READ::: "memory");
    return MAILBOX->cycles;
}
void board_settle(void) { __asm__ volatile(MT_TIMING_SETTLE::: "memory"); }

void mt_count_start(void) { begun = board_cycles(); }
uint64_t mt_count_stop(void) { return board_cycles() - begun; }
