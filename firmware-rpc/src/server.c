/*
 * The server: one request, one response, for ever. State is the session's nonce and its last response, so that a request
 * that comes twice is executed once. All addresses a host names are checked against the board's ranges. On a board that
 * cannot keep calls out of the server's memory, each call is checked to have left it alone. SPEC.md says what each byte means.
 */
#include <string.h>

#include "frame.h"
#include "microtune_board.h"
#include "microtune_network.h"

#ifndef MT_BUILD_ID
#error "MT_BUILD_ID: 16 hexadecimal digits that tell this build from others"
#endif

/* All that the server keeps from one request to the next; nothing of it changes while a call runs. */
static struct {
    const mt_board_info *board;
    uint32_t nonce;
    uint32_t greeted; /* there is a session, and response holds its last answer */
    size_t response_bytes;
    uint8_t request[MT_MAX_PAYLOAD + 4u];
    uint8_t response[MT_MAX_PAYLOAD + 4u];
} server;

typedef struct {
    const uint8_t *at;
    size_t left;
    int bad;
} reader;

/* Called from everywhere: inlined, they are a third of the server. */
static __attribute__((noinline)) uint32_t take(reader *r, uint32_t bytes) {
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

static void begin_response(uint8_t seq, uint8_t command) {
    server.response[0] = seq;
    server.response[1] = (uint8_t)(command | 0x80u);
    server.response_bytes = MT_HEADER;
}

static void put_bytes(const void *bytes, size_t n) {
    memcpy(server.response + server.response_bytes, bytes, n);
    server.response_bytes += n;
}
static __attribute__((noinline)) void put(uint64_t v, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) server.response[server.response_bytes++] = (uint8_t)(v >> (8u * i));
}

/* Nothing lies within a range of no bytes, not even no bytes: its base may be null. */
static int inside(const mt_range *range, uint32_t address, uint32_t bytes) {
    return range->bytes > 0u && bytes <= range->bytes && address >= range->base &&
           address - range->base <= range->bytes - bytes;
}
static void *pointer(uint32_t address) { return (void *)(uintptr_t)address; }
static uint32_t address_of(const void *p) { return (uint32_t)(uintptr_t)p; }
static int may_touch(uint32_t address, uint32_t bytes) {
    const mt_board_info *const b = server.board;
    const mt_range input = {address_of(mt_network.input), mt_network.input_bytes};
    const mt_range output = {address_of(mt_network.output), mt_network.output_bytes};
    return inside(&b->load, address, bytes) || inside(&b->data, address, bytes) || inside(&b->ram_code, address, bytes) ||
           inside(&b->ram_data, address, bytes) || inside(&b->staging, address, bytes) || inside(&input, address, bytes) ||
           inside(&output, address, bytes);
}

static void put_range(const mt_range *range) {
    put(range->base, 4u);
    put(range->bytes, 4u);
}

