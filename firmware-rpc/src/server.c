/*
 * The server: one request, one response, for ever. State is the session's nonce and its last response, so that a request
 * that comes twice is executed once. All addresses a host names are checked against the board's ranges. SPEC.md says what
 * each byte means.
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
           inside(&board->ram_code, address, bytes) || inside(&board->ram_data, address, bytes) ||
           inside(&board->staging, address, bytes) || inside(&input, address, bytes) || inside(&output, address, bytes);
}

static uint8_t hello(reader *r) {
    static const char build[] = MT_BUILD_ID;
    uint8_t uid[16];
    const uint32_t nonce = take(r, 4u);
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    put(nonce, 4u);
    put(MT_PROTOCOL, 2u);
    put(board->flags, 2u);
    put(board_cpu_hz(), 4u);
    put(board->load.base, 4u);
    put(board->load.bytes, 4u);
    put(board->data.base, 4u);
    put(board->data.bytes, 4u);
    put(board->ram_code.base, 4u);
    put(board->ram_code.bytes, 4u);
    put(board->ram_data.base, 4u);
    put(board->ram_data.bytes, 4u);
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

static void put_ending(const mt_call *c) {
    put(c->pc, 4u);
    put(c->lr, 4u);
    put(c->cause, 4u);
    put(c->address, 4u);
}

/* Untimed runs first, then the measured ones; the first that does not end well ends the call. */
static uint8_t call(reader *r) {
    uint32_t args[4];
    mt_call one = {MT_CALL_DONE, 0u, 0u, 0u, 0u, 0u, 0u, 0u};
    const uint32_t entry = take(r, 4u);
    for (uint32_t i = 0; i < 4u; i++) args[i] = take(r, 4u);
    const uint32_t warmups = take(r, 2u);
    const uint32_t repeats = take(r, 2u);
    const uint32_t deadline = take(r, 4u);
    const uint32_t mode = take(r, 1u);
    uint32_t stack = 0;
    if (r->bad != 0 || repeats > MT_MAX_REPEATS || deadline == 0u || mode > MT_MODE_CONTINUED) return MT_STATUS_BAD_REQUEST;
    if (mode == MT_MODE_SETTLED) board_settle();
    put(0u, 8u); /* what was returned, and the stack: known at the end */
    for (uint32_t i = 0; i < warmups + repeats; i++) {
        board_call(entry, args, deadline, &one);
        if (one.end != MT_CALL_DONE) {
            response_bytes = MT_HEADER;
            put_ending(&one);
            return one.end == MT_CALL_FAULT ? MT_STATUS_FAULT : MT_STATUS_DEADLINE;
        }
        if (i >= warmups) put(one.count, 8u);
        if (one.stack_bytes > stack) stack = one.stack_bytes;
    }
    const size_t end = response_bytes;
    response_bytes = MT_HEADER;
    put(one.returned, 4u);
    put(stack, 4u);
    response_bytes = end;
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

static void begin_response(uint8_t seq, uint8_t command) {
    response[0] = seq;
    response[1] = (uint8_t)(command | 0x80u);
    response_bytes = MT_HEADER;
}

/* What is to be done with a request: a new one is executed, the last one again is answered from memory, any other is late. */
typedef enum { IS_NEW, IS_REPEATED, IS_STALE, IS_STRANGE } novelty;
static novelty novelty_of(size_t n, int greeted, uint32_t nonce) {
    const uint8_t seq = request[0];
    const uint8_t last = response[0];
    reader r = {request + 2, n - 2u, 0};
    if (seq == 0u) return IS_STALE; /* never sent */
    if (request[1] == MT_CMD_HELLO && (greeted == 0 || take(&r, 4u) != nonce)) return IS_NEW;
    if (greeted == 0) return IS_STRANGE;
    if (seq == last) return response[1] == (request[1] | 0x80u) ? IS_REPEATED : IS_STALE;
    return seq == (last == 255u ? 1u : last + 1u) && request[1] != MT_CMD_HELLO ? IS_NEW : IS_STALE;
}

int main(void) {
    int greeted = 0; /* there is a session, and response holds its last answer */
    uint32_t nonce = 0;
    board = board_init();
    for (;;) {
        const size_t n = mt_frame_read(request);
        const uint8_t command = request[1];
        reader r = {request + 2, n - 2u, 0};
        switch (novelty_of(n, greeted, nonce)) {
        case IS_STALE: continue;
        case IS_REPEATED: break;
        case IS_STRANGE:
            begin_response(request[0], command);
            response[2] = MT_STATUS_NO_SESSION;
            break;
        case IS_NEW:
            begin_response(request[0], command);
            response[2] = execute(command, &r);
            if (command == MT_CMD_HELLO && response[2] == MT_STATUS_OK) {
                reader again = {request + 2, n - 2u, 0};
                nonce = take(&again, 4u);
                greeted = 1;
            }
            break;
        }
        mt_frame_write(response, response_bytes);
        if (greeted != 0 && command == MT_CMD_RESET) board_reset();
    }
}
