/* STM32F405 boards with USART1 at PA9 and PA10, as on the Netduino Plus 2 that QEMU emulates. Sources: RM0090, DS8626. */
#ifndef MICROTUNE_SILICON_H
#define MICROTUNE_SILICON_H

#define SILICON_CPU_HZ 168000000u
#define SILICON_WAIT_STATES 5u /* RM0090, chapter 3: 150 to 168 MHz at 2.7 to 3.6 V */
#define SILICON_VOS (1u << 14) /* scale 1; one bit on this part */
#define SILICON_OVER_DRIVE 0   /* the part has none */

#define SILICON_UART 0x40011000u /* USART1 */
#define SILICON_UART_IRQ 37u
#define SILICON_UART_ENABLE (RCC + 0x44u) /* RCC_APB2ENR */
#define SILICON_UART_ENABLE_BIT 4u
#define SILICON_UART_DIVIDER APB2_DIVIDER
#define SILICON_UART_STEPS 1u
#define SILICON_UART_PORT 0u /* A */
#define SILICON_UART_TX 9u
#define SILICON_UART_RX 10u
#define SILICON_UART_FUNCTION 7u

#endif
