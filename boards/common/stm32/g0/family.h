/* STM32G0 (RM0444): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0444, memory map. */
#define RCC 0x40021000u
#define FLASH_INTERFACE 0x40022000u
#define GPIO_PORT(n) (0x50000000u + 0x400u * (n))

#define GPIO_ENABLE (RCC + 0x34u) /* RCC_IOPENR */
#define TIM2_ENABLE (RCC + 0x3cu) /* RCC_APBENR1 */

#define TIM2_IRQ 15u    /* manual, vector table */
#define UID 0x1fff7590u /* manual, "Device electronic signature" */

/* Everything runs at the CPU's clock. */
#define APB1_DIVIDER 1u
#define APB2_DIVIDER 1u
#define TIM2_DIVIDER 1u
#define SLOW_HZ 16000000u /* HSI16 after reset */

#endif
