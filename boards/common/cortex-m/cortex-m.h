/*
 * What the Cortex-M files share: system registers, places that the linker decides, and what a machine (common/mps2, common/stm32,
 * a board of its own) provides. Registers are named as in the Armv6-M, v7-M and v8-M reference manuals.
 */
#ifndef MICROTUNE_CORTEX_M_H
#define MICROTUNE_CORTEX_M_H

#include <stdint.h>

#include "microtune_board.h"

#define REG32(address) (*(volatile uint32_t *)(address))

#define NVIC_ENABLE REG32(0xe000e100u)
#define NVIC_DISABLE REG32(0xe000e180u)
#define NVIC_CLEAR_PENDING REG32(0xe000e280u)
#define SCB_VTOR REG32(0xe000ed08u)
#define SCB_AIRCR REG32(0xe000ed0cu)
#define SCB_CCR REG32(0xe000ed14u)
#define SCB_SHCSR REG32(0xe000ed24u)
#define SCB_CFSR REG32(0xe000ed28u)
#define SCB_HFSR REG32(0xe000ed2cu)
#define SCB_MMFAR REG32(0xe000ed34u)
#define SCB_BFAR REG32(0xe000ed38u)
#define SCB_CPACR REG32(0xe000ed88u)
#define FPU_FPCCR REG32(0xe000ef34u)

/*
 * Whether the CPU says what a fault was (CFSR and its kin). An Armv6-M part does not; the twin of one does, as it runs on a
 * Cortex-M3: it defines MT_FAULT_STATUS itself.
 */
#if !defined(MT_FAULT_STATUS)
#if defined(__ARM_ARCH_6M__) || defined(__ARM_ARCH_8M_BASE__)
#define MT_FAULT_STATUS 0
#else
#define MT_FAULT_STATUS 1
#endif
#endif

/* Places by the link script: the address of a symbol is its value. */
#define MT_PLACE(symbol) ((uint32_t)(uintptr_t)(symbol))
extern uint8_t mt_flash_start[], mt_flash_end[];
extern uint8_t mt_server_start[], mt_server_end[]; /* variables and stacks of the server; the stack of calls is their end */
extern uint32_t mt_call_stack[], mt_call_stack_end[];
extern uint8_t mt_load_all_start[]; /* with what a linked network keeps in RAM, where that lies in the load region */
extern uint8_t mt_load_start[], mt_load_end[];
extern uint8_t mt_data_start[], mt_data_end[];
extern uint8_t mt_network_start[]; /* the arena of a linked network; mt_data_start where there is none */
/* Announced to hosts: nothing where the board makes no difference, or where a network is linked in. */
extern uint8_t mt_ram_code_start[], mt_ram_code_end[], mt_ram_data_start[], mt_ram_data_end[];
/* What a call may run and read in RAM: the above, or what a linked network keeps there. */
extern uint8_t mt_hot_code_start[], mt_hot_code_end[], mt_hot_data_start[], mt_hot_data_end[];
/* In trials its data is what they may only read; what a network has there its init writes. An address alone is never 0. */
#define MT_HOT_DATA_IS_TRIALS (MT_PLACE(mt_ram_data_end) > MT_PLACE(mt_ram_data_start))

/* call.c and its parts. Bytes at the end of a call's stack for what an exception stacks: at most 104, with the FPU in use. */
#define MT_FRAME_ROOM 128
extern uint32_t mt_saved_msp;
/* Calls r0(r1[0..3]) on the stack whose end is r2, unprivileged where the CPU can. Back by mt_leave_call. */
void mt_enter_call(uint32_t entry, const uint32_t *args, uint32_t *stack_end);
void mt_call_ended(const uint32_t *frame, uint32_t end);
void mt_server_fault(void);
void mt_late_supervisor_call(void);
/* Measures what a call costs that does nothing; later counts are without that. */
void mt_calibrate(void);

/* Where the MPU of the CPU is: one of mpu-v7m.c, mpu-v8m.c, mpu-none.c. MT_FLAG_GUARDED, or 0. */
uint16_t mt_guard_memory(void);

/* Of the machine. Handlers of interrupts that it enables lie in its part of the vector table, section .vectors.irqs. */
void mt_start_machine(void);
extern const mt_range mt_staging;
/* The link's interrupt, off while a call runs. */
void mt_link_quiet(void);
void mt_link_listen(void);
/* Waits until what was sent has left the part, but not for ever: a restart cuts off what has not. */
void mt_link_flush(void);
/* Interrupts with Deadline_Handler after so many milliseconds. mt_deadline_stop tells whether the interrupt had come. */
void mt_deadline_start(uint32_t ms);
int mt_deadline_stop(void);
/* Counts what lies between the two; called as close to a call as can be. Equal calls are counted equally. */
void mt_count_start(void);
uint64_t mt_count_stop(void);

void Reset_Handler(void);
void SVC_Handler(void);
void Fault_Handler(void);
void Deadline_Handler(void);

#endif
