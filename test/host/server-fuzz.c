/*
 * The whole server on a board of paper, fed with noise: random bytes, frames of every kind with fields at the edges of what is
 * allowed, and such frames cut, changed and doubled. Built with AddressSanitizer and UBSan, which end it at the first access
 * outside; the regions that a host may touch have pages around them that nobody may. After each portion of noise a good HELLO
 * must be answered: whatever came before, the server is in step again.
 *
 *   server-fuzz SEED BYTES   prints how often each command was answered with each status (9 stands for all unknown ones)
 */
#define _DEFAULT_SOURCE
#define main server_main
#include "../../firmware-rpc/src/server.c"
#undef main

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION_BYTES 65536u
#define LOAD_BASE 0x20010000u
#define DATA_BASE 0x21010000u
#define RAM_CODE_BASE 0x22010000u
#define STAGING_BASE 0x23010000u
#define PAYLOAD_ROOM (MT_MAX_PAYLOAD + 64u)

static mt_board_info paper = {
    .name = "paper",
    .load = {LOAD_BASE, REGION_BYTES},
    .data = {DATA_BASE, REGION_BYTES},
    .ram_code = {RAM_CODE_BASE, 256u},
    .staging = {STAGING_BASE, 1000u},
    .stack_bytes = 4096u,
    .fixed = {{RAM_CODE_BASE + 1024u, 64u}},
};
static jmp_buf restart;
static uint32_t state;
static uint64_t left; /* bytes of noise to come */
static unsigned long answered[10][8], probes, restarts;
static int damaged; /* the call that runs has written over something */

static uint32_t random32(void) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}
static uint32_t below(uint32_t n) { return (uint32_t)((uint64_t)random32() * n >> 32); }
static void fail(const char *what) {
    fprintf(stderr, "server-fuzz: %s\n", what);
    abort();
}

/* ---- what the server receives ---- */

static uint8_t incoming[8192];
static size_t incoming_bytes, incoming_at;
static uint32_t probe_nonce; /* of the HELLO that ends this portion */
static int probe_answered;

static void add(const uint8_t *bytes, size_t n) {
    memcpy(incoming + incoming_bytes, bytes, n);
    incoming_bytes += n;
}

/* The server's own framing, caught on its way out. */
static uint8_t *caught;
static size_t caught_bytes;
static size_t framed(uint8_t *payload, size_t n, uint8_t *out) {
    caught = out;
    caught_bytes = 0;
    mt_frame_write(payload, n);
    caught = NULL;
    return caught_bytes;
}

static void put_word(uint8_t *payload, size_t *n, uint32_t v, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) payload[(*n)++] = (uint8_t)(v >> (8u * i));
}
/* An address at an edge of something, or anywhere; a count that just fits, just does not, or is wild. */
static uint32_t some_address(void) {
    static const uint32_t bases[] = {LOAD_BASE, DATA_BASE, RAM_CODE_BASE, STAGING_BASE, 0u, 0xffffffffu};
    const uint32_t base = bases[below(6)];
    switch (below(4)) {
    case 0: return base;
    case 1: return base + below(REGION_BYTES);
    case 2: return base + REGION_BYTES - below(9);
    default: return base + below(9) - 4u;
    }
}
static uint32_t some_count(void) {
    static const uint32_t counts[] = {0u, 1u, 4u, 256u, 512u, 513u, 1000u, 1001u, REGION_BYTES, REGION_BYTES + 1u, 0xffffffffu};
    return below(3) == 0u ? below(2000) : counts[below(11)];
}

