/* Registers of the RP2040, named as in its datasheet; sections are of that. */
#ifndef MICROTUNE_RP2040_H
#define MICROTUNE_RP2040_H

#include <stdint.h>

#define REG32(address) (*(volatile uint32_t *)(address))
/* §2.1.2: writes to these aliases of a peripheral's register set or clear bits. */
#define SET_BITS(reg) REG32((uint32_t)&(reg) + 0x2000u)
#define CLEAR_BITS(reg) REG32((uint32_t)&(reg) + 0x3000u)

/* §2.14.3 */
#define RESETS_RESET REG32(0x4000c000u)
#define RESETS_DONE REG32(0x4000c008u)
#define RESET_IO_BANK0 (1u << 5)
#define RESET_PADS_BANK0 (1u << 8)
#define RESET_PLL_SYS (1u << 12)
#define RESET_TIMER (1u << 21)
#define RESET_UART0 (1u << 22)

/* §2.16.7 */
#define XOSC_CTRL REG32(0x40024000u)
#define XOSC_STATUS REG32(0x40024004u)
#define XOSC_STARTUP REG32(0x4002400cu)
#define XOSC_ENABLE (0xfabu << 12 | 0xaa0u) /* 1 to 15 MHz */
#define XOSC_STABLE (1u << 31)

/* §2.18.4 */
#define PLL_SYS_CS REG32(0x40028000u)
#define PLL_SYS_PWR REG32(0x40028004u)
#define PLL_SYS_FBDIV REG32(0x40028008u)
#define PLL_SYS_PRIM REG32(0x4002800cu)
#define PLL_LOCK (1u << 31)
#define PLL_PD (1u << 0)
#define PLL_POSTDIVPD (1u << 3)
#define PLL_VCOPD (1u << 5)

/* §2.19.6.4 */
#define PADS_QSPI_SCLK REG32(0x40020004u)
#define PADS_QSPI_SD(n) REG32(0x40020008u + 4u * (n))
#define PAD_FAST (1u << 0)
#define PAD_SCHMITT (1u << 1)
#define PAD_4_MA (1u << 4)
#define PAD_8_MA (2u << 4)

/* §2.15.7 */
#define CLK_REF_CTRL REG32(0x40008030u)
#define CLK_REF_SELECTED REG32(0x40008038u)
#define CLK_SYS_CTRL REG32(0x4000803cu)
#define CLK_SYS_SELECTED REG32(0x40008044u)
#define CLK_PERI_CTRL REG32(0x40008048u)
#define CLK_REF_XOSC 2u
#define CLK_SYS_AUX 1u /* PLL_SYS is source 0 of the auxiliary multiplexer */
#define CLK_PERI_ENABLE (1u << 11)

/* §2.19.6.1 */
#define GPIO_CTRL(n) REG32(0x40014004u + 8u * (n))
#define GPIO_UART 2u

/* §4.2.8: a PL011 */
#define UART_DR REG32(0x40034000u)
#define UART_FR REG32(0x40034018u)
#define UART_IBRD REG32(0x40034024u)
#define UART_FBRD REG32(0x40034028u)
#define UART_LCR_H REG32(0x4003402cu)
#define UART_CR REG32(0x40034030u)
#define UART_IMSC REG32(0x40034038u)
#define UART_BUSY (1u << 3)
#define UART_RXFE (1u << 4)
#define UART_TXFF (1u << 5)
#define UART_8N1_FIFO (3u << 5 | 1u << 4)
#define UART_ENABLE (1u << 0 | 1u << 8 | 1u << 9)
#define UART_RXIM (1u << 4)
#define UART_RTIM (1u << 6)

/* §4.6.5 */
#define TIMER_ALARM0 REG32(0x40054010u)
#define TIMER_ARMED REG32(0x40054020u)
#define TIMER_RAWH REG32(0x40054024u)
#define TIMER_RAWL REG32(0x40054028u)
#define TIMER_INTR REG32(0x40054034u)
#define TIMER_INTE REG32(0x40054038u)

/* §4.7.6 */
#define WATCHDOG_SCRATCH(n) REG32(0x4005800cu + 4u * (n))
#define WATCHDOG_TICK REG32(0x4005802cu)
#define WATCHDOG_TICK_ENABLE (1u << 9)

/* §2.6.3.6 */
#define XIP_FLUSH REG32(0x14000004u)

/* §4.10.13. A struct, for code that must be short: its registers are within reach of one pointer. */
typedef struct {
    volatile uint32_t ctrlr0, ctrlr1, ssienr, mwcr, ser, baudr, unused0[4], sr, unused1[13], dr0, unused2[35], rx_sample_dly,
        spi_ctrlr0;
} rp2040_ssi;
#define SSI ((rp2040_ssi *)0x18000000u)
#define SSI_TFE (1u << 2)
#define SSI_BUSY (1u << 0)

/* §2.3.2: interrupts. */
#define TIMER_IRQ_0 0u
#define UART0_IRQ 20u

/* §2.4.8: the Cortex-M0+'s own. */
#define SYST_CSR REG32(0xe000e010u)
#define SYST_RVR REG32(0xe000e014u)
#define SYST_CVR REG32(0xe000e018u)
#define SYST_RUN_BY_CPU_CLOCK 5u
#define SCB_VTOR REG32(0xe000ed08u)
#define MPU_RBAR REG32(0xe000ed9cu)
#define MPU_RASR REG32(0xe000eda0u)

/* The flash chip's 8 bytes, read by the second stage of the boot: afterwards the chip is busy being memory. */
#define UNIQUE_ID(word) WATCHDOG_SCRATCH(word)

#endif
