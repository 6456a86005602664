/*
 * In place of boards/common/cortex-m/cortex-m.h where sources of boards/common/stm32 are compiled for the host: registers are
 * kept by a model (part.c), and instructions of the Cortex-M assemble to nothing.
 */
#ifndef MICROTUNE_CORTEX_M_H
#define MICROTUNE_CORTEX_M_H

#include <stdint.h>

#include "microtune_board.h"

__asm__(".macro dsb\n.endm\n.macro isb\n.endm\n.macro wfi\n.endm\n.macro cpsid a\n.endm\n.macro cpsie a\n.endm\n");

volatile uint32_t *part_register(uint32_t address);
#define REG32(address) (*part_register(address))
#define SCB_VTOR REG32(0xe000ed08u)
#define SCB_CCR REG32(0xe000ed14u)
#define MT_PLACE(symbol) 0x08000000u

void mt_calibrate(void);
void Deadline_Handler(void);
void mt_start_machine(void);
void mt_link_flush(void);

#endif
