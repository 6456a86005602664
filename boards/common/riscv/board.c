/* The parts of the porting contract that are the same on every RV32 board: where its memory lies, and what a call may touch. */
#include "microtune_board.h"
#include "riscv.h"

#ifndef MT_BOARD
#error "MT_BOARD: the board's id, as in board.json"
#endif
#ifndef MT_CPU_HZ
#error "MT_CPU_HZ: the board's clockHz"
#endif

static mt_board_info info;

/*
 * Two entries of the PMP for a range: where it begins, and where it ends with what user mode may do below. What no range
 * names user mode may not touch. The server, in machine mode, is not held by them.
 */
#define GUARD(lower, upper, from, to)                \
    do {                                             \
        CSR_WRITE(pmpaddr##lower, MT_PLACE(from) >> 2); \
        CSR_WRITE(pmpaddr##upper, MT_PLACE(to) >> 2);   \
    } while (0)
#define BELOW (1u << 3)
enum { READ = 1, WRITE = 2, EXECUTE = 4 };
/* Of two ranges, for a pmpcfg. */
#define MAY(first, second) ((BELOW | (first)) << 8 | (BELOW | (second)) << 24)

static void guard_memory(void) {
    GUARD(0, 1, mt_program_start, mt_program_end);
    GUARD(2, 3, mt_hot_start, mt_load_end);
    GUARD(4, 5, mt_network_start, mt_staging_end);
    GUARD(6, 7, mt_call_stack, mt_call_stack_end);
    CSR_WRITE(pmpcfg0, MAY(READ | EXECUTE, READ | EXECUTE));
    CSR_WRITE(pmpcfg1, MAY(READ | WRITE, READ | WRITE));
}

static mt_range range(const uint8_t *start, const uint8_t *end) {
    return (mt_range){MT_PLACE(start), MT_PLACE(end) - MT_PLACE(start)};
}

const mt_board_info *board_init(void) {
    guard_memory();
    info.name = MT_BOARD;
    info.load = range(mt_load_start, mt_load_end);
    info.data = range(mt_data_start, mt_data_end);
    info.staging = range(mt_staging_start, mt_staging_end);
    info.stack_bytes = MT_PLACE(mt_call_stack_end) - MT_PLACE(mt_call_stack);
    info.flags = MT_FLAG_GUARDED;
    riscv_stop_deadline();
    riscv_start_machine();
    riscv_calibrate();
    return &info;
}

uint32_t board_cpu_hz(void) { return MT_CPU_HZ; }
void board_sync_code(uint32_t address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    __asm__ volatile(".option push\n\t.option arch, +zifencei\n\tfence.i\n\t.option pop" ::: "memory");
}
