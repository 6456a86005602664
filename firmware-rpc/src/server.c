/*
 * The server: one request, one response, for ever. State is the last response, so that a request that comes twice is
 * executed once. All addresses a host names are checked against the board's ranges. SPEC.md says what each byte means.
 */
#include <string.h>

#include "frame.h"
#include "microtune_board.h"
#include "microtune_network.h"

#ifndef MT_BUILD_ID
#error "MT_BUILD_ID: 16 hexadecimal digits that tell this build from others"
#endif

static const mt_board_info *board;
static uint8_t request[MT_MAX_PAYLOAD + 4u];
static uint8_t response[MT_MAX_PAYLOAD + 4u];
static size_t response_bytes;

typedef struct {
    const uint8_t *at;
    size_t left;
    int bad;
} reader;

static uint32_t take(reader *r, uint32_t bytes) {
    uint32_t v = 0;
    if (r->left < bytes) {
        r->bad = 1;
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++) v |= (uint32_t)r->at[i] << (8u * i);
    r->at += bytes;
    r->left -= bytes;
    return v;
}

static void put_bytes(const void *bytes, size_t n) {
    memcpy(response + response_bytes, bytes, n);
    response_bytes += n;
}
static void put(uint64_t v, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) response[response_bytes++] = (uint8_t)(v >> (8u * i));
}

static int inside(const mt_range *range, uint32_t address, uint32_t bytes) {
    return bytes <= range->bytes && address >= range->base && address - range->base <= range->bytes - bytes;
}
static void *pointer(uint32_t address) { return (void *)(uintptr_t)address; }
static uint32_t address_of(const void *p) { return (uint32_t)(uintptr_t)p; }
static int may_touch(uint32_t address, uint32_t bytes) {
    const mt_range input = {address_of(mt_network.input), mt_network.input_bytes};
    const mt_range output = {address_of(mt_network.output), mt_network.output_bytes};
    return inside(&board->load, address, bytes) || inside(&board->data, address, bytes) ||
           inside(&board->staging, address, bytes) || inside(&input, address, bytes) || inside(&output, address, bytes);
}

static uint8_t hello(reader *r) {
    static const char build[] = MT_BUILD_ID;
    uint8_t uid[16];
    const uint32_t nonce = take(r, 4u);
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    put(nonce, 4u);
    put(MT_PROTOCOL, 2u);
    put(0u, 2u);
    put(board_cpu_hz(), 4u);
    put(board->load.base, 4u);
    put(board->load.bytes, 4u);
    put(board->data.base, 4u);
    put(board->data.bytes, 4u);
    put(board->stack_bytes, 4u);
    put(board->staging.base, 4u);
    put(board->staging.bytes, 4u);
    put((uint32_t)(uintptr_t)mt_network.init, 4u);
    put((uint32_t)(uintptr_t)mt_network.run, 4u);
    put((uint32_t)(uintptr_t)mt_network.layer, 4u);
    put(mt_network.layers, 4u);
    put(address_of(mt_network.input), 4u);
    put(mt_network.input_bytes, 4u);
    put(address_of(mt_network.output), 4u);
    put(mt_network.output_bytes, 4u);
    board_uid(uid);
    put_bytes(uid, sizeof uid);
    put_bytes(build, 16u);
    put_bytes(board->name, strlen(board->name));
    return MT_STATUS_OK;
}

static uint8_t load(reader *r) {
    const uint32_t address = take(r, 4u);
    const uint32_t n = (uint32_t)r->left;
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    if (!may_touch(address, n)) return MT_STATUS_BAD_ADDRESS;
    memcpy(pointer(address), r->at, n);
    board_sync_code(address, n);
    return MT_STATUS_OK;
}

static uint8_t copy(reader *r) {
    const uint32_t to = take(r, 4u);
    const uint32_t from = take(r, 4u);
    const uint32_t n = take(r, 4u);
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    if (!may_touch(to, n) || !may_touch(from, n)) return MT_STATUS_BAD_ADDRESS;
    memmove(pointer(to), pointer(from), n);
    board_sync_code(to, n);
    return MT_STATUS_OK;
}

