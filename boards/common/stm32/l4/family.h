/* STM32L4+ (RM0432, L4R5): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0432, memory map. */
#define RCC 0x40021000u
#define PWR 0x40007000u
#define FLASH_INTERFACE 0x40022000u
#define GPIO_PORT(n) (0x48000000u + 0x400u * (n))

#define GPIO_ENABLE (RCC + 0x4cu) /* RCC_AHB2ENR */
#define TIM2_ENABLE (RCC + 0x58u) /* RCC_APB1ENR1 */

#define TIM2_IRQ 28u    /* manual, vector table */
#define UID 0x1fff7590u /* manual, "Device electronic signature" */

/* Everything runs at the CPU's clock. */
#define APB1_DIVIDER 1u
#define APB2_DIVIDER 1u
#define TIM2_DIVIDER 1u
#define SLOW_HZ 4000000u /* MSI after reset */
#define SW_SLOW 0u        /* the same in RCC_CFGR */
#define MORE_SUPPLIES (1u << 9) /* PWR_CR2, IOSV: VDDIO2 is there; without it PG2 to PG15 are cut off */

#endif
