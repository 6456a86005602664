/*
 * A model of the registers of an STM32: it answers where the part would. A rule says: while these bits of one register have this
 * value, and those of a second one, a flag of a third is set. Rules come on the command line, one of them is left out if
 * its number is given; the registers that remain are printed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cortex-m.h"

struct rule {
    uint32_t where, mask, value;       /* while these bits are so */
    uint32_t also, also_mask, also_value;
    uint32_t flag, flag_mask, flag_value; /* these become so, and 0 otherwise */
};
static struct rule rules[32];
static int count, left_out = -1;
static struct { uint32_t address, value; } registers[512];
static int known;

static volatile uint32_t *slot(uint32_t address) {
    for (int i = 0; i < known; i++) {
        if (registers[i].address == address) return &registers[i].value;
    }
    if (known == 512) abort();
    registers[known].address = address;
    return &registers[known++].value;
}
volatile uint32_t *part_register(uint32_t address) {
    for (int i = 0; i < count; i++) {
        const struct rule r = rules[i];
        const int holds = i != left_out && (*slot(r.where) & r.mask) == r.value && (*slot(r.also) & r.also_mask) == r.also_value;
        *slot(r.flag) = (*slot(r.flag) & ~r.flag_mask) | (holds != 0 ? r.flag_value : 0u);
    }
    return slot(address);
}
void mt_calibrate(void) {}
void Deadline_Handler(void) {}
uint8_t mt_flash_start[1];

/* part LEFT_OUT ADDRESS=VALUE... RULE..., a rule being nine numbers with commas. */
int main(int argc, char **argv) {
    left_out = atoi(argv[1]);
    for (int i = 2; i < argc; i++) {
        struct rule r;
        unsigned address, value;
        if (sscanf(argv[i], "%x=%x", &address, &value) == 2) {
            *slot(address) = value;
        } else if (sscanf(argv[i], "%x,%x,%x,%x,%x,%x,%x,%x,%x", &r.where, &r.mask, &r.value, &r.also, &r.also_mask, &r.also_value,
                          &r.flag, &r.flag_mask, &r.flag_value) == 9) {
            rules[count++] = r;
        } else {
            return 2;
        }
    }
    mt_start_machine();
    mt_link_flush(); /* ends, whatever the flag of the UART says */
    printf("{\"hz\": %u, \"registers\": {", (unsigned)board_cpu_hz());
    for (int i = 0; i < known; i++)
        printf("%s\"%08x\": %u", i > 0 ? ", " : "", (unsigned)registers[i].address, (unsigned)registers[i].value);
    printf("}}\n");
    return 0;
}
