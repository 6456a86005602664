/*
 * Guards by the MPU of Armv6-M and v7-M (PMSAv7: regions of a power of two bytes, in eighths that can be left out). The server,
 * privileged, sees everything. Where regions overlap the higher number counts, so that the server's memory is never exposed
 * by another region's rounding.
 */
#include "cortex-m.h"

#define MPU_CTRL REG32(0xe000ed94u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RASR REG32(0xe000eda0u)

enum access { SERVER_ONLY = 1, CALL_READS = 2, CALL_WRITES = 3, READ_ONLY = 6 };
enum run { MAY_RUN = 0, NEVER_RUNS = 1 };

/* The eighths of [base, base + 2^log2) that hold nothing of [start, end), a bit each. */
static uint32_t without(uint32_t base, uint32_t log2, uint32_t start, uint32_t end) {
    const uint32_t eighth = 1u << (log2 - 3u);
    uint32_t none = 0;
    for (uint32_t i = 0; i < 8u; i++) {
        const uint32_t from = base + i * eighth;
        if (from + eighth <= start || from >= end) none |= 1u << i;
    }
    return none;
}

/* Region n: the smallest aligned block around [start, end), without the eighths outside; nothing where the range is empty. */
static void guard(uint32_t n, const void *from, const void *to, enum access access, enum run run) {
    const uint32_t start = MT_PLACE(from), end = MT_PLACE(to);
    if (end <= start) return;
    uint32_t log2 = 8; /* a block of fewer bytes has no eighths */
    while (log2 < 31u && ((start ^ (end - 1u)) >> log2) != 0u) log2++;
    const uint32_t base = start >> log2 << log2;
    MPU_RBAR = base | 0x10u | n;
    MPU_RASR = (uint32_t)run << 28 | (uint32_t)access << 24 | 1u << 17 | without(base, log2, start, end) << 8 |
               (log2 - 1u) << 1 | 1u;
}

uint16_t mt_guard_memory(void) {
    guard(0u, mt_flash_start, mt_flash_end, READ_ONLY, MAY_RUN);
    guard(1u, mt_load_all_start, mt_load_end, CALL_READS, MAY_RUN);
    guard(2u, mt_network_start, mt_data_end, CALL_WRITES, NEVER_RUNS);
    guard(3u, mt_hot_code_start, mt_hot_code_end, CALL_READS, MAY_RUN);
    guard(4u, mt_hot_data_start, mt_hot_data_end, CALL_READS, MAY_RUN);
    guard(5u, mt_server_start, mt_server_end, SERVER_ONLY, NEVER_RUNS);
    guard(6u, mt_call_stack, mt_call_stack_end, CALL_WRITES, NEVER_RUNS);
    guard(7u, (void *)0, (void *)1024, SERVER_ONLY, NEVER_RUNS); /* a null pointer faults when it is read, too */
    MPU_CTRL = 5u;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    return MT_FLAG_GUARDED;
}
