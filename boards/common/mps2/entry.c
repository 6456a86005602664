/* Where a CPU begins that does not find our vectors by itself: its stack first, then as after any reset. */
#include "cortex-m.h"

void mt_entry_point(void);
__attribute__((naked, used, noreturn)) void mt_entry_point(void) {
    __asm__ volatile("ldr r0, =mt_stack_top\n\t"
                     "mov sp, r0\n\t"
                     "b Reset_Handler");
}
