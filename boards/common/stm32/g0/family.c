/* The STM32G0: PLL from HSI16 to 64 MHz, two wait states, instruction cache and prefetch. */
#include "stm32.h"

#define RCC_CR (RCC + 0x00u)
#define HSION (1u << 8)
#define HSIRDY (1u << 10)
#define PLLON (1u << 24)
#define PLLRDY (1u << 25)
#define RCC_CFGR (RCC + 0x08u)
#define SW_MASK 7u
#define SW_PLL 2u
#define SWS_MASK (7u << 3)
#define SWS_PLL (2u << 3)
#define RCC_PLLCFGR (RCC + 0x0cu)
#define FLASH_ACR (FLASH_INTERFACE + 0x00u)
#define LATENCY_MASK 7u
#define PRFTEN (1u << 8)
#define ICEN (1u << 9)
#define ICRST (1u << 11)
#define DBG_SWEN (1u << 18) /* as reset leaves it: the debugger may attach */

/* HSI16 into the VCO, times 8, half of it out at R: 64 MHz. */
#define PLL_SETTINGS (2u << 0 | (1u - 1u) << 4 | 8u << 8 | 1u << 28 | (2u - 1u) << 29)

uint32_t stm32_start_clock(void) {
    change(RCC_CR, HSION, HSION);
    if (comes(RCC_CR, HSIRDY, HSIRDY) == 0u) return 0u;
    REG32(RCC_PLLCFGR) = PLL_SETTINGS;
    change(RCC_CR, PLLON, PLLON);
    if (comes(RCC_CR, PLLRDY, PLLRDY) == 0u) return 0u;
    /* Chapter 3: wait states first, and only when they are in force the faster clock. */
    REG32(FLASH_ACR) = SILICON_WAIT_STATES | PRFTEN | ICEN | DBG_SWEN;
    if (comes(FLASH_ACR, LATENCY_MASK, SILICON_WAIT_STATES) == 0u) return 0u;
    change(RCC_CFGR, SW_MASK, SW_PLL);
    if (comes(RCC_CFGR, SWS_MASK, SWS_PLL) != 0u) return 1u;
    change(RCC_CFGR, SW_MASK, 0u); /* HSISYS */
    return 0u;
}

/* Chapter 3: lines can be dropped only while the cache is off. */
void board_settle(void) {
    change(FLASH_ACR, PRFTEN | ICEN, 0u);
    change(FLASH_ACR, ICRST, ICRST);
    change(FLASH_ACR, ICRST, 0u);
    change(FLASH_ACR, PRFTEN | ICEN, PRFTEN | ICEN);
}