/* xorshift32; a byte is the top one, shifted down arithmetically. */
static uint8_t fill(reader *r) {
    const uint32_t address = take(r, 4u);
    const uint32_t n = take(r, 4u);
    uint32_t x = take(r, 4u);
    const uint32_t shift = take(r, 1u);
    if (r->bad != 0 || shift > 7u) return MT_STATUS_BAD_REQUEST;
    if (!may_touch(address, n)) return MT_STATUS_BAD_ADDRESS;
    uint8_t *p = pointer(address);
    for (uint32_t i = 0; i < n; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        const int32_t byte = (int32_t)(x >> 24) - ((x >> 31) != 0u ? 256 : 0);
        p[i] = (uint8_t)((uint32_t)(byte >> shift) & 255u);
    }
    return MT_STATUS_OK;
}

static uint8_t crc(reader *r) {
    const uint32_t address = take(r, 4u);
    const uint32_t n = take(r, 4u);
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    if (!may_touch(address, n)) return MT_STATUS_BAD_ADDRESS;
    put(mt_crc32(0u, pointer(address), n), 4u);
    return MT_STATUS_OK;
}

static uint8_t fetch(reader *r) {
    const uint32_t address = take(r, 4u);
    const uint32_t n = take(r, 2u);
    if (r->bad != 0 || n > MT_MAX_BODY) return MT_STATUS_BAD_REQUEST;
    if (!may_touch(address, n)) return MT_STATUS_BAD_ADDRESS;
    put_bytes(pointer(address), n);
    return MT_STATUS_OK;
}

/* Untimed runs first, then the measured ones; the first that does not end well ends the call. */
static uint8_t call(reader *r) {
    static uint64_t counts[MT_MAX_REPEATS];
    uint32_t args[4];
    mt_call one = {MT_CALL_DONE, 0u, 0u, 0u, 0u, 0u, 0u, 0u};
    const uint32_t entry = take(r, 4u);
    for (uint32_t i = 0; i < 4u; i++) args[i] = take(r, 4u);
    const uint32_t warmups = take(r, 2u);
    const uint32_t repeats = take(r, 2u);
    const uint32_t deadline = take(r, 4u);
    uint32_t stack = 0;
    if (r->bad != 0 || repeats > MT_MAX_REPEATS) return MT_STATUS_BAD_REQUEST;
    for (uint32_t i = 0; i < warmups + repeats && one.end == MT_CALL_DONE; i++) {
        board_call(entry, args, deadline, &one);
        if (i >= warmups) counts[i - warmups] = one.count;
        if (one.stack_bytes > stack) stack = one.stack_bytes;
    }
    if (one.end != MT_CALL_DONE) {
        put(one.pc, 4u);
        put(one.lr, 4u);
        put(one.cause, 4u);
        put(one.address, 4u);
        return one.end == MT_CALL_FAULT ? MT_STATUS_FAULT : MT_STATUS_DEADLINE;
    }
    put(one.returned, 4u);
    put(stack, 4u);
    for (uint32_t i = 0; i < repeats; i++) put(counts[i], 8u);
    return MT_STATUS_OK;
}

static uint8_t execute(uint8_t command, reader *r) {
    switch (command) {
    case MT_CMD_HELLO: return hello(r);
    case MT_CMD_LOAD: return load(r);
    case MT_CMD_FILL: return fill(r);
    case MT_CMD_CRC: return crc(r);
    case MT_CMD_FETCH: return fetch(r);
    case MT_CMD_CALL: return call(r);
    case MT_CMD_COPY: return copy(r);
    case MT_CMD_RESET: return MT_STATUS_OK;
    default: return MT_STATUS_BAD_REQUEST;
    }
}

int main(void) {
    int answered = 0; /* response holds the answer to last_seq */
    uint8_t last_seq = 0;
    board = board_init();
    for (;;) {
        const size_t n = mt_frame_read(request);
        const uint8_t seq = request[0];
        const uint8_t command = request[1];
        /* HELLO opens a session: it is answered whatever came before. */
        if (command == MT_CMD_HELLO || answered == 0 || seq != last_seq) {
            reader r = {request + 2, n - 2u, 0};
            response[0] = seq;
            response[1] = (uint8_t)(command | 0x80u);
            response_bytes = MT_HEADER;
            response[2] = execute(command, &r);
            last_seq = seq;
            answered = 1;
        }
        mt_frame_write(response, response_bytes);
        if (command == MT_CMD_RESET) board_reset();
    }
}
