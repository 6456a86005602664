/* STM32H7 (RM0433, H743): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0433, memory map. */
#define RCC 0x58024400u
#define PWR 0x58024800u
#define FLASH_INTERFACE 0x52002000u
#define GPIO_PORT(n) (0x58020000u + 0x400u * (n))

#define GPIO_ENABLE (RCC + 0xe0u) /* RCC_AHB4ENR */
#define TIM2_ENABLE (RCC + 0xe8u) /* RCC_APB1LENR */

#define TIM2_IRQ 28u    /* manual, vector table */
#define UID 0x1ff1e800u /* manual, "Device electronic signature" */

/* Buses run at half the CPU's clock, peripherals at a quarter; timers at half (chapter 8, clock tree). */
#define APB1_DIVIDER 4u
#define APB2_DIVIDER 4u
#define TIM2_DIVIDER 2u
#define SLOW_HZ 64000000u /* HSI after reset; without prescalers */

#endif
