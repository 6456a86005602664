/*
 * A network linked into the firmware: the emitted library's microtune_network.c defines mt_network, the server announces it
 * in HELLO. Without one the weak all-zero table in src/network_none.c is used.
 */
#ifndef MICROTUNE_NETWORK_H
#define MICROTUNE_NETWORK_H

#include <stdint.h>

typedef struct {
    int (*init)(void);
    int (*run)(void);
    int (*layer)(uint32_t index); /* for timing: one kernel on the arena as it is; behind the last, the library's init alone */
    uint32_t layers;
    void *input;
    uint32_t input_bytes;
    void *output;
    uint32_t output_bytes;
} mt_network_table;

extern const mt_network_table mt_network;

#endif
