/* The STM32L4+, and the STM32G4: PLL from HSI16 to the board's speed in range 1 boost mode, flash caches. */
#include "stm32.h"

#define RCC_CR (RCC + 0x00u)
#define HSION (1u << 8)
#define HSIRDY (1u << 10)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define RCC_CFGR (RCC + 0x08u)
#define SW_MASK 3u
#define SW_PLL 3u
#define SWS_MASK (3u << 2)
#define SWS_PLL (3u << 2)
#define HPRE_MASK (0xfu << 4)
#define HPRE_BY_2 (8u << 4)
#define RCC_PLLCFGR (RCC + 0x0cu)
#define RCC_APB1ENR1 (RCC + 0x58u)
#define PWREN (1u << 28)
#define PWR_CR1 (PWR + 0x00u)
#define VOS_MASK (3u << 9)
#define VOS_RANGE_1 (1u << 9)
#define PWR_CR2 (PWR + 0x04u)
#define PWR_SR2 (PWR + 0x14u)
#define VOSF (1u << 10)
#define PWR_CR5 (PWR + 0x80u)
#define R1MODE (1u << 8)      /* 0: boost */
#define FLASH_ACR (FLASH_INTERFACE + 0x00u)
#define LATENCY_MASK 0xfu
#define PRFTEN (1u << 8)
#define ICEN (1u << 9)
#define DCEN (1u << 10)
#define ICRST (1u << 11)
#define DCRST (1u << 12)
/*
 * Without prefetch, which is what the parts have after reset, and ST's own projects for the L4+ (PREFETCH_ENABLE 0 in
 * stm32l4xx_hal_conf_template.h): it keeps the flash busy when constants are wanted from it. board.json's timing says the same.
 */
#define ACCELERATED (ICEN | DCEN)

/* HSI16 / 4 = 4 MHz into the VCO, half of it out at R. */
#define PLL_SETTINGS(mhz) (2u << 0 | (4u - 1u) << 4 | (uint32_t)(mhz) / 2u << 8 | 1u << 24 | 0u << 25)

uint32_t stm32_start_clock(void) {
    switch_on(RCC_APB1ENR1, PWREN);
    change(PWR_CR2, MORE_SUPPLIES, MORE_SUPPLIES);
    change(RCC_CR, HSION, HSION);
    if (comes(RCC_CR, HSIRDY, HSIRDY) == 0u) return 0u;
    /* Chapter 5, from range 1 normal to boost: the AHB at half speed while the frequency changes. */
    change(PWR_CR1, VOS_MASK, VOS_RANGE_1);
    if (comes(PWR_SR2, VOSF, 0u) == 0u) return 0u;
    change(PWR_CR5, R1MODE, 0u);
    change(FLASH_ACR, LATENCY_MASK | PRFTEN | ACCELERATED, SILICON_WAIT_STATES | ACCELERATED); /* the G4 has more in it: DBG_SWEN */
    if (comes(FLASH_ACR, LATENCY_MASK, SILICON_WAIT_STATES) == 0u) return 0u;
    REG32(RCC_PLLCFGR) = PLL_SETTINGS(SILICON_CPU_HZ / 1000000u);
    change(RCC_CR, PLLON, PLLON);
    if (comes(RCC_CR, PLLRDY, PLLRDY) == 0u) return 0u;
    change(RCC_CFGR, HPRE_MASK, HPRE_BY_2);
    change(RCC_CFGR, SW_MASK, SW_PLL);
    const uint32_t fast = comes(RCC_CFGR, SWS_MASK, SWS_PLL);
    if (fast == 0u) change(RCC_CFGR, SW_MASK, SW_SLOW);
    for (volatile uint32_t i = 0; i < 60u; i++) {  /* at least 1 us */
    }
    change(RCC_CFGR, HPRE_MASK, 0u);
    return fast;
}

/* Chapter 3: cache lines can be dropped only while their cache is off. */
void board_settle(void) {
    change(FLASH_ACR, ACCELERATED, 0u);
    change(FLASH_ACR, ICRST | DCRST, ICRST | DCRST);
    change(FLASH_ACR, ICRST | DCRST, 0u);
    change(FLASH_ACR, ACCELERATED, ACCELERATED);
}
