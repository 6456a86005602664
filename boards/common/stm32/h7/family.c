/* The STM32H7: PLL1 from HSI to the board's speed (400 MHz in VOS1, 480 MHz in VOS0 from revision V on), and the L1 caches. */
#include "stm32.h"

#define RCC_CR (RCC + 0x00u)
#define HSIRDY (1u << 2)
#define PLL1ON (1u << 24)
#define PLL1RDY (1u << 25)
#define RCC_CFGR (RCC + 0x10u)
#define SW_MASK 7u
#define SW_PLL1 3u
#define SWS_MASK (7u << 3)
#define SWS_PLL1 (3u << 3)
#define RCC_D1CFGR (RCC + 0x18u)
#define HPRE_BY_2 (8u << 0)
#define D1PPRE_BY_2 (4u << 4)
#define RCC_D2CFGR (RCC + 0x1cu)
#define D2PPRES_BY_2 (4u << 4 | 4u << 8)
#define RCC_D3CFGR (RCC + 0x20u)
#define D3PPRE_BY_2 (4u << 4)
#define RCC_PLLCKSELR (RCC + 0x28u)
#define RCC_PLLCFGR (RCC + 0x2cu)
#define RCC_PLL1DIVR (RCC + 0x30u)
#define RCC_APB4ENR (RCC + 0xf4u)
#define SYSCFGEN (1u << 1)
#define PWR_CSR1 (PWR + 0x04u)
#define ACTVOSRDY (1u << 13)
#define PWR_CR3 (PWR + 0x0cu)
#define SUPPLY_MASK 7u
#define LDOEN (1u << 1)
#define PWR_D3CR (PWR + 0x18u)
#define VOSRDY (1u << 13)
#define VOS_MASK (3u << 14)
#define VOS_1 (3u << 14)
#define SYSCFG_PWRCR (0x58000400u + 0x2cu)
#define ODEN (1u << 0)
#define FLASH_ACR (FLASH_INTERFACE + 0x00u)
#define ACR_MASK 0x3fu
#define WRHIGHFREQ (2u << 4) /* Chapter 4: AXI at 200 MHz in VOS1 and at 240 MHz in VOS0 */

/* The Cortex-M7's caches: registers of the Armv7-M ARM, B3.2. A set/way word: way in the upper bits, set from bit 5 on. */
#define SCB_CCR_DC (1u << 16)
#define SCB_CCR_IC (1u << 17)
#define CCSIDR REG32(0xe000ed80u)
#define CSSELR REG32(0xe000ed84u)
#define ICIALLU REG32(0xe000ef50u)
#define DCISW 0xe000ef60u
#define DCCMVAU REG32(0xe000ef64u)
#define DCCISW 0xe000ef74u
#define BPIALL REG32(0xe000ef78u)
#define LINE 32u
#define BARRIERS() __asm__ volatile("dsb\n\tisb" ::: "memory")

/* Writes the word of every line of the data cache to a maintenance register. */
static void for_all_lines(uint32_t operation) {
    CSSELR = 0u; /* the data cache */
    BARRIERS();
    const uint32_t last_set = CCSIDR >> 13 & 0x7fffu, last_way = CCSIDR >> 3 & 0x3ffu;
    for (uint32_t way = 0; way <= last_way; way++) {
        for (uint32_t set = 0; set <= last_set; set++)
            REG32(operation) = way << (uint32_t)__builtin_clz(last_way) | set << 5;
    }
    BARRIERS();
}
static void forget_instructions(void) {
    BARRIERS();
    ICIALLU = 0u;
    BPIALL = 0u;
    BARRIERS();
}
static void start_caches(void) {
    forget_instructions();
    for_all_lines(DCISW); /* after reset they hold anything */
    SCB_CCR |= SCB_CCR_IC | SCB_CCR_DC;
    BARRIERS();
}
void board_settle(void) {
    for_all_lines(DCCISW);
    forget_instructions();
}
void board_sync_code(uint32_t address, uint32_t bytes) {
    __asm__ volatile("dsb" ::: "memory");
    for (uint32_t line = address & ~(LINE - 1u); line < address + bytes; line += LINE) DCCMVAU = line;
    forget_instructions();
}

/* HSI / 10 = 6.4 MHz into the VCO (range 4 to 8 MHz, wide VCO), times 2 x MHz / 6.4, half of it out at P. Only P is on. */
#define PLL1_INPUT (0u << 0 | 10u << 4)
#define PLL1_RANGE (0u << 1 | 2u << 2 | 1u << 16)
#define PLL1_DIVIDERS(hz) (((hz) / 3200000u - 1u) << 0 | (2u - 1u) << 9 | 1u << 16 | 1u << 24)

/* Chapter 6: VOS1, then VOS0 on top of it for more than 400 MHz. The supply is the LDO, as wired on the Nucleo. */
static uint32_t more_power(void) {
    change(PWR_CR3, SUPPLY_MASK, LDOEN);
    if (comes(PWR_CSR1, ACTVOSRDY, ACTVOSRDY) == 0u) return 0u;
    change(PWR_D3CR, VOS_MASK, VOS_1);
    if (comes(PWR_D3CR, VOSRDY, VOSRDY) == 0u) return 0u;
    if (SILICON_CPU_HZ <= 400000000u) return 1u;
    switch_on(RCC_APB4ENR, SYSCFGEN);
    change(SYSCFG_PWRCR, ODEN, ODEN);
    return comes(PWR_D3CR, VOSRDY, VOSRDY);
}

/* Chapter 8: the buses behind the CPU are slowed down before the CPU becomes fast. */
static void divide(uint32_t d1, uint32_t d2, uint32_t d3) {
    REG32(RCC_D1CFGR) = d1;
    REG32(RCC_D2CFGR) = d2;
    REG32(RCC_D3CFGR) = d3;
}

uint32_t stm32_start_clock(void) {
    start_caches();
    if (comes(RCC_CR, HSIRDY, HSIRDY) == 0u || more_power() == 0u) return 0u;
    REG32(RCC_PLLCKSELR) = PLL1_INPUT;
    REG32(RCC_PLLCFGR) = PLL1_RANGE;
    REG32(RCC_PLL1DIVR) = PLL1_DIVIDERS(SILICON_CPU_HZ);
    change(RCC_CR, PLL1ON, PLL1ON);
    if (comes(RCC_CR, PLL1RDY, PLL1RDY) == 0u) return 0u;
    change(FLASH_ACR, ACR_MASK, SILICON_WAIT_STATES | WRHIGHFREQ);
    if (comes(FLASH_ACR, ACR_MASK, SILICON_WAIT_STATES | WRHIGHFREQ) == 0u) return 0u;
    divide(HPRE_BY_2 | D1PPRE_BY_2, D2PPRES_BY_2, D3PPRE_BY_2);
    change(RCC_CFGR, SW_MASK, SW_PLL1);
    if (comes(RCC_CFGR, SWS_MASK, SWS_PLL1) != 0u) return 1u;
    change(RCC_CFGR, SW_MASK, 0u); /* HSI */
    divide(0u, 0u, 0u);
    return 0u;
}
