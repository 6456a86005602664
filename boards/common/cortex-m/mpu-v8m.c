/*
 * Guards by the MPU of Armv8-M (PMSAv8: a region is any run of 32-byte blocks, and regions must not overlap).
 * Must stay true: what a region lets calls only read, it lets the server only read, too. So the MPU is on only while a call runs
 * (enter-v8m.c).
 */
#include "cortex-m.h"

#define MPU_RNR REG32(0xe000ed98u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RLAR REG32(0xe000eda0u)
#define MPU_MAIR0 REG32(0xe000edc0u)
#define BLOCK 32u

/* Of RBAR: AP in bits 2 and 1, XN in bit 0. */
enum access { READS_AND_RUNS = 3u << 1, READS = 3u << 1 | 1u, WRITES = 1u << 1 | 1u };

static uint32_t regions;

static int guarded(uint32_t start, uint32_t end) {
    for (MPU_RNR = 0u; MPU_RNR < regions; MPU_RNR++) {
        if (start >= (MPU_RBAR & ~(BLOCK - 1u)) && end <= (MPU_RLAR & ~(BLOCK - 1u)) + BLOCK) return 1;
    }
    return 0;
}

/* A region of the whole blocks in [from, to); none where there are none, or where a region before it has them. */
static void guard(uint32_t from, uint32_t to, enum access access) {
    const uint32_t start = (from + BLOCK - 1u) & ~(BLOCK - 1u), end = to & ~(BLOCK - 1u);
    if (end <= start || guarded(start, end) != 0) return;
    MPU_RNR = regions++;
    MPU_RBAR = start | (uint32_t)access;
    MPU_RLAR = (end - BLOCK) | 1u; /* the last block; attributes 0; on */
}

uint16_t mt_guard_memory(void) {
    MPU_MAIR0 = 0xffu; /* attributes 0: normal memory, written back where the part has caches */
    guard(MT_PLACE(mt_flash_start) + 1024u, MT_PLACE(mt_flash_end), READS_AND_RUNS); /* vectors: a null pointer may point there */
    guard(MT_PLACE(mt_load_start), MT_PLACE(mt_load_end), READS_AND_RUNS);
    guard(MT_PLACE(mt_hot_code_start), MT_PLACE(mt_hot_code_end), READS_AND_RUNS);
    /* A network's init copies its constants there. */
    guard(MT_PLACE(mt_hot_data_start), MT_PLACE(mt_hot_data_end), MT_HOT_DATA_IS_TRIALS ? READS : WRITES);
    guard(MT_PLACE(mt_network_start), MT_PLACE(mt_data_end), WRITES);
    guard(MT_PLACE(mt_call_stack), MT_PLACE(mt_call_stack_end), WRITES);
    return MT_FLAG_GUARDED;
}
