/*
 * The porting contract: what a board provides to the server. Ten functions and one description; all memory is static.
 * Copy boards/host/board.c to begin; nothing else in firmware-rpc/ knows of any board.
 */
#ifndef MICROTUNE_BOARD_H
#define MICROTUNE_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "microtune_protocol.h"

typedef struct {
    uint32_t base;
    uint32_t bytes;
} mt_range;

#define MT_FIXED_RANGES 2u

typedef struct {
    const char *name;  /* board id, as in board.json */
    /* What a host may write, run from and read. */
    mt_range load;     /* candidates' code and constants */
    mt_range data;     /* their inputs, outputs, scratch */
    /* Where code and constants go that a schedule places in RAM; bytes 0 where that makes no difference, and all goes to load. */
    mt_range ram_code;
    mt_range ram_data;
    mt_range staging;  /* host-visible memory for bulk transfers; bytes 0 if there is none */
    uint32_t stack_bytes; /* of the stack that calls run on */
    uint16_t flags;       /* MT_FLAG_GUARDED where a call can write neither the server's memory nor load, ram_code, ram_data */
    /*
     * Without MT_FLAG_GUARDED: what the server looks at before and after each call, beside its own variables and this
     * description; where it has changed, the answer is DAMAGED and the firmware restarts. Ranges of bytes 0 are not looked at.
     */
    mt_range fixed[MT_FIXED_RANGES]; /* the server's code and constants; the board's variables that only board_init sets */
    uint32_t server_stack_top;       /* where the stack that the server runs on begins; 0: it is not looked at */
} mt_board_info;

/*
 * How a call ended. pc, lr, cause and address are meaningful where that is not MT_CALL_DONE. MT_CALL_DAMAGED is for the
 * server to find; a board may say it, too, of memory of its own.
 */
typedef enum { MT_CALL_DONE = 0, MT_CALL_FAULT = 1, MT_CALL_DEADLINE = 2, MT_CALL_DAMAGED = 3 } mt_call_end;
typedef struct {
    mt_call_end end;
    uint32_t returned;
    uint64_t count;       /* board_cycles() spent in the call */
    uint32_t stack_bytes; /* used at most, by watermark */
    uint32_t pc, lr, cause, address;
} mt_call;

const mt_board_info *board_init(void);
/* One byte from the host; waits (asleep where the CPU can sleep). */
uint8_t board_uart_read(void);
void board_uart_write(const uint8_t *bytes, size_t n);
/* Free-running 64-bit counter that results are measured with. */
uint64_t board_cycles(void);
uint32_t board_cpu_hz(void);
/* 16 bytes that tell this unit from others of its kind. */
void board_uid(uint8_t uid[16]);
/* Makes bytes written as data visible to instruction fetch. */
void board_sync_code(uint32_t address, uint32_t bytes);
/* Brings caches, prefetch buffers and predictors into the state after reset, as far as the hardware lets; nothing is lost. */
void board_settle(void);
/* Restarts the firmware, once what was written has left as far as it can; does not return. */
void board_reset(void);
/*
 * Calls entry(args) on a stack of its own, the link's interrupts off. Returns when it returns, faults, or runs longer than
 * the deadline (never 0); in every case registers, stack and interrupt masks are the server's again. What memory a candidate
 * may touch is the board's to guard; where it cannot, a stack for calls at the very bottom of RAM makes an overflow a fault.
 */
void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result);

#endif
