/* An STM32 as the machine below a Cortex-M port: clock, link, timers; who it is. */
#include <string.h>

#include "stm32.h"

static uint32_t cpu_hz;

/* Nothing but the UART brings data. */
const mt_range mt_staging = {0u, 0u};

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[])(void) = {
    [SILICON_UART_IRQ] = stm32_uart_interrupt,
    [TIM2_IRQ] = Deadline_Handler,
};

uint32_t stm32_cpu_hz(void) { return cpu_hz; }
uint32_t stm32_hz_by(uint32_t divider) { return cpu_hz == SILICON_CPU_HZ ? cpu_hz / divider : cpu_hz; }

void mt_start_machine(void) {
    SCB_VTOR = MT_PLACE(mt_flash_start); /* after reset the vectors may be found at an alias of them */
    cpu_hz = stm32_start_clock() != 0u ? SILICON_CPU_HZ : SLOW_HZ;
    stm32_start_timers();
    stm32_start_uart();
    irq_on(TIM2_IRQ);
    irq_on(SILICON_UART_IRQ);
    mt_calibrate();
}

void mt_link_quiet(void) { irq_off(SILICON_UART_IRQ); }
void mt_link_listen(void) { irq_on(SILICON_UART_IRQ); }

uint32_t board_cpu_hz(void) { return cpu_hz; }

/* The 96 bits that each part has of its own. */
void board_uid(uint8_t uid[16]) {
    memset(uid, 0, 16u);
    for (uint32_t i = 0; i < 12u; i++) uid[i] = *(const volatile uint8_t *)(UID + i);
}
