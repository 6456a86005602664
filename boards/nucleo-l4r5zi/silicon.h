/* NUCLEO-L4R5ZI: LPUART1 at PG7 and PG8 leads to the ST-LINK's virtual COM port (UM2179, "LPUART1 communication"). */
#ifndef MICROTUNE_SILICON_H
#define MICROTUNE_SILICON_H

#define SILICON_CPU_HZ 120000000u
#define SILICON_WAIT_STATES 5u /* RM0432, chapter 3: above 100 MHz in range 1 boost */

#define SILICON_UART 0x40008000u /* LPUART1 */
#define SILICON_UART_IRQ 70u
#define SILICON_UART_ENABLE (RCC + 0x5cu) /* RCC_APB1ENR2 */
#define SILICON_UART_ENABLE_BIT 0u
#define SILICON_UART_DIVIDER APB1_DIVIDER
#define SILICON_UART_STEPS 256u /* an LPUART counts in 256ths of its clock */
#define SILICON_UART_PORT 6u    /* G */
#define SILICON_UART_TX 7u
#define SILICON_UART_RX 8u
#define SILICON_UART_FUNCTION 8u

#endif
