/* STM32U5 (RM0456, U575) with TrustZone off (TZEN = 0, as delivered): what the shared drivers need to know. */
#ifndef MICROTUNE_FAMILY_H
#define MICROTUNE_FAMILY_H

#include "silicon.h"

/* RM0456, memory map, non-secure addresses. */
#define RCC 0x46020c00u
#define PWR 0x46020800u
#define FLASH_INTERFACE 0x40022000u
#define ICACHE 0x40030400u
#define GPIO_PORT(n) (0x42020000u + 0x400u * (n))

#define GPIO_ENABLE (RCC + 0x8cu) /* RCC_AHB2ENR1 */
#define TIM2_ENABLE (RCC + 0x9cu) /* RCC_APB1ENR1 */

#define TIM2_IRQ 45u    /* manual, vector table */
#define UID 0x0bfa0700u /* manual, "Device electronic signature" */

/* Everything runs at the CPU's clock. */
#define APB1_DIVIDER 1u
#define APB2_DIVIDER 1u
#define TIM2_DIVIDER 1u
#define SLOW_HZ 4000000u /* MSIS after reset */

#endif
