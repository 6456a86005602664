/*
 * The RP2040 for the server: clocks, UART 0 on GPIO 0 and 1, the timer's alarm 0 as deadline, and SysTick as counter.
 * Must stay true: what lies between the two readings of the counter runs from SRAM4 (pico.ld), so that the state of the
 * flash cache does not count; the vectors lie there, too.
 */
#include <string.h>

#include "rp2040.h"
#undef REG32
#include "cortex-m.h"

#define MHZ 125u
#define SYSTICK_BITS 24u

extern uint8_t mt_fast_start[], mt_fast_end[], mt_fast_load[];
extern uint32_t mt_vectors_in_ram[], mt_vectors_in_flash[];
#define VECTORS (16u + 26u)
#define FAST_BYTES 1024u

#ifdef MT_STAGING
const mt_range mt_staging = {MT_STAGING, MT_STAGING_BYTES}; /* the emulator's: bytes to load, and its counters */
#else
const mt_range mt_staging = {0u, 0u};
#endif

/* Waits for flags of the clock tree. Without its clock the board is no use: it tries again from the start. */
static void comes(volatile uint32_t *reg, uint32_t flags) {
    for (uint32_t patience = 1000000u; patience > 0u; patience--)
        if ((*reg & flags) == flags) return;
    board_reset();
}
static void out_of_reset(uint32_t blocks) {
    SET_BITS(RESETS_RESET) = blocks;
    CLEAR_BITS(RESETS_RESET) = blocks;
    comes(&RESETS_DONE, blocks);
}

/* For the flash at 62.5 MHz: a strong and fast clock, inputs without the delay of their Schmitt triggers. */
static void speed_up_flash_pads(void) {
    SET_BITS(PADS_QSPI_SCLK) = PAD_8_MA | PAD_FAST;
    CLEAR_BITS(PADS_QSPI_SCLK) = PAD_4_MA;
    for (uint32_t i = 0; i < 4u; i++) CLEAR_BITS(PADS_QSPI_SD(i)) = PAD_SCHMITT;
}

/* §2.15.3, §2.16.3, §2.18.2: crystal 12 MHz, times 125, over 6, over 2: 125 MHz, of CPU and peripherals alike. */
static void start_clocks(void) {
    CLEAR_BITS(CLK_SYS_CTRL) = 1u; /* where it stands after a reset of the CPU alone: from clk_ref, while the PLL is changed */
    comes(&CLK_SYS_SELECTED, 1u);
    XOSC_STARTUP = 47u; /* times 256 periods: 1 ms */
    XOSC_CTRL = XOSC_ENABLE;
    comes(&XOSC_STATUS, XOSC_STABLE);
    CLK_REF_CTRL = CLK_REF_XOSC;
    comes(&CLK_REF_SELECTED, 1u << CLK_REF_XOSC);
    out_of_reset(RESET_PLL_SYS);
    PLL_SYS_CS = 1u;
    PLL_SYS_FBDIV = 125u;
    CLEAR_BITS(PLL_SYS_PWR) = PLL_PD | PLL_VCOPD;
    comes(&PLL_SYS_CS, PLL_LOCK);
    PLL_SYS_PRIM = 6u << 16 | 2u << 12;
    CLEAR_BITS(PLL_SYS_PWR) = PLL_POSTDIVPD;
    CLK_SYS_CTRL = 0u; /* the auxiliary source is chosen before it is switched to */
    CLK_SYS_CTRL = CLK_SYS_AUX;
    comes(&CLK_SYS_SELECTED, 1u << CLK_SYS_AUX);
    CLK_PERI_CTRL = CLK_PERI_ENABLE;
    WATCHDOG_TICK = WATCHDOG_TICK_ENABLE | 12u; /* the timer counts microseconds */
}

/* 125 MHz / 16 / 115200 = 67 52/64. */
static void start_uart(void) {
    out_of_reset(RESET_UART0);
    UART_IBRD = 67u;
    UART_FBRD = 52u;
    UART_LCR_H = UART_8N1_FIFO;
    UART_CR = UART_ENABLE;
    UART_IMSC = UART_RXIM | UART_RTIM;
    GPIO_CTRL(0u) = GPIO_UART;
    GPIO_CTRL(1u) = GPIO_UART;
}

/*
 * Calls may run and read what lies in SRAM4, in region 7, which common/cortex-m keeps for null pointers: here nothing that
 * a call may touch lies at 0.
 */
