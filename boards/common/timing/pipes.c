/* See pipes.h. */
#include "pipes.h"

#include <string.h>

static uint32_t hash_of(const struct pipe *pipe) {
    uint64_t h = 0;
    for (unsigned i = 0; i < sizeof pipe->word / sizeof pipe->word[0]; i++) {
        h = (h ^ pipe->word[i]) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 32) % PIPE_SLOTS;
}

uint32_t pipes_number(struct pipes *all, const struct pipe *pipe) {
    uint32_t at = hash_of(pipe);
    for (; all->slot[at] != 0u; at = (at + 1u) % PIPE_SLOTS)
        if (memcmp(&all->pipe[all->slot[at] - 1u], pipe, sizeof *pipe) == 0) return all->slot[at] - 1u;
    all->pipe[all->count] = *pipe;
    all->slot[at] = all->count + 1u;
    return all->count++;
}

/* What one step may add before it asks again. */
#define STEP 4u

uint32_t pipes_make_room(struct pipes *all, uint32_t state) {
    if (all->generation != 0u && all->count + STEP <= MAX_PIPES) return state;
    const struct pipe kept = all->pipe[state];
    memset(all->slot, 0, sizeof all->slot);
    all->count = 0;
    all->generation++;
    return pipes_number(all, &kept);
}
