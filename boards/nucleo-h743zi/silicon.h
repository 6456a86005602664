/* NUCLEO-H743ZI: USART3 at PD8 and PD9 leads to the ST-LINK's virtual COM port (UM2407, "USART communication"). */
#ifndef MICROTUNE_SILICON_H
#define MICROTUNE_SILICON_H

#define SILICON_CPU_HZ 480000000u /* silicon of revision V; revision Y ends at 400 MHz, with 2 wait states */
#define SILICON_WAIT_STATES 4u    /* RM0433, chapter 4: AXI at 225 to 240 MHz in VOS0 */

#define SILICON_UART 0x40004800u /* USART3 */
#define SILICON_UART_IRQ 39u
#define SILICON_UART_ENABLE (RCC + 0xe8u) /* RCC_APB1LENR */
#define SILICON_UART_ENABLE_BIT 18u
#define SILICON_UART_DIVIDER APB1_DIVIDER
#define SILICON_UART_STEPS 1u
#define SILICON_UART_PORT 3u /* D */
#define SILICON_UART_TX 8u
#define SILICON_UART_RX 9u
#define SILICON_UART_FUNCTION 7u

#endif
