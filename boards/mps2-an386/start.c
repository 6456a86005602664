/* Reset and vectors. No C library start-up: variables and what a network keeps in RAM are set up here. */
#include <stdint.h>

extern uint32_t mt_hot_load[], mt_hot_start[], mt_hot_end[];
extern uint32_t mt_stack_top[], mt_bss_start[], mt_bss_end[];
int main(void);
void Reset_Handler(void);
void SVC_Handler(void);
void Fault_Handler(void);
void Deadline_Handler(void);
void Wake_Handler(void);

typedef void (*vector)(void);

#define IRQS 16
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector exceptions[15];
    vector irqs[IRQS];
} vectors = {
    mt_stack_top,
    {Reset_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, Fault_Handler, 0, 0, 0, 0, SVC_Handler,
     Fault_Handler, 0, Fault_Handler, Fault_Handler},
    {Wake_Handler, 0, 0, 0, 0, 0, 0, 0, 0, Deadline_Handler, 0, 0, 0, 0, 0, 0},
};

__attribute__((used, noreturn)) void Reset_Handler(void) {
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20; /* FPU on before any code that may use it */
    __asm__ volatile("dsb\n\tisb");
    for (uint32_t *to = mt_hot_start, *from = mt_hot_load; to < mt_hot_end;) *to++ = *from++;
    for (uint32_t *to = mt_bss_start; to < mt_bss_end;) *to++ = 0u;
    (void)main();
    for (;;) {
    }
}
