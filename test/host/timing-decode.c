/* Prints what the timing model's decoder makes of instructions: 32-bit codes in hex, a line each, from standard input. */
#include <stdio.h>

#include "decode.h"

int main(void) {
    unsigned code;
    while (scanf("%x", &code) == 1) {
        const uint16_t halfwords[2] = {(uint16_t)(code >> 16), (uint16_t)code};
        const struct insn i = decode(0u, halfwords, 4u);
        printf("%d %u %u %u %u %u %u %u %u\n", i.kind, i.reads, i.writes, i.fp_reads, i.fp_writes, i.address_registers,
               i.flags & INSN_WRITEBACK, i.count, i.bytes);
    }
    return 0;
}
