/*
 * Guards by the MPU of Armv6-M and v7-M (PMSAv7: regions of a power of two bytes, in eighths that can be left out). The server,
 * privileged, sees everything. Where regions overlap the higher number counts.
 * Must stay true: no rounding of a region exposes the server's memory, or forbids what a network needs. In trials all ranges are
 * whole eighths (test/unit/twins.test.ts, products.test.ts).
 */
#include "cortex-m.h"

#define MPU_CTRL REG32(0xe000ed94u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RASR REG32(0xe000eda0u)

enum access { SERVER_ONLY = 1, CALL_READS = 2, CALL_WRITES = 3, READ_ONLY = 6 };
enum run { MAY_RUN = 0, NEVER_RUNS = 1 };
/* TEX 1, C, B: normal memory, written back and allocated on writes where there are caches, as RAM is without an MPU. */
#ifdef __ARM_ARCH_6M__
#define CACHED (3u << 16) /* has no TEX */
#else
#define CACHED (1u << 19 | 3u << 16)
#endif

/* The eighths of [base, base + 2^log2) that have nothing of [start, end), a bit each. */
static uint32_t without(uint32_t base, uint32_t log2, uint32_t start, uint32_t end) {
    const uint32_t eighth = 1u << (log2 - 3u);
    uint32_t none = 0;
    for (uint32_t i = 0; i < 8u; i++) {
        const uint32_t from = base + i * eighth, to = from + eighth;
        if (to <= start || from >= end) none |= 1u << i;
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
    const uint32_t none = without(base, log2, start, end);
    MPU_RBAR = base | 0x10u | n;
    MPU_RASR = (uint32_t)run << 28 | (uint32_t)access << 24 | CACHED | none << 8 | (log2 - 1u) << 1 | 1u;
}

uint16_t mt_guard_memory(void) {
    /* On a twin the load region is some of the flash. Elsewhere it holds what a network keeps in RAM. */
    const uint32_t load = MT_PLACE(mt_load_all_start);
    const int load_in_flash = load >= MT_PLACE(mt_flash_start) && load < MT_PLACE(mt_flash_end);
    guard(0u, mt_flash_start, mt_flash_end, load_in_flash != 0 ? CALL_READS : READ_ONLY, MAY_RUN);
    if (load_in_flash == 0) guard(1u, mt_load_all_start, mt_load_end, CALL_READS, MAY_RUN);
    guard(2u, mt_network_start, mt_data_end, CALL_WRITES, NEVER_RUNS);
    /* A network's constants, which its init copies there; its code may share their outermost eighths. */
    guard(3u, mt_hot_data_start, mt_hot_data_end, MT_HOT_DATA_IS_TRIALS ? CALL_READS : CALL_WRITES, NEVER_RUNS);
    guard(4u, mt_hot_code_start, mt_hot_code_end, CALL_READS, MAY_RUN);
    guard(5u, mt_server_start, mt_server_end, SERVER_ONLY, NEVER_RUNS);
    guard(6u, mt_call_stack, mt_call_stack_end, CALL_WRITES, NEVER_RUNS);
    guard(7u, (void *)0, (void *)1024, SERVER_ONLY, NEVER_RUNS); /* a null pointer faults when it is read, too */
    MPU_CTRL = 5u;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
    return MT_FLAG_GUARDED;
}
