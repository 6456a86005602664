/*
 * A second host, written from firmware-rpc/SPEC.md alone: it shares no line with the one in TypeScript. It talks to a board over
 * TCP, uses every command, and checks each answer against what it works out for itself. Where the line loses bytes it sends again.
 *
 *   second-client HOST PORT PATIENCE_MS IMAGE ENTRY
 *
 * IMAGE is code for the start of the load region; ENTRY(what, at): 0 counts the word at `at` up and returns it, 1 reads a null
 * pointer, 2 never ends. Ends with 0, its last line being "ok", where everything was right.
 */
#define _POSIX_C_SOURCE 200809L
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HELLO = 1, LOAD, FILL, CRC, FETCH, CALL, COPY, RESET };
enum { OK, BAD_REQUEST, BAD_ADDRESS, FAULT, DEADLINE, NO_SESSION, DAMAGED };
enum { MAX_BODY = 512, TRIES = 12, WINDOW = 4096 };

typedef struct {
    uint8_t bytes[1024];
    size_t n;
} buffer;

static int line;
static uint32_t patience;
static uint8_t seq;
static unsigned sent_again;

static void fail(const char *what) {
    fprintf(stderr, "second-client: %s\n", what);
    exit(1);
}
static void check(int right, const char *what) {
    if (!right) fail(what);
}
static uint64_t now_ms(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* ---- section 1: frames ---- */

static uint32_t crc32(const uint8_t *p, size_t n) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1u ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    }
    return ~crc;
}
static void put(buffer *b, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) b->bytes[b->n++] = (uint8_t)(value >> (8u * i));
}
static uint64_t get(const uint8_t **p, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)*(*p)++ << (8u * i);
    return value;
}

static buffer frame_of(const buffer *payload) {
    buffer checked = *payload, frame = {{0}, 1};
    put(&checked, crc32(payload->bytes, payload->n), 4);
    size_t code_at = frame.n++;
    for (size_t i = 0; i < checked.n; i++) {
        if (frame.n - code_at == 255u) { /* a piece of 254: no zero follows */
            frame.bytes[code_at] = 255u;
            code_at = frame.n++;
        }
        if (checked.bytes[i] != 0u) {
            frame.bytes[frame.n++] = checked.bytes[i];
            continue;
        }
        frame.bytes[code_at] = (uint8_t)(frame.n - code_at);
        code_at = frame.n++;
    }
    frame.bytes[code_at] = (uint8_t)(frame.n - code_at);
    frame.bytes[frame.n++] = 0;
    return frame;
}

/* What lies between two zero bytes; 0 where it is no frame. */
static int payload_of(const uint8_t *coded, size_t n, buffer *out) {
    out->n = 0;
    for (size_t at = 0; at < n;) {
        const size_t code = coded[at];
        if (at + code > n || out->n + code > sizeof out->bytes) return 0;
        memcpy(out->bytes + out->n, coded + at + 1, code - 1u);
        out->n += code - 1u;
        at += code;
        if (code != 255u && at < n) out->bytes[out->n++] = 0;
    }
    if (out->n < 7u) return 0; /* an answer has a status, too */
    out->n -= 4u;
    const uint8_t *crc = out->bytes + out->n;
    return get(&crc, 4) == crc32(out->bytes, out->n);
}

/* The next frame that comes before `until`; 0 when there is none. */
static int receive(buffer *out, uint64_t until) {
    static uint8_t waiting[4096];
    static size_t have, at;
    static buffer piece;
    for (;;) {
        while (at < have) {
            const uint8_t b = waiting[at++];
            if (b != 0u) {
                if (piece.n < sizeof piece.bytes) piece.bytes[piece.n++] = b;
                continue;
            }
            const size_t n = piece.n;
            piece.n = 0;
            if (n > 0u && n < sizeof piece.bytes && payload_of(piece.bytes, n, out)) return 1;
        }
        struct pollfd p = {line, POLLIN, 0};
        const uint64_t now = now_ms();
        if (now >= until || poll(&p, 1, (int)(until - now)) == 0) return 0;
        const ssize_t got = read(line, waiting, sizeof waiting);
        check(got > 0, "the connection is gone");
        have = (size_t)got;
        at = 0;
    }
}

/* ---- sections 2 and 5: requests, sent again until they are answered ---- */

