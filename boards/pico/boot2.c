/*
 * The second stage of the boot: 256 bytes at the start of flash, which the boot ROM checks (the checksum is put in by image.ts),
 * copies to the end of SRAM5 and runs there (§2.8.1). It sets the flash chip, a W25Q16JV, and the SSI up for reading four bits
 * at a time without a command before each address (§4.10), and goes on to the server's vectors.
 * Must stay true: position-independent, no more than 252 bytes, no variables; its stack is the boot ROM's. It waits for the SSI without a limit, as there is
 * nothing it could do without flash.
 */
#include "rp2040.h"

#define VECTORS 0x10000400u /* board.json says the same: flash begins behind the KiB of the boot */

/* Frames of 8 bits over one line, sent and received at once. */
#define SERIAL (7u << 16)
/* Frames of 32 bits over four lines: command and address are sent, then data is received. */
#define QUAD (2u << 21 | 31u << 16 | 3u << 8)
/* 24 bits of address and 8 mode bits, then 4 clocks of waiting. W25Q16JV, "Fast Read Quad I/O". */
#define ADDRESS_AND_WAIT (8u << 2 | 4u << 11)
#define COMMAND_SERIAL_ADDRESS_QUAD (2u << 8 | 1u)
#define NO_COMMAND_ADDRESS_QUAD 2u
#define MODE_CONTINUOUS 0xa0u

#define WRITE_ENABLE_VOLATILE 0x50u
#define WRITE_STATUS2 0x31u
#define QUAD_ENABLE 2u
#define READ_UNIQUE_ID 0x4bu
#define READ_QUAD 0xebu

/* SCK is clk_sys over this. Slow for commands: a byte must be there before the one before it has left. */
#define COMMAND_DIVIDER 8u
#define READ_DIVIDER 2u

#define PART __attribute__((section(".boot2.parts"), noinline, optimize("Os"))) static

/* Waits until everything has left, and takes so many frames that came back. */
PART void received(uint32_t n) {
    while ((SSI->sr & (SSI_TFE | SSI_BUSY)) != SSI_TFE) {
    }
    do (void)SSI->dr0;
    while (--n > 0u);
}
/* Sends two frames. */
PART void exchange(uint32_t first, uint32_t second, uint32_t n) {
    SSI->dr0 = first;
    SSI->dr0 = second;
    received(n);
}
PART void configure(uint32_t control, uint32_t spi, uint32_t divider) {
    SSI->ssienr = 0u;
    SSI->baudr = divider;
    SSI->ctrlr0 = control;
    SSI->ctrlr1 = 0u;        /* a frame a read */
    SSI->rx_sample_dly = 1u; /* at READ_DIVIDER the chip's answer is half a clock late; at the other it makes no difference */
    SSI->spi_ctrlr0 = spi;
    SSI->ssienr = 1u;
}
/* Eight bytes that the chip has sent, the first one on top of the first word. */
PART void keep_id(volatile uint32_t *to) {
    uint32_t id = 0;
    for (uint32_t left = 8u; left > 0u;) {
        id = id << 8 | SSI->dr0;
        left--;
        if ((left & 3u) == 0u) *to++ = id;
    }
}

__attribute__((section(".boot2"), used, noreturn, optimize("Os"))) void second_stage(void) {
    configure(SERIAL, 0u, COMMAND_DIVIDER);
    SSI->dr0 = READ_UNIQUE_ID;
    for (uint32_t i = 12u; i > 0u; i--) SSI->dr0 = 0u; /* four bytes of nothing, then the id */
    received(5u);
    keep_id(&UNIQUE_ID(0u));
    /* Until the power goes: the chip's own setting is not ours to change. */
    SSI->dr0 = WRITE_ENABLE_VOLATILE;
    received(1u);
    exchange(WRITE_STATUS2, QUAD_ENABLE, 2u);
    /* One read with a command, whose mode bits say that no later one has any. */
    configure(QUAD, ADDRESS_AND_WAIT | COMMAND_SERIAL_ADDRESS_QUAD, READ_DIVIDER);
    exchange(READ_QUAD, MODE_CONTINUOUS, 1u);
    configure(QUAD, MODE_CONTINUOUS << 24 | ADDRESS_AND_WAIT | NO_COMMAND_ADDRESS_QUAD, READ_DIVIDER);
    SCB_VTOR = VECTORS;
    __asm__ volatile("ldmia %0!, {r0, r1}\n\t"
                     "msr msp, r0\n\t"
                     "bx r1" ::"l"(VECTORS)
                     : "r0", "r1");
    __builtin_unreachable();
}
