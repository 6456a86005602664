/*
 * The configuration: a text file, a thing a line, made from the board's data (boards/common/timing/build.ts).
 *   core NAME
 *   cache NAME key=value …       lines ways line-bytes sector-bytes writes
 *   region NAME key=value …      base bytes read-wait write-wait fetch-wait unit banks prefetch instructions data bus
 *   ram BASE BYTES PATH          memory of the guest that is shared through a file
 *   mailbox ADDRESS              where mt_mailbox lies in it
 *   profile BASE BYTES PATH      memory whose instructions are tallied in a new file (profile.h); may be left out
 * Empty lines and lines that begin with # say nothing. Numbers are decimal or 0x….
 */
#ifndef MICROTUNE_TIMING_CONFIG_H
#define MICROTUNE_TIMING_CONFIG_H

#include "model.h"

#define MAX_PATH 512u

struct config {
    struct model *model;
    char ram_path[MAX_PATH];
    uint32_t ram_base, ram_bytes, mailbox;
    bool has_mailbox;
};

/* False, with the line and the reason on stderr, where anything in it is not understood. */
bool config_read(struct config *c, const char *path);

#endif