static void open_fast_code(void) {
    memcpy(mt_fast_start, mt_fast_load, (size_t)(mt_fast_end - mt_fast_start));
    memcpy(mt_vectors_in_ram, mt_vectors_in_flash, VECTORS * sizeof(uint32_t));
    SCB_VTOR = MT_PLACE(mt_vectors_in_ram);
    MPU_RBAR = MT_PLACE(mt_vectors_in_ram) | 0x10u | 7u;
    MPU_RASR = 2u << 24 | 3u << 16 | 9u << 1 | 1u; /* 2^10 bytes of normal memory, read-only for calls */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
}
_Static_assert(FAST_BYTES == 1u << 10, "the region's size");

__attribute__((section(".vectors.irqs"), used)) static void (*const irqs[26])(void) = {
    [TIMER_IRQ_0] = Deadline_Handler,
    [UART0_IRQ] = Fault_Handler, /* is never taken: it only wakes the CPU, its interrupts masked */
};

void mt_start_machine(void) {
    speed_up_flash_pads();
    start_clocks();
    out_of_reset(RESET_IO_BANK0 | RESET_PADS_BANK0 | RESET_TIMER);
    start_uart();
    open_fast_code();
    SYST_RVR = (1u << SYSTICK_BITS) - 1u;
    SYST_CVR = 0u;
    SYST_CSR = SYST_RUN_BY_CPU_CLOCK;
    TIMER_INTE = 1u;
    NVIC_ENABLE = 1u << TIMER_IRQ_0;
    board_settle();
    mt_calibrate();
}

/* The interrupt is enabled only while the CPU sleeps for it: there is nothing to silence. */
void mt_link_quiet(void) {}
void mt_link_listen(void) {}

uint8_t board_uart_read(void) {
    __asm__ volatile("cpsid i");
    while ((UART_FR & UART_RXFE) != 0u) {
        NVIC_ENABLE = 1u << UART0_IRQ;
        __asm__ volatile("wfi");
        NVIC_DISABLE = 1u << UART0_IRQ;
    }
    NVIC_CLEAR_PENDING = 1u << UART0_IRQ;
    __asm__ volatile("cpsie i");
    return (uint8_t)UART_DR;
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        while ((UART_FR & UART_TXFF) != 0u) {
        }
        UART_DR = bytes[i];
    }
}

/* The FIFO's 32 bytes take 3 ms. While clocks are set up the UART is in reset, and cannot be asked. */
void mt_link_flush(void) {
    if ((RESETS_DONE & RESET_UART0) == 0u) return;
    for (uint32_t patience = 1000000u; patience > 0u && (UART_FR & UART_BUSY) != 0u; patience--) {
    }
}

/* Cycles, from the microseconds that have passed, which miss them by less than 2^23, and the low 24 bits of their number. */
static uint64_t cycles_of(uint64_t us, uint32_t low) {
    const uint32_t wrap = 1u << SYSTICK_BITS;
    low &= wrap - 1u;
    const uint64_t about = us * MHZ + wrap / 2u;
    return ((about - low) >> SYSTICK_BITS << SYSTICK_BITS) + low;
}

static uint64_t microseconds(void) {
    for (;;) {
        const uint32_t high = TIMER_RAWH;
        const uint32_t low = TIMER_RAWL;
        if (TIMER_RAWH == high) return (uint64_t)high << 32 | low;
    }
}

static uint32_t begun_us, begun;
void mt_count_start(void) {
    begun_us = TIMER_RAWL;
    begun = SYST_CVR;
}
uint64_t mt_count_stop(void) {
    const uint32_t ended = SYST_CVR;
    return cycles_of(TIMER_RAWL - begun_us, begun - ended);
}

/* As if both counters had begun together: the difference that they begin with is the same at each reading. */
uint64_t board_cycles(void) {
    const uint32_t low = 0u - SYST_CVR;
    return cycles_of(microseconds(), low);
}

/* A deadline of more than 71 minutes ends there, where the alarm's 32 bits end. */
void mt_deadline_start(uint32_t ms) {
    const uint32_t most = 0xffffffffu / 1000u;
    TIMER_ALARM0 = TIMER_RAWL + (ms < most ? ms : most) * 1000u;
}
int mt_deadline_stop(void) {
    const int had_come = (TIMER_INTR & 1u) != 0u;
    TIMER_ARMED = 1u;
    TIMER_INTR = 1u;
    NVIC_CLEAR_PENDING = 1u << TIMER_IRQ_0;
    return had_come;
}

void board_uid(uint8_t uid[16]) {
    const uint32_t id[2] = {UNIQUE_ID(0u), UNIQUE_ID(1u)};
    memcpy(uid, "rp2040: ", 8u);
    for (uint32_t i = 0; i < 8u; i++) uid[8u + i] = (uint8_t)(id[i / 4u] >> (24u - 8u * (i % 4u)));
}

/* §2.6.3.2. Reading the register waits until the cache is empty. */
void board_settle(void) {
    XIP_FLUSH = 1u;
    (void)XIP_FLUSH;
}
