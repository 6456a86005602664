/*
 * Cortex-M0+: two stages, no rule about neighbours. Source: Arm DDI 0484C (Cortex-M0+ TRM), Table 3-1, for memory without
 * wait states. "There is no load to use latency": github.com/jnk0le/random, cortex_m0.md.
 */
#include "core.h"

static const uint8_t cycles[INSN_CLASSES] = {
    [INSN_UNKNOWN] = 1, [INSN_MARKER] = 1, [INSN_ALU] = 1, [INSN_BITFIELD] = 1, [INSN_NOP] = 1, [INSN_TRAP] = 1,
    [INSN_MUL] = 1,     /* 1 or 32, the maker's choice; STM32G0 and RP2040 have the fast one */
    [INSN_SYSTEM] = 3,  /* MRS, MSR */
    [INSN_BARRIER] = 3,
    [INSN_LOAD] = 2, [INSN_STORE] = 2, /* 1 only at the single-cycle I/O port */
    [INSN_BRANCH] = 1, [INSN_CALL] = 1, [INSN_BRANCH_REG] = 1,
};

static int multiple(const struct insn *i) { return i->kind == INSN_LOAD_MULTIPLE || i->kind == INSN_STORE_MULTIPLE; }
static int has(const struct insn *i) { return cycles[i->kind] != 0u || multiple(i); }

static struct issued issue(struct pipe *pipe, const struct insn *i) {
    (void)pipe;
    struct issued out = {{0}, 0};
    out.cycles[MT_CAUSE_ISSUE] = (uint16_t)(multiple(i) ? 1u + i->count : cycles[i->kind]);
    if (!has(i)) out.cycles[MT_CAUSE_ISSUE] = 1u;
    return out;
}

/* B, BX, BLX, MOV PC: 2. BL: 3. POP with PC: 3 + N. */
static uint32_t branch(struct pipe *pipe, uint32_t predicted, const struct insn *i, int taken, const struct insn *target) {
    (void)pipe;
    (void)predicted;
    (void)target;
    if (!taken) return 0;
    return i->kind == INSN_CALL || i->kind == INSN_LOAD_MULTIPLE ? 2u : 1u;
}

/* Unaligned accesses fault on an M0+; the emulated machine, an M3, lets them pass. */
static uint32_t unaligned(const struct insn *i, uint32_t address, uint32_t bytes) {
    (void)i;
    (void)address;
    (void)bytes;
    return 0;
}

const struct core core_cortex_m0plus = {
    .name = "cortex-m0plus",
    .bus_bytes = 4,
    .has = has,
    .issue = issue,
    .branch = branch,
    .unaligned = unaligned,
};
