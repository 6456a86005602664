/* Reset. No C library start-up: variables and what a network keeps in RAM are set up here. gp stays unused (sections.ld). */
#include <stdint.h>

#include "riscv.h"

extern uint32_t mt_hot_load[], mt_hot_end[];
extern uint32_t mt_bss_start[], mt_bss_end[];
int main(void);
void mt_trap(void);

#define MSTATUS_FLOATS_ON (1u << 13)

__attribute__((used, noreturn)) void mt_start(void) {
    CSR_WRITE(mstatus, MSTATUS_FLOATS_ON); /* interrupts off: in machine mode they only end WFI */
    CSR_WRITE(mscratch, 0u);
    CSR_WRITE(mtvec, (uintptr_t)mt_trap);
    for (uint32_t *to = (uint32_t *)(void *)mt_hot_start, *from = mt_hot_load; to < mt_hot_end;) *to++ = *from++;
    for (uint32_t *to = mt_bss_start; to < mt_bss_end;) *to++ = 0u;
    (void)main();
    for (;;) {
    }
}

__attribute__((naked, used, section(".start"))) void _start(void) {
    __asm__ volatile("lla sp, mt_stack_top\n\t"
                     "j mt_start");
}
