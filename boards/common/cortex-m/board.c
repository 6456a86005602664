/* The parts of the porting contract that are the same on every Cortex-M: who it is, where its memory lies, how it restarts. */
#include <string.h>

#include "cortex-m.h"

#ifndef MT_BOARD
#error "MT_BOARD: the board's id, as in board.json"
#endif
#ifndef MT_CPU_HZ
#error "MT_CPU_HZ: the board's clockHz"
#endif

extern uint8_t mt_image_end[];   /* of the flash image */
extern uint32_t mt_stack_top[];  /* of the server */
static mt_board_info info;

static mt_range range(const uint8_t *start, const uint8_t *end) {
    return (mt_range){MT_PLACE(start), MT_PLACE(end) - MT_PLACE(start)};
}

const mt_board_info *board_init(void) {
#if MT_FAULT_STATUS
    SCB_SHCSR |= 7u << 16; /* MemManage, BusFault, UsageFault of their own */
    SCB_CCR |= 1u << 4;    /* division by zero traps */
#ifdef __ARM_ARCH_6M__
    SCB_CCR |= 1u << 3; /* and unaligned accesses, as they do on the CPU that the code is for */
#endif
#endif
    info.name = MT_BOARD;
    info.load = range(mt_load_start, mt_load_end);
    info.data = range(mt_data_start, mt_data_end);
    info.ram_code = range(mt_ram_code_start, mt_ram_code_end);
    info.ram_data = range(mt_ram_data_start, mt_ram_data_end);
    info.staging = mt_staging;
    info.stack_bytes = MT_PLACE(mt_call_stack_end) - MT_PLACE(mt_call_stack) - MT_FRAME_ROOM;
    info.flags = mt_guard_memory();
    if ((info.flags & MT_FLAG_GUARDED) == 0u) {
        info.fixed[0] = range(mt_flash_start, mt_image_end);
        info.server_stack_top = MT_PLACE(mt_stack_top);
    }
    mt_start_machine();
    return &info;
}

/* Weak: a machine whose clock may come out slower, that has caches, or whose UART takes its time, knows better. */
__attribute__((weak)) uint32_t board_cpu_hz(void) { return MT_CPU_HZ; }
__attribute__((weak)) void board_sync_code(uint32_t address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
__attribute__((weak)) void mt_link_flush(void) {} /* as QEMU's, which send at once */
void board_reset(void) {
    mt_link_flush();
    SCB_AIRCR = 0x05fa0004u;
    for (;;) {
    }
}
