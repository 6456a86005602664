/*
 * The nRF51822 of a BBC micro:bit: UART on the pins of the board's USB interface, and timer 0 for both counter and deadline (the
 * other timers have 16 bits). Addresses and names are those of the nRF51 reference manual.
 *
 * QEMU with -icount shift=0 takes a nanosecond for an instruction, so a tick of the timer's 8 MHz is exactly 125 of them. Counts
 * are exact to the instruction all the same: see `tick_begins`.
 */
#include <string.h>

#include "cortex-m.h"

#define PIN_TX 24u
#define PIN_RX 25u

#define CLOCK_START_HF REG32(0x40000000u)
#define CLOCK_HF_STARTED REG32(0x40000100u)

#define UART(reg) REG32(0x40002000u + (reg))
#define UART_START_RX 0x000u
#define UART_START_TX 0x008u
#define UART_RECEIVED 0x108u
#define UART_SENT 0x11cu
#define UART_INT_SET 0x304u
#define UART_ENABLE 0x500u
#define UART_PIN_TX 0x50cu
#define UART_PIN_RX 0x514u
#define UART_RX_DATA 0x518u
#define UART_TX_DATA 0x51cu
#define UART_BAUD 0x524u
#define UART_IRQ 2u

#define TIMER(reg) REG32(0x40008000u + (reg))
#define TIMER_START 0x000u
#define TIMER_CAPTURE 0x040u /* the count, into compare register 0 */
#define TIMER_PASSED_1 0x144u
#define TIMER_INT_SET 0x304u
#define TIMER_INT_CLEAR 0x308u
#define TIMER_BITS 0x508u
#define TIMER_PRESCALER 0x510u
#define TIMER_COMPARE(n) (0x540u + 4u * (n))
#define COMPARE_1 (1u << 17)
#define TIMER_IRQ 8u
#define TICKS_PER_MS 8000u
#define INSTRUCTIONS_PER_TICK 125u

#define DEVICE_ID(word) REG32(0x10000060u + 4u * (word))

const mt_range mt_staging = {0u, 0u};

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[32])(void) = {
    [TIMER_IRQ] = Deadline_Handler,
};

/* The crystal: the UART wants its accuracy. The CPU's clock is always 16 MHz, so that waiting ends by counting. */
static void start_clock(void) {
    CLOCK_START_HF = 1u;
    for (uint32_t i = 0; i < 100000u && CLOCK_HF_STARTED == 0u; i++) {
    }
}

static void start_uart(void) {
    UART(UART_PIN_TX) = PIN_TX;
    UART(UART_PIN_RX) = PIN_RX;
    UART(UART_BAUD) = 0x01d7e000u; /* 115200 */
    UART(UART_ENABLE) = 4u;
    UART(UART_START_TX) = 1u;
    UART(UART_START_RX) = 1u;
    UART(UART_INT_SET) = 1u << 2; /* on receive: it only wakes the CPU */
}

static void start_timer(void) {
    TIMER(TIMER_BITS) = 3u; /* 32 */
    TIMER(TIMER_PRESCALER) = 1u;
    TIMER(TIMER_START) = 1u;
}

void mt_start_machine(void) {
    start_clock();
    start_uart();
    start_timer();
    NVIC_ENABLE = 1u << TIMER_IRQ;
    mt_calibrate();
}

/* The link's interrupt is on only while a byte is waited for. */
void mt_link_quiet(void) {}
void mt_link_listen(void) {}

uint8_t board_uart_read(void) {
    /* With interrupts masked a pending one still ends WFI, and nothing is lost between the test and the sleep. */
    __asm__ volatile("cpsid i" ::: "memory");
    NVIC_ENABLE = 1u << UART_IRQ;
    while (UART(UART_RECEIVED) == 0u) {
        __asm__ volatile("wfi");
        NVIC_CLEAR_PENDING = 1u << UART_IRQ;
    }
    NVIC_DISABLE = 1u << UART_IRQ;
    __asm__ volatile("cpsie i" ::: "memory");
    UART(UART_RECEIVED) = 0u; /* before the byte is taken: the next one in the FIFO sets it again */
    return (uint8_t)UART(UART_RX_DATA);
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        UART(UART_SENT) = 0u;
        UART(UART_TX_DATA) = bytes[i];
        while (UART(UART_SENT) == 0u) {
        }
    }
}

