/* Frames on the device: one pass over the bytes each way, no buffer but the payload. SPEC.md says what is sent. */
#include "frame.h"

#include "microtune_board.h"

/* CRC-32 (IEEE 802.3), four bits at a time: 64 bytes of table where 1 KiB would hurt on small parts. */
uint32_t mt_crc32(uint32_t crc, const uint8_t *bytes, size_t n) {
    static const uint32_t nibble[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
    };
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ nibble[crc & 15u];
        crc = (crc >> 4) ^ nibble[crc & 15u];
    }
    return ~crc;
}

static uint32_t u32_at(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Reads up to the next delimiter, decoding on the way. Returns 0 for a frame that is too long or badly coded. */
static size_t read_cobs(uint8_t *out, size_t room) {
    size_t n = 0;
    uint32_t left = 0; /* bytes until the next code byte */
    uint32_t code = 255u;
    int bad = 0;
    for (;;) {
        const uint8_t b = board_uart_read();
        if (b == 0u) return bad != 0 || left != 0u ? 0u : n;
        if (left != 0u) {
            left--;
            if (n < room) out[n++] = b;
            else bad = 1;
            continue;
        }
        if (code != 255u) {
            if (n < room) out[n++] = 0u;
            else bad = 1;
        }
        code = b;
        left = (uint32_t)b - 1u;
    }
}

size_t mt_frame_read(uint8_t payload[MT_MAX_PAYLOAD + 4u]) {
    for (;;) {
        const size_t n = read_cobs(payload, MT_MAX_PAYLOAD + 4u);
        if (n < 2u + 4u) continue;
        if (mt_crc32(0u, payload, n - 4u) == u32_at(payload + n - 4u)) return n - 4u;
    }
}

void mt_frame_write(uint8_t *payload, size_t n) {
    const uint8_t zero = 0u;
    const uint32_t crc = mt_crc32(0u, payload, n);
    for (uint32_t i = 0; i < 4u; i++) payload[n + i] = (uint8_t)(crc >> (8u * i));
    n += 4u;
    size_t at = 0;
    board_uart_write(&zero, 1u); /* ends whatever the receiver has collected of something else */
    for (int again = 1; again != 0;) {
        size_t run = 0;
        while (at + run < n && run < 254u && payload[at + run] != 0u) run++;
        const uint8_t code = (uint8_t)(run + 1u);
        board_uart_write(&code, 1u);
        board_uart_write(payload + at, run);
        at += run;
        again = at < n;
        if (run < 254u) at++; /* a run of 254 has no zero behind it; any other ends at one, or at the end */
    }
    board_uart_write(&zero, 1u);
}
