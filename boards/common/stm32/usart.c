/*
 * The link: a U(S)ART at the pins that lead to the debugger's virtual COM port. Bytes are taken by an interrupt into a ring, so that
 * none is lost while the server is at work; where the ring is full, or a call keeps the interrupt off, bytes are lost and the
 * host sends its frame again.
 */
#include "stm32.h"

#define BAUD 115200u
#define RING_BYTES 1024u

#ifdef USART_V1 /* status and data in SR and DR */
#define USART_SR (SILICON_UART + 0x00u)
#define USART_RECEIVED (SILICON_UART + 0x04u)
#define USART_SENT USART_RECEIVED
#define USART_BRR (SILICON_UART + 0x08u)
#define USART_CR1 (SILICON_UART + 0x0cu)
#define UE (1u << 13)
#else /* ISR, RDR, TDR */
#define USART_CR1 (SILICON_UART + 0x00u)
#define USART_CR3 (SILICON_UART + 0x08u)
#define OVRDIS (1u << 12)
#define USART_BRR (SILICON_UART + 0x0cu)
#define USART_SR (SILICON_UART + 0x1cu)
#define USART_RECEIVED (SILICON_UART + 0x24u)
#define USART_SENT (SILICON_UART + 0x28u)
#define UE (1u << 0)
#endif
/* The same in all: bits of CR1, and of SR or ISR. */
#define RE (1u << 2)
#define TE (1u << 3)
#define RXNEIE (1u << 5)
#define RXNE (1u << 5)
#define TC (1u << 6)
#define TXE (1u << 7)

static volatile uint8_t ring[RING_BYTES];
static volatile uint32_t taken, read; /* how many bytes, ever; modulo 2^32 */

/* MODER, AFR: the pin to the peripheral with this number. */
static void pin_to(uint32_t pin, uint32_t function) {
    const uint32_t port = GPIO_PORT(SILICON_UART_PORT);
    change(port + 0x20u + pin / 8u * 4u, 0xfu << pin % 8u * 4u, function << pin % 8u * 4u); /* GPIOx_AFRL, AFRH */
    change(port + 0x00u, 3u << pin * 2u, 2u << pin * 2u);                                   /* GPIOx_MODER */
}

void stm32_start_uart(void) {
    switch_on(GPIO_ENABLE, 1u << SILICON_UART_PORT);
    switch_on(SILICON_UART_ENABLE, 1u << SILICON_UART_ENABLE_BIT);
    pin_to(SILICON_UART_TX, SILICON_UART_FUNCTION);
    pin_to(SILICON_UART_RX, SILICON_UART_FUNCTION);
    const uint32_t hz = stm32_hz_by(SILICON_UART_DIVIDER);
    REG32(USART_BRR) = (uint32_t)(((uint64_t)hz * SILICON_UART_STEPS + BAUD / 2u) / BAUD);
#ifndef USART_V1
    REG32(USART_CR3) = OVRDIS; /* a byte that comes too soon is lost, and no error stands in the way of the next */
#endif
    REG32(USART_CR1) = UE | TE | RE | RXNEIE;
}

void stm32_uart_interrupt(void) {
    (void)REG32(USART_SR); /* with the read of the data this also takes back an overrun of the older kind */
    const uint8_t byte = (uint8_t)REG32(USART_RECEIVED);
    if (taken - read == RING_BYTES) return;
    ring[taken % RING_BYTES] = byte;
    taken++;
}

uint8_t board_uart_read(void) {
    /* With interrupts masked a pending one still ends WFI, and nothing is lost between the test and the sleep. */
    __asm__ volatile("cpsid i" ::: "memory");
    while (taken == read) __asm__ volatile("wfi\n\tcpsie i\n\tisb\n\tcpsid i" ::: "memory");
    __asm__ volatile("cpsie i" ::: "memory");
    const uint8_t byte = ring[read % RING_BYTES];
    read++;
    return byte;
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        (void)comes(USART_SR, TXE, TXE); /* it always does, while the UART has a clock */
        REG32(USART_SENT) = bytes[i];
    }
}

void mt_link_flush(void) { (void)comes(USART_SR, TC, TC); }