/* Random: any bytes. Plausible: a command with the number that comes next, and fields as that command has them. */
static size_t some_payload(uint8_t *payload) {
    size_t n = 0;
    const uint32_t next = server.response[0] == 255u ? 1u : server.response[0] + 1u;
    put_word(payload, &n, below(8) == 0u ? below(256) : next, 1u);
    const uint32_t command = below(12) == 0u ? below(256) : 1u + below(8);
    put_word(payload, &n, command, 1u);
    if (below(6) == 0u) {
        for (uint32_t more = below(MT_MAX_PAYLOAD); more > 0u; more--) put_word(payload, &n, random32(), 1u);
        return n;
    }
    if (command != MT_CMD_HELLO) put_word(payload, &n, some_address(), 4u);
    switch (command) {
    case MT_CMD_LOAD:
        for (uint32_t more = below(3) == 0u ? 509u : below(40); more > 0u; more--) put_word(payload, &n, random32(), 1u);
        break;
    case MT_CMD_FILL:
        put_word(payload, &n, some_count(), 4u);
        put_word(payload, &n, random32(), 4u);
        put_word(payload, &n, below(10), 1u);
        break;
    case MT_CMD_COPY:
        put_word(payload, &n, some_address(), 4u);
        put_word(payload, &n, some_count(), 4u);
        break;
    case MT_CMD_CALL:
        for (uint32_t i = 0; i < 4u; i++) put_word(payload, &n, random32(), 4u);
        put_word(payload, &n, below(4), 2u);
        put_word(payload, &n, below(4) == 0u ? 58u + below(5) : below(4), 2u);
        put_word(payload, &n, below(5), 4u);
        put_word(payload, &n, below(8) == 0u ? 2u : below(2), 1u);
        break;
    default: put_word(payload, &n, some_count(), below(2) == 0u ? 2u : 4u); break;
    }
    return below(12) == 0u ? 2u + below((uint32_t)n - 1u) : n; /* cut short */
}

/* A frame, whole or spoiled. */
static void add_frame(void) {
    uint8_t payload[PAYLOAD_ROOM + 4u], frame[2048];
    size_t n = framed(payload, some_payload(payload), frame);
    const uint32_t how = below(12);
    if (how == 0u) frame[below((uint32_t)n)] = (uint8_t)random32();
    if (how == 1u) n = below((uint32_t)n);
    if (how == 2u) frame[below((uint32_t)n)] ^= (uint8_t)(1u << below(8));
    if (how == 3u) memmove(frame + n / 2u, frame + n / 2u + 1u, n - n / 2u - 1u), n--;
    add(frame, n);
    if (how == 4u) add(frame, n);
}
static void add_noise(void) {
    const uint32_t zeros = below(3);
    for (uint32_t more = below(3) == 0u ? 700u : below(60); more > 0u; more--) {
        const uint8_t b = zeros == 1u && below(4) == 0u ? 0u : (uint8_t)random32();
        add(&b, 1u);
    }
}
static void add_probe(void) {
    uint8_t payload[16], frame[64];
    size_t n = 0;
    probe_nonce = random32();
    probe_answered = 0;
    put_word(payload, &n, 1u + below(255), 1u);
    put_word(payload, &n, MT_CMD_HELLO, 1u);
    put_word(payload, &n, probe_nonce, 4u);
    add(frame, framed(payload, n, frame));
    probes++;
}
static void next_portion(void) {
    if (probes > 0u && probe_answered == 0) fail("a good HELLO after noise was not answered");
    if (left == 0u) {
        for (unsigned c = 0; c < 10u; c++)
            for (unsigned s = 0; s < 8u; s++)
                if (answered[c][s] > 0u) printf("%u %u %lu\n", c, s, answered[c][s]);
        printf("probes %lu restarts %lu\n", probes, restarts);
        exit(0);
    }
    incoming_bytes = incoming_at = 0;
    for (uint32_t parts = 1u + below(4); parts > 0u; parts--) {
        if (below(3) == 0u) add_noise();
        else add_frame();
    }
    left -= incoming_bytes < left ? incoming_bytes : left;
    add_probe();
}

/* ---- what the server sends ---- */

static uint8_t outgoing[2048];
static size_t outgoing_bytes;