/* Status; the answer's body in `answer`. A HELLO's answer must carry its nonce, which its body begins with. */
static int request(uint8_t command, const buffer *body, uint32_t allowance, buffer *answer) {
    buffer payload = {{0}, 0};
    size_t unanswered = 0;
    uint64_t waited = 0, pause = patience;
    seq = seq == 255u ? 1u : (uint8_t)(seq + 1u);
    put(&payload, seq, 1);
    put(&payload, command, 1);
    memcpy(payload.bytes + payload.n, body->bytes, body->n);
    payload.n += body->n;
    const buffer frame = frame_of(&payload);
    for (int tries = 0; tries < TRIES || waited < allowance; tries++) {
        if (unanswered + frame.n <= WINDOW) {
            check(write(line, frame.bytes, frame.n) == (ssize_t)frame.n, "the connection takes no more");
            unanswered += frame.n;
            if (tries > 0) sent_again++;
        }
        for (const uint64_t until = now_ms() + pause; receive(answer, until);) {
            unanswered = 0;
            if (answer->bytes[0] != seq || answer->bytes[1] != (command | 0x80)) continue;
            if (command == HELLO && memcmp(answer->bytes + 3, body->bytes, 4) != 0) continue;
            const int status = answer->bytes[2];
            answer->n -= 3u;
            memmove(answer->bytes, answer->bytes + 3, answer->n);
            return status;
        }
        waited += pause;
        if (pause * 2u <= allowance / 4u) pause *= 2u;
    }
    fail("no answer");
    return -1;
}

/* ---- section 3: commands ---- */

static struct {
    uint32_t flags, load, data, data_bytes, stack;
    char board[64];
} device;

static void hello(uint32_t nonce) {
    buffer body = {{0}, 0}, answer;
    put(&body, nonce, 4);
    check(request(HELLO, &body, 0, &answer) == OK, "HELLO");
    const uint8_t *p = answer.bytes + 4;
    check(get(&p, 2) == 2u, "the protocol is not 2");
    device.flags = (uint32_t)get(&p, 2);
    p += 4; /* cpu_hz */
    device.load = (uint32_t)get(&p, 4);
    p += 4;
    device.data = (uint32_t)get(&p, 4);
    device.data_bytes = (uint32_t)get(&p, 4);
    p += 16; /* ram_code, ram_data */
    device.stack = (uint32_t)get(&p, 4);
    p += 8 + 32 + 32; /* staging, the network, uid and build */
    const size_t name = answer.n - (size_t)(p - answer.bytes);
    check(name > 0u && name < sizeof device.board, "the board's name");
    memcpy(device.board, p, name);
    device.board[name] = '\0';
}
static void load(uint32_t address, const uint8_t *bytes, size_t n) {
    for (size_t at = 0; at < n; at += MAX_BODY - 4) {
        buffer body = {{0}, 0}, answer;
        const size_t part = n - at < MAX_BODY - 4 ? n - at : MAX_BODY - 4;
        put(&body, address + at, 4);
        memcpy(body.bytes + body.n, bytes + at, part);
        body.n += part;
        check(request(LOAD, &body, 0, &answer) == OK && answer.n == 0u, "LOAD");
    }
}
/* A command whose body is words; its status. */
static int ask(uint8_t command, const uint32_t *words, size_t n, buffer *answer) {
    buffer body = {{0}, 0};
    for (size_t i = 0; i < n; i++) put(&body, words[i], 4);
    return request(command, &body, 0, answer);
}
static uint32_t crc_of(uint32_t address, uint32_t n) {
    buffer answer;
    check(ask(CRC, (const uint32_t[]){address, n}, 2, &answer) == OK && answer.n == 4u, "CRC");
    const uint8_t *p = answer.bytes;
    return (uint32_t)get(&p, 4);
}
static int call(uint32_t entry, uint32_t what, unsigned warmups, unsigned repeats, uint32_t deadline, uint8_t mode, buffer *answer) {
    buffer body = {{0}, 0};
    const uint32_t words[] = {entry, what, device.data, 0u, 0u};
    for (size_t i = 0; i < 5u; i++) put(&body, words[i], 4);
    put(&body, warmups, 2);
    put(&body, repeats, 2);
    put(&body, deadline, 4);
    put(&body, mode, 1);
    return request(CALL, &body, deadline * (warmups + repeats), answer);
}

/* ---- what is asked, and what must come ---- */

