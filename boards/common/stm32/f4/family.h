/* STM32F4 (RM0390 for the F446, RM0090 for the F405): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0390, memory map; RM0090 has the same. */
#define RCC 0x40023800u
#define PWR 0x40007000u
#define FLASH_INTERFACE 0x40023c00u
#define GPIO_PORT(n) (0x40020000u + 0x400u * (n))

/* RM0390, chapter 6: where clocks of ports and of TIM2 are switched on. */
#define GPIO_ENABLE (RCC + 0x30u)
#define TIM2_ENABLE (RCC + 0x40u)

#define USART_V1 /* SR, DR: RM0390 chapter 25 */
#define TIM2_IRQ 28u /* manual, vector table */
#ifndef UID /* an emulator may have nothing there */
#define UID 0x1fff7a10u /* manual, "Device electronic signature" */
#endif

/* APB1 runs at a quarter of the CPU's clock, APB2 at half; timers on APB1 at twice APB1 (RM0390 chapter 6). */
#define APB1_DIVIDER 4u
#define APB2_DIVIDER 2u
#define TIM2_DIVIDER 2u
#define SLOW_HZ 16000000u /* HSI, RM0390 chapter 6; without prescalers */

#endif