static void look_at_answer(void) {
    static uint8_t p[2048];
    size_t n = 0;
    for (size_t at = 0; at < outgoing_bytes;) {
        const size_t code = outgoing[at];
        if (at + code > outgoing_bytes) fail("an answer that is badly coded");
        memcpy(p + n, outgoing + at + 1u, code - 1u);
        n += code - 1u;
        at += code;
        if (code != 255u && at < outgoing_bytes) p[n++] = 0;
    }
    if (n < 7u || n - 4u > MT_MAX_PAYLOAD) fail("an answer of a length that there is not");
    reader crc = {p + n - 4u, 4u, 0}, nonce = {p + 3u, n - 7u, 0};
    if (take(&crc, 4u) != mt_crc32(0u, p, n - 4u)) fail("an answer with a wrong CRC");
    if (p[2] > MT_STATUS_DAMAGED) fail("a status that there is not");
    if (p[0] == 0u || (p[1] & 0x80u) == 0u) fail("an answer that is none");
    const unsigned command = p[1] & 0x7fu;
    answered[command < 9u ? command : 9u][p[2]]++;
    if (damaged != (p[2] == MT_STATUS_DAMAGED)) fail("damage that was not seen, or none that was");
    damaged = 0;
    if (p[1] == (MT_CMD_HELLO | 0x80u) && p[2] == MT_STATUS_OK && take(&nonce, 4u) == probe_nonce) probe_answered = 1;
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    if (caught != NULL) {
        memcpy(caught + caught_bytes, bytes, n);
        caught_bytes += n;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] != 0u) {
            if (outgoing_bytes == sizeof outgoing) fail("an answer without an end");
            outgoing[outgoing_bytes++] = bytes[i];
            continue;
        }
        if (outgoing_bytes > 0u) look_at_answer();
        outgoing_bytes = 0;
    }
}
uint8_t board_uart_read(void) {
    while (incoming_at == incoming_bytes) next_portion();
    return incoming[incoming_at++];
}

/* ---- the rest of the board ---- */

static void map(uint32_t base) {
    const size_t pages = REGION_BYTES;
    void *at = mmap((void *)(uintptr_t)base, pages, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)(uintptr_t)base) fail("mmap");
}
/* Guarded and not, by turns. */
const mt_board_info *board_init(void) {
    paper.flags = (uint16_t)(restarts % 2u == 1u ? MT_FLAG_GUARDED : 0u);
    return &paper;
}
uint64_t board_cycles(void) { return 0u; }
uint32_t board_cpu_hz(void) { return 1u; }
void board_uid(uint8_t uid[16]) { memset(uid, 0xee, 16u); }
void board_settle(void) {}
void board_sync_code(uint32_t address, uint32_t bytes) {
    if (!may_touch(address, bytes)) fail("code is made visible where nobody may write");
}
void board_reset(void) {
    restarts++;
    longjmp(restart, 1);
}
/* Ends in any way; on a board without a guard it may write over anything that the server has. */
void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    static uint8_t *const ram = (uint8_t *)(uintptr_t)RAM_CODE_BASE + 1024u;
    (void)entry;
    if (deadline_ms == 0u) fail("a call without a deadline");
    memset(result, 0, sizeof *result);
    result->end = below(4) == 0u ? (mt_call_end)(1u + below(2)) : MT_CALL_DONE;
    result->returned = args[0];
    result->count = random32();
    if ((paper.flags & MT_FLAG_GUARDED) != 0u || damaged != 0 || below(8) != 0u) return;
    damaged = 1;
    switch (below(4)) {
    case 0: ((uint8_t *)&server)[below(sizeof server)] ^= (uint8_t)(1u + below(255)); break;
    case 1: ((uint8_t *)&paper)[below(sizeof paper)] ^= (uint8_t)(1u + below(255)); break;
    case 2: ram[below(64)] ^= (uint8_t)(1u + below(255)); break;
    default: result->stack_bytes = paper.stack_bytes + below(2); break;
    }
}

int main(int argc, char **argv) {
    if (argc != 3) fail("usage: SEED BYTES");
    state = (uint32_t)strtoul(argv[1], NULL, 10) * 2654435761u + 1u;
    left = strtoull(argv[2], NULL, 10);
    map(LOAD_BASE);
    map(DATA_BASE);
    map(RAM_CODE_BASE);
    map(STAGING_BASE);
    static mt_board_info whole;
    whole = paper;
    (void)setjmp(restart);
    paper = whole; /* a restart sets all variables up anew */
    memset(&server, 0, sizeof server);
    outgoing_bytes = 0;
    (void)server_main();
}