static uint32_t ticks(void) {
    TIMER(TIMER_CAPTURE) = 1u;
    return TIMER(TIMER_COMPARE(0u));
}

uint64_t board_cycles(void) {
    static uint32_t last, high;
    const uint32_t now = ticks();
    if (now < last) high++;
    last = now;
    return ((uint64_t)high << 32 | now) * INSTRUCTIONS_PER_TICK;
}

/* The tick that has just begun, and how many captures were needed to meet its very beginning. */
typedef struct {
    uint32_t tick, rounds;
} beginning;

/*
 * Captures come one instruction more than a tick apart, each one instruction later in its tick. The one that finds two ticks
 * gone since the last stands at the beginning of the second. So the first capture came `rounds` times as long before.
 */
#define INSTRUCTIONS_PER_ROUND 126u
static __attribute__((noinline)) beginning tick_begins(void) {
    uint32_t before, now, gone, rounds = 0u;
    __asm__ volatile(".syntax unified\n\t"
                     "str %[one], [%[capture]]\n\t"
                     "ldr %[before], [%[compare]]\n\t"
                     ".rept 124\n\tnop\n\t.endr\n"
                     "1:\n\t"
                     "str %[one], [%[capture]]\n\t"
                     "ldr %[now], [%[compare]]\n\t"
                     "subs %[gone], %[now], %[before]\n\t"
                     "mov %[before], %[now]\n\t"
                     "adds %[rounds], #1\n\t"
                     "cmp %[gone], #2\n\t"
                     "bhs 2f\n\t"
                     ".rept 118\n\tnop\n\t.endr\n\t"
                     "b 1b\n"
                     "2:"
                     : [before] "=&l"(before), [now] "=&l"(now), [gone] "=&l"(gone), [rounds] "+&l"(rounds)
                     : [one] "l"(1u), [capture] "l"(&TIMER(TIMER_CAPTURE)), [compare] "l"(&TIMER(TIMER_COMPARE(0u)))
                     : "cc", "memory");
    return (beginning){now, rounds};
}

static uint32_t begun;
void mt_count_start(void) { begun = tick_begins().tick; }
uint64_t mt_count_stop(void) {
    const beginning next = tick_begins();
    return (uint64_t)(next.tick - begun) * INSTRUCTIONS_PER_TICK - (uint64_t)next.rounds * INSTRUCTIONS_PER_ROUND;
}

/* Virtual time: as many instructions as a CPU of 1 GHz runs in so many milliseconds. The timer's 32 bits end after 536 s. */
void mt_deadline_start(uint32_t ms) {
    const uint64_t wait = (uint64_t)ms * TICKS_PER_MS;
    TIMER(TIMER_COMPARE(1u)) = ticks() + (wait > 0xffff0000u ? 0xffff0000u : (uint32_t)wait);
    TIMER(TIMER_PASSED_1) = 0u;
    TIMER(TIMER_INT_SET) = COMPARE_1;
}
int mt_deadline_stop(void) {
    const int had_come = TIMER(TIMER_PASSED_1) != 0u ? 1 : 0;
    TIMER(TIMER_INT_CLEAR) = COMPARE_1;
    TIMER(TIMER_PASSED_1) = 0u;
    NVIC_CLEAR_PENDING = 1u << TIMER_IRQ;
    return had_come;
}

void board_settle(void) {} /* there is nothing to settle: no cache, no prefetch */
void board_uid(uint8_t uid[16]) {
    const uint32_t id[2] = {DEVICE_ID(0u), DEVICE_ID(1u)};
    memset(uid, 0, 16u);
    memcpy(uid, "nrf51", 5u);
    memcpy(uid + 8, id, sizeof id);
}
