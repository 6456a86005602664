/* NUCLEO-F446RE: USART2 at PA2 and PA3 leads to the ST-LINK's virtual COM port (UM1724, "USART communication"). */
#ifndef MICROTUNE_SILICON_H
#define MICROTUNE_SILICON_H

#define SILICON_CPU_HZ 180000000u
#define SILICON_WAIT_STATES 5u     /* RM0390, chapter 3: 150 to 180 MHz at 2.7 to 3.6 V */
#define SILICON_VOS (3u << 14)     /* scale 1 */
#define SILICON_OVER_DRIVE 1       /* above 168 MHz */

#define SILICON_UART 0x40004400u /* USART2 */
#define SILICON_UART_IRQ 38u
#define SILICON_UART_ENABLE (RCC + 0x40u) /* RCC_APB1ENR */
#define SILICON_UART_ENABLE_BIT 17u
#define SILICON_UART_DIVIDER APB1_DIVIDER
#define SILICON_UART_STEPS 1u
#define SILICON_UART_PORT 0u /* A */
#define SILICON_UART_TX 2u
#define SILICON_UART_RX 3u
#define SILICON_UART_FUNCTION 7u

#endif