static void check_memory(void) {
    static uint8_t bytes[3000];
    buffer body = {{0}, 0}, answer;
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = i % 7u == 0u ? 0u : (uint8_t)(i * 31u + i / 254u);
    load(device.data, bytes, sizeof bytes);
    check(crc_of(device.data, sizeof bytes) == crc32(bytes, sizeof bytes), "CRC of what was loaded");
    put(&body, device.data + 100u, 4);
    put(&body, MAX_BODY, 2);
    check(request(FETCH, &body, 0, &answer) == OK && answer.n == MAX_BODY, "FETCH");
    check(memcmp(answer.bytes, bytes + 100, MAX_BODY) == 0, "FETCH of what was loaded");
    const uint32_t to = device.data + 1000u;
    check(ask(COPY, (const uint32_t[]){to, device.data, 3000u}, 3, &answer) == OK, "COPY");
    check(crc_of(to, sizeof bytes) == crc32(bytes, sizeof bytes), "COPY of overlapping ranges");
}
static void check_fill(void) {
    static uint8_t bytes[5000];
    buffer body = {{0}, 0}, answer;
    uint32_t x = 12345u;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        int byte = (int)(x >> 24);
        if (byte > 127) byte -= 256;
        bytes[i] = (uint8_t)(byte < 0 ? ~(~byte >> 3) : byte >> 3);
    }
    const uint32_t words[] = {device.data, sizeof bytes, 12345u};
    for (size_t i = 0; i < 3u; i++) put(&body, words[i], 4);
    put(&body, 3, 1);
    check(request(FILL, &body, 0, &answer) == OK, "FILL");
    check(crc_of(device.data, sizeof bytes) == crc32(bytes, sizeof bytes), "CRC of what was filled");
}
static void check_calls(uint32_t entry) {
    buffer answer;
    const uint8_t zero[4] = {0};
    load(device.data, zero, sizeof zero);
    for (uint32_t n = 1; n <= 12u; n += 4u) {
        check(call(entry, 0, 1, 3, 2000, n == 5u, &answer) == OK && answer.n == 8u + 3u * 8u, "CALL");
        const uint8_t *p = answer.bytes;
        check(get(&p, 4) == n + 3u, "a run that was counted twice, or not at all");
        check(get(&p, 4) <= device.stack, "more stack than there is");
    }
    check(call(entry, 1, 0, 1, 2000, 0, &answer) == FAULT && answer.n >= 16u, "FAULT");
    check(call(entry, 2, 0, 1, 30, 0, &answer) == DEADLINE && answer.n >= 16u, "DEADLINE");
    const uint8_t *pc = answer.bytes;
    check(get(&pc, 4) - device.load < 65536u, "pc of a loop in the load region");
    check(call(entry, 0, 0, 61, 2000, 0, &answer) == BAD_REQUEST, "61 repeats");
    check(call(entry, 0, 0, 1, 0, 0, &answer) == BAD_REQUEST, "no deadline");
}
static void check_refusals(void) {
    buffer answer;
    const uint32_t end = device.data + device.data_bytes;
    check(ask(CRC, (const uint32_t[]){end - 3u, 4u}, 2, &answer) == BAD_ADDRESS && answer.n == 0u, "BAD_ADDRESS");
    check(ask(CRC, (const uint32_t[]){0xffffffffu, 2u}, 2, &answer) == BAD_ADDRESS, "BAD_ADDRESS at the end");
    check(ask(CRC, (const uint32_t[]){device.data}, 1, &answer) == BAD_REQUEST, "BAD_REQUEST");
    check(ask(99, (const uint32_t[]){0u}, 1, &answer) == BAD_REQUEST, "an unknown command");
}
static void check_reset(void) {
    buffer answer, none = {{0}, 0};
    const int status = request(RESET, &none, 0, &answer);
    check(status == OK || status == NO_SESSION, "RESET"); /* its answer may have been lost in the restart */
    check(ask(CRC, (const uint32_t[]){device.data, 4u}, 2, &answer) == NO_SESSION, "NO_SESSION after a restart");
    hello(2u);
    check(ask(CRC, (const uint32_t[]){device.data, 4u}, 2, &answer) == OK, "a new session");
}

static void dial(const char *host, const char *port) {
    struct addrinfo hints, *found;
    const int one = 1;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    check(getaddrinfo(host, port, &hints, &found) == 0, "no such host");
    line = socket(found->ai_family, found->ai_socktype, 0);
    check(line >= 0 && connect(line, found->ai_addr, found->ai_addrlen) == 0, "no connection");
    (void)setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    freeaddrinfo(found);
}

int main(int argc, char **argv) {
    static uint8_t image[65536];
    check(argc == 6, "usage: HOST PORT PATIENCE_MS IMAGE ENTRY");
    FILE *const file = fopen(argv[4], "rb");
    check(file != NULL, "no image");
    const size_t n = fread(image, 1, sizeof image, file);
    (void)fclose(file);
    check(crc32((const uint8_t *)"123456789", 9) == 0xcbf43926u, "the CRC of this program");
    patience = (uint32_t)strtoul(argv[3], NULL, 10);
    dial(argv[1], argv[2]);
    hello(1u);
    printf("board %s flags %u load %08x data %08x\n", device.board, (unsigned)device.flags, (unsigned)device.load, (unsigned)device.data);
    check_memory();
    check_fill();
    load(device.load, image, n);
    check_calls((uint32_t)strtoul(argv[5], NULL, 0));
    check_refusals();
    check_reset();
    printf("sent again %u\nok\n", sent_again);
    return 0;
}
