/* Cortex-M3: the M4's pipeline with a slower multiplier and no FPU. Sources [T] and [P]: see three-stages.h. */
#include "three-stages.h"

static const struct three_stages rules = {
    .cycles =
        {
            /* [T] Table 3-1. */
            [INSN_UNKNOWN] = 1, [INSN_MARKER] = 1, [INSN_ALU] = 1, [INSN_BITFIELD] = 1, [INSN_MUL] = 1, [INSN_NOP] = 1,
            [INSN_MLA] = 2,
            /*
             * [T] 3 to 5 and 4 to 7, sooner where operands are short. What these are used for here are 32-bit scale
             * factors, so the longest.
             */
            [INSN_MUL_LONG] = 5, [INSN_MLA_LONG] = 7,
            [INSN_DIV] = 7, /* [T] 2 to 12, by the operands: the middle */
            [INSN_IT] = 1,  /* [T] 1, or folded into a 16-bit instruction before ("might"): 1 */
            [INSN_SYSTEM] = 2, [INSN_BARRIER] = 1, [INSN_TRAP] = 1, [INSN_PRELOAD] = 1, [INSN_LOOP] = 1,
            [INSN_BRANCH] = 1, [INSN_CALL] = 1, [INSN_BRANCH_REG] = 1,
            [INSN_TABLE_BRANCH] = 3,
            [INSN_MUL_DSP] = 1, /* the M3 has none of these; its code cannot reach here */
        },
    .indexed_loads_chain = 0,
    .indexed_store_after_load = 0,
};

static struct issued issue(struct pipe *pipe, const struct insn *i) { return three_stages_issue(&rules, pipe, i); }

const struct core core_cortex_m3 = {
    .name = "cortex-m3",
    .bus_bytes = 4,
    .chain_cycles = 1,
    .issue = issue,
    .branch = three_stages_branch,
    .unaligned = three_stages_unaligned,
};
