/* The STM32U5: PLL1 from HSI16 to 160 MHz in range 1 with the EPOD booster, four wait states, prefetch, ICACHE. */
#include "stm32.h"

#define RCC_CR (RCC + 0x00u)
#define HSION (1u << 8)
#define HSIRDY (1u << 10)
#define PLL1ON (1u << 24)
#define PLL1RDY (1u << 25)
#define RCC_CFGR1 (RCC + 0x1cu)
#define SW_MASK 3u
#define SW_PLL1 3u
#define SWS_MASK (3u << 2)
#define SWS_PLL1 (3u << 2)
#define RCC_CFGR2 (RCC + 0x20u)
#define HPRE_MASK 0xfu
#define HPRE_BY_2 8u
#define RCC_PLL1CFGR (RCC + 0x28u)
#define RCC_PLL1DIVR (RCC + 0x34u)
#define RCC_AHB3ENR (RCC + 0x94u)
#define PWREN (1u << 2)
#define PWR_VOSR (PWR + 0x0cu)
#define BOOSTRDY (1u << 14)
#define VOSRDY (1u << 15)
#define VOS_RANGE_1 (3u << 16)
#define BOOSTEN (1u << 18)
#define FLASH_ACR (FLASH_INTERFACE + 0x00u)
#define LATENCY_MASK 0xfu
#define PRFTEN (1u << 8)
#define ICACHE_CR (ICACHE + 0x00u)
#define ICACHE_EN (1u << 0)
#define CACHEINV (1u << 1)
#define ICACHE_SR (ICACHE + 0x04u)
#define BUSYF (1u << 0)

/* HSI16 / 2 = 8 MHz into the VCO (range 4 to 8 MHz), and HSI16 itself into the booster, which wants 4 to 16 MHz; R is on. */
#define PLL1_INPUT (2u << 0 | 0u << 2 | (2u - 1u) << 8 | 0u << 12 | 1u << 18)
/* Times 40 = 320 MHz, half of it out at R: 160 MHz. P and Q as after reset. */
#define PLL1_DIVIDERS ((40u - 1u) << 0 | 1u << 9 | 1u << 16 | (2u - 1u) << 24)

/* Chapter 10: range 1 first; the booster needs its clock, the source of PLL1, before it is switched on. */
static uint32_t more_power(void) {
    switch_on(RCC_AHB3ENR, PWREN);
    change(PWR_VOSR, VOS_RANGE_1, VOS_RANGE_1);
    if (comes(PWR_VOSR, VOSRDY, VOSRDY) == 0u) return 0u;
    REG32(RCC_PLL1CFGR) = PLL1_INPUT;
    REG32(RCC_PLL1DIVR) = PLL1_DIVIDERS;
    change(PWR_VOSR, BOOSTEN, BOOSTEN);
    return comes(PWR_VOSR, BOOSTRDY, BOOSTRDY);
}

static uint32_t run_on_pll1(void) {
    change(RCC_CFGR2, HPRE_MASK, HPRE_BY_2); /* Chapter 11: in two steps when the way up is more than 80 MHz */
    change(RCC_CFGR1, SW_MASK, SW_PLL1);
    const uint32_t fast = comes(RCC_CFGR1, SWS_MASK, SWS_PLL1);
    if (fast == 0u) change(RCC_CFGR1, SW_MASK, 0u); /* MSIS */
    for (volatile uint32_t i = 0; i < 80u; i++) {   /* at least 1 us */
    }
    change(RCC_CFGR2, HPRE_MASK, 0u);
    return fast;
}

uint32_t stm32_start_clock(void) {
    change(ICACHE_CR, ICACHE_EN, ICACHE_EN);
    change(RCC_CR, HSION, HSION);
    if (comes(RCC_CR, HSIRDY, HSIRDY) == 0u || more_power() == 0u) return 0u;
    change(RCC_CR, PLL1ON, PLL1ON);
    if (comes(RCC_CR, PLL1RDY, PLL1RDY) == 0u) return 0u;
    change(FLASH_ACR, LATENCY_MASK | PRFTEN, SILICON_WAIT_STATES | PRFTEN);
    if (comes(FLASH_ACR, LATENCY_MASK, SILICON_WAIT_STATES) == 0u) return 0u;
    return run_on_pll1();
}

/* Chapter 8: an invalidation runs by itself; code waits for it at its next fetch, we wait here. */
void board_settle(void) {
    change(ICACHE_CR, CACHEINV, CACHEINV);
    (void)comes(ICACHE_SR, BUSYF, 0u);
}
void board_sync_code(uint32_t address, uint32_t bytes) {
    (void)address;
    (void)bytes;
    __asm__ volatile("dsb" ::: "memory");
    board_settle();
    __asm__ volatile("isb" ::: "memory");
}
