/*
 * Numbers for states of the pipe: equal states have equal numbers, so that a block's memo is found by comparing one number.
 * Must stay true: numbers are good for the current generation only. What is remembered under a number is only ever a
 * shortcut, never part of the result.
 */
#ifndef MICROTUNE_TIMING_PIPES_H
#define MICROTUNE_TIMING_PIPES_H

#include "core.h"

#define MAX_PIPES 16384u
#define PIPE_SLOTS (2u * MAX_PIPES)

struct pipes {
    struct pipe pipe[MAX_PIPES];
    uint32_t slot[PIPE_SLOTS]; /* number + 1 of the state that hashes to here; 0: none */
    uint32_t count;
    uint32_t generation; /* from 1 */
};

uint32_t pipes_number(struct pipes *all, const struct pipe *pipe);
/* Where the table is nearly full all is forgotten but `state`, whose number in the new generation is the answer. */
uint32_t pipes_make_room(struct pipes *all, uint32_t state);

#endif
