/* NUCLEO-G474RE: LPUART1 at PA2 and PA3 leads to the ST-LINK's virtual COM port (UM2505, "LPUART1 interface"; pins: DS12288). */
#ifndef MICROTUNE_SILICON_H
#define MICROTUNE_SILICON_H

#define SILICON_CPU_HZ 170000000u
#define SILICON_WAIT_STATES 4u /* RM0440, chapter 3: above 136 MHz in range 1 boost */

#define SILICON_UART 0x40008000u /* LPUART1 */
#define SILICON_UART_IRQ 91u
#define SILICON_UART_ENABLE (RCC + 0x5cu) /* RCC_APB1ENR2 */
#define SILICON_UART_ENABLE_BIT 0u
#define SILICON_UART_DIVIDER APB1_DIVIDER
#define SILICON_UART_STEPS 256u /* an LPUART counts in 256ths of its clock */
#define SILICON_UART_PORT 0u    /* A */
#define SILICON_UART_TX 2u
#define SILICON_UART_RX 3u
#define SILICON_UART_FUNCTION 12u

#endif
