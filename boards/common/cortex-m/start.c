/*
 * Reset and the vectors of the CPU; those of a machine's interrupts lie right behind them (section .vectors.irqs). No C library
 * start-up: variables, and what a network keeps in RAM, are set up here.
 */
#include "cortex-m.h"

extern uint32_t mt_ramfunc_load[], mt_ramfunc_start[], mt_ramfunc_end[];
extern uint32_t mt_data_load[], mt_data_image_start[], mt_data_image_end[];
extern uint32_t mt_stack_top[], mt_bss_start[], mt_bss_end[];
int main(void);
void SysTick_Handler(void);

typedef void (*vector)(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector exceptions[15];
} vectors = {
    mt_stack_top,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, 0, 0, 0,
     SVC_Handler, Fault_Handler, 0, Fault_Handler, SysTick_Handler},
};

/* Of a machine that has no better timer for deadlines. */
__attribute__((weak)) void SysTick_Handler(void) { mt_server_fault(); }

static void copy(uint32_t *to, const uint32_t *end, const uint32_t *from) {
    while (to < end) *to++ = *from++;
}

__attribute__((used, noreturn)) void Reset_Handler(void) {
#if defined(__ARM_FP) || defined(__ARM_FEATURE_MVE)
    SCB_CPACR |= 0xfu << 20; /* FPU on before any code that may use it */
    __asm__ volatile("dsb\n\tisb");
#endif
    copy(mt_ramfunc_start, mt_ramfunc_end, mt_ramfunc_load);
    copy(mt_data_image_start, mt_data_image_end, mt_data_load);
    for (uint32_t *to = mt_bss_start; to < mt_bss_end;) *to++ = 0u;
    (void)main();
    for (;;) {
    }
}
