/* The STM32F4: PLL from HSI to the board's speed, with over-drive where it has that (F446), and the flash accelerator. */
#include "stm32.h"

#define RCC_CR (RCC + 0x00u)
#define HSION (1u << 0)
#define HSIRDY (1u << 1)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define RCC_PLLCFGR (RCC + 0x04u)
#define RCC_CFGR (RCC + 0x08u)
#define SW_MASK 3u
#define SW_PLL 2u
#define SWS_MASK (3u << 2)
#define SWS_PLL (2u << 2)
#define PRESCALERS (0xfu << 4 | 7u << 10 | 7u << 13)
#define PPRE1_BY_4 (5u << 10)
#define PPRE2_BY_2 (4u << 13)
#define RCC_APB1ENR (RCC + 0x40u)
#define PWREN (1u << 28)
#define PWR_CR (PWR + 0x00u)
#define ODEN (1u << 16)
#define ODSWEN (1u << 17)
#define PWR_CSR (PWR + 0x04u)
#define ODRDY (1u << 16)
#define ODSWRDY (1u << 17)
#define FLASH_ACR (FLASH_INTERFACE + 0x00u)
#define LATENCY_MASK 0xfu
#define PRFTEN (1u << 8)
#define ICEN (1u << 9)
#define DCEN (1u << 10)
#define ICRST (1u << 11)
#define DCRST (1u << 12)
#define ACCELERATED (PRFTEN | ICEN | DCEN)

/*
 * HSI / 8 = 2 MHz into the VCO, as chapter 6 recommends against jitter; VCO / 2 out. Q (USB, not used) as low as may be;
 * R as after reset: 0 is no divider of the F446, and where the F405 has no R its bits are to be left.
 */
#define PLL_SETTINGS(mhz) (8u << 0 | (uint32_t)(mhz) << 6 | 0u << 16 | 0u << 22 | 15u << 24 | 2u << 28)

/* Chapter 5: over-drive is entered while the PLL runs and before the CPU runs on it. */
static uint32_t over_drive(void) {
    if (SILICON_OVER_DRIVE == 0) return 1u;
    change(PWR_CR, ODEN, ODEN);
    if (comes(PWR_CSR, ODRDY, ODRDY) == 0u) return 0u;
    change(PWR_CR, ODSWEN, ODSWEN);
    return comes(PWR_CSR, ODSWRDY, ODSWRDY);
}

uint32_t stm32_start_clock(void) {
    change(RCC_CR, HSION, HSION);
    if (comes(RCC_CR, HSIRDY, HSIRDY) == 0u) return 0u;
    switch_on(RCC_APB1ENR, PWREN);
    change(PWR_CR, SILICON_VOS, SILICON_VOS); /* scale 1; takes effect as the PLL starts */
    REG32(RCC_PLLCFGR) = PLL_SETTINGS(SILICON_CPU_HZ / 1000000u);
    change(RCC_CR, PLLON, PLLON);
    if (comes(RCC_CR, PLLRDY, PLLRDY) == 0u || over_drive() == 0u) return 0u;
    /* Chapter 3: wait states first, and only when they are in force the faster clock. */
    REG32(FLASH_ACR) = SILICON_WAIT_STATES | ACCELERATED;
    if (comes(FLASH_ACR, LATENCY_MASK, SILICON_WAIT_STATES) == 0u) return 0u;
    change(RCC_CFGR, PRESCALERS, PPRE1_BY_4 | PPRE2_BY_2);
    change(RCC_CFGR, SW_MASK, SW_PLL);
    if (comes(RCC_CFGR, SWS_MASK, SWS_PLL) != 0u) return 1u;
    change(RCC_CFGR, SW_MASK | PRESCALERS, 0u); /* HSI, undivided */
    return 0u;
}

/* Chapter 3: the lines of the accelerator can be dropped only while it is off. */
void board_settle(void) {
    change(FLASH_ACR, ACCELERATED, 0u);
    change(FLASH_ACR, ICRST | DCRST, ICRST | DCRST);
    change(FLASH_ACR, ICRST | DCRST, 0u);
    change(FLASH_ACR, ACCELERATED, ACCELERATED);
}
