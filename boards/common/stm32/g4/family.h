/* STM32G4 (RM0440, G474): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0440, memory map. */
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
#define SLOW_HZ 16000000u /* HSI16 after reset */

/* For l4/family.c, which starts this family as well. */
#define SW_SLOW 1u      /* RCC_CFGR: HSI16 */
#define MORE_SUPPLIES 0u

#endif
