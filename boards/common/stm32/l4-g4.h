/* What the STM32L4+ (RM0432) and the STM32G4 (RM0440) have alike: the same blocks at the same addresses. */
#ifndef MICROTUNE_L4_G4_H
#define MICROTUNE_L4_G4_H

/* Memory map. */
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

#endif
