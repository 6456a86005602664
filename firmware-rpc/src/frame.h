/* Frames: COBS-encoded payload with a CRC-32 behind it, between two zero bytes. See SPEC.md. */
#ifndef MICROTUNE_FRAME_H
#define MICROTUNE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "microtune_protocol.h"

/* seq, command, status, body */
#define MT_HEADER 3u
#define MT_MAX_PAYLOAD (MT_HEADER + MT_MAX_BODY)

uint32_t mt_crc32(uint32_t crc, const uint8_t *bytes, size_t n);
/* Waits for a whole, correct frame; anything else on the line is skipped. Returns the payload's length. */
size_t mt_frame_read(uint8_t payload[MT_MAX_PAYLOAD + 4u]);
/* The four bytes behind the payload are overwritten by its CRC. */
void mt_frame_write(uint8_t *payload, size_t n);

#endif