static uint8_t hello(reader *r) {
    static const char build[] = MT_BUILD_ID;
    const mt_board_info *const b = server.board;
    uint8_t uid[16];
    const uint32_t nonce = take(r, 4u);
    if (r->bad != 0) return MT_STATUS_BAD_REQUEST;
    server.nonce = nonce;
    server.greeted = 1u;
    put(nonce, 4u);
    put(MT_PROTOCOL, 2u);
    put(b->flags, 2u);
    put(board_cpu_hz(), 4u);
    put_range(&b->load);
    put_range(&b->data);
    put_range(&b->ram_code);
    put_range(&b->ram_data);
    put(b->stack_bytes, 4u);
    put_range(&b->staging);
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
    put_bytes(b->name, strlen(b->name));
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

/* Where calls are not kept out of the server's memory, it looks whether they left it alone. */
static int unguarded(void) { return (server.board->flags & MT_FLAG_GUARDED) == 0u; }

/* Over what board_init named: the server's code, and variables that it sets once. */
static uint32_t fixed_crc(void) {
    uint32_t crc = 0;
    if (unguarded() == 0) return 0u;
    for (uint32_t i = 0; i < MT_FIXED_RANGES; i++) {
        const mt_range *const range = &server.board->fixed[i];
        crc = mt_crc32(crc, pointer(range->base), range->bytes);
    }
    return crc;
}

/* Over the server's variables, what describes the board, and the server's stack from `stack` to its top. */
static uint32_t memory_crc(const mt_board_info *b, const void *stack, uint32_t top) {
    uint32_t crc = mt_crc32(0u, (const uint8_t *)&server, sizeof server);
    crc = mt_crc32(crc, (const uint8_t *)b, sizeof *b);
    return top == 0u ? crc : mt_crc32(crc, stack, top - address_of(stack));
}

/*
 * One run. Not inlined: the caller's frame, from args upward, must hold still between the two sums. A call that used its stack
 * up has left it, as far as anybody can tell. What says where to look is taken before the run: it may be written over, too.
 */
static __attribute__((noinline)) void run_once(uint32_t entry, const uint32_t args[4], uint32_t deadline, mt_call *one) {
    if (unguarded() == 0) {
        board_call(entry, args, deadline, one);
        return;
    }
    const mt_board_info *const b = server.board;
    const uint32_t top = b->server_stack_top;
    const uint32_t before = memory_crc(b, args, top);
    board_call(entry, args, deadline, one);
    if (memory_crc(b, args, top) != before || one->stack_bytes >= b->stack_bytes) one->end = MT_CALL_DAMAGED;
}

static uint8_t put_ending(const mt_call *c) {
    put(c->pc, 4u);
    put(c->lr, 4u);
    put(c->cause, 4u);
    put(c->address, 4u);
    return c->end == MT_CALL_FAULT ? MT_STATUS_FAULT : c->end == MT_CALL_DEADLINE ? MT_STATUS_DEADLINE : MT_STATUS_DAMAGED;
}

/* Untimed runs first, then the measured ones; the first that does not end well ends the call. */
static uint8_t call(reader *r) {
    static mt_call one; /* not on the stack, which must not change in a run */
    uint32_t args[4];
    const uint8_t seq = server.request[0];
    const uint32_t entry = take(r, 4u);
    for (uint32_t i = 0; i < 4u; i++) args[i] = take(r, 4u);
    const uint32_t warmups = take(r, 2u);
    const uint32_t repeats = take(r, 2u);
    const uint32_t deadline = take(r, 4u);
    const uint32_t mode = take(r, 1u);
    uint32_t stack = 0;
    if (r->bad != 0 || repeats > MT_MAX_REPEATS || deadline == 0u || mode > MT_MODE_CONTINUED) return MT_STATUS_BAD_REQUEST;
    const uint32_t fixed = fixed_crc(); /* before the board settles: it goes through the caches */
    memset(&one, 0, sizeof one);
    if (mode == MT_MODE_SETTLED) board_settle();
    put(0u, 8u); /* what was returned, and the stack: known at the end */
    for (uint32_t i = 0; i < warmups + repeats; i++) {
        run_once(entry, args, deadline, &one);
        if (one.end != MT_CALL_DONE) break; /* and nothing more is put where a damaged server says */
        if (i >= warmups) put(one.count, 8u);
        if (one.stack_bytes > stack) stack = one.stack_bytes;
    }
    if (one.end != MT_CALL_DAMAGED && fixed_crc() != fixed) one.end = MT_CALL_DAMAGED;
    const size_t end = server.response_bytes;
    begin_response(seq, MT_CMD_CALL);
    if (one.end != MT_CALL_DONE) return put_ending(&one);
    put(one.returned, 4u);
    put(stack, 4u);
    server.response_bytes = end;
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

/* What is to be done with a request: a new one is executed, the last one again is answered from memory, any other is late. */
typedef enum { IS_NEW, IS_REPEATED, IS_STALE, IS_STRANGE } novelty;
static novelty novelty_of(size_t n) {
    const uint8_t seq = server.request[0];
    const uint8_t last = server.response[0];
    reader r = {server.request + 2, n - 2u, 0};
    if (seq == 0u) return IS_STALE; /* never sent */
    if (server.request[1] == MT_CMD_HELLO && (server.greeted == 0u || take(&r, 4u) != server.nonce)) return IS_NEW;
    if (server.greeted == 0u) return IS_STRANGE;
    if (seq == last) return server.response[1] == (server.request[1] | 0x80u) ? IS_REPEATED : IS_STALE;
    return seq == (last == 255u ? 1u : last + 1u) && server.request[1] != MT_CMD_HELLO ? IS_NEW : IS_STALE;
}

int main(void) {
    server.board = board_init();
    for (;;) {
        const size_t n = mt_frame_read(server.request);
        const uint8_t command = server.request[1];
        reader r = {server.request + 2, n - 2u, 0};
        uint8_t status = MT_STATUS_OK;
        switch (novelty_of(n)) {
        case IS_STALE: continue;
        case IS_REPEATED: break;
        case IS_STRANGE:
            begin_response(server.request[0], command);
            server.response[2] = MT_STATUS_NO_SESSION;
            break;
        case IS_NEW:
            begin_response(server.request[0], command);
            status = execute(command, &r);
            server.response[2] = status;
            break;
        }
        mt_frame_write(server.response, server.response_bytes);
        if (status == MT_STATUS_DAMAGED || (server.greeted != 0u && command == MT_CMD_RESET)) board_reset();
    }
}
