/*
 * Cortex-M55: one instruction a cycle, in order; 16-bit ones sometimes two. Vector instructions take two beats, and the second
 * beat of one goes along with the first of the next. Sources [L], [S], [H], [D] and [M]: see m55.h.
 */
#include "m55.h"
#include "operand2.h"
#include "scoreboard.h"

#include <string.h>

/*
 * Numbers of the scoreboard: of core registers, cycles until they can be read. Of FP and vector registers EARLY more: [L] the
 * addresses of gathering loads and scattering stores are read that much before others.
 */
enum { EARLY = 4 };
/* A 16-bit instruction that one of the next may join: anything may join one that goes along by itself. */
enum first { NOTHING_TO_JOIN, NARROW, NARROW_GOES_ALONG };

struct state {
    struct scoreboard regs;
    uint32_t forwards; /* vector registers that a store can have a cycle sooner */
    uint8_t busy[M55_PIPES];
    uint8_t first; /* enum first */
};
_Static_assert(sizeof(struct state) <= sizeof(struct pipe), "state fits");
/* [D] Which loop end is remembered, so that it need not be fetched: one. */
struct history {
    uint32_t loop_end;
};

static int vector_addresses(const struct insn *i) { return i->kind == INSN_MVE_GATHER || i->kind == INSN_MVE_SCATTER; }
static int vector_stores(const struct insn *i) { return i->kind == INSN_MVE_STORE || i->kind == INSN_MVE_SCATTER; }
/* Of a scattering store: the registers that are stored; of the rest: none. */
static uint32_t scattered(const struct insn *i) {
    return i->kind == INSN_MVE_SCATTER ? 0xfu << (4u * bits(i, 15, 13)) & i->fp_reads : 0u;
}

static unsigned register_wait(const struct state *s, const struct insn *i) {
    const uint32_t early = vector_addresses(i) ? i->fp_reads & ~scattered(i) : 0u, others = i->fp_reads & ~early;
    const uint32_t forwarded = vector_stores(i) ? others & s->forwards : 0u;
    unsigned wait = sb_core_latest(&s->regs, i->reads);
    wait = later_of(wait, sb_fp_latest(&s->regs, early));
    wait = later_of(wait, less(sb_fp_latest(&s->regs, others & ~forwarded), EARLY));
    return later_of(wait, less(sb_fp_latest(&s->regs, forwarded), EARLY + 1));
}

/* The pipe it goes through; of two that would do, the one that is free sooner. */
static unsigned pipe_of(const struct state *s, const struct m55_work *w) {
    if (w->pipe != M55_EITHER) return w->pipe;
    return s->busy[M55_INTEGER] <= s->busy[M55_MULTIPLY] ? M55_INTEGER : M55_MULTIPLY;
}

static int may_join(const struct state *s, const struct insn *i) {
    if (s->first == NOTHING_TO_JOIN || i->size != 2u) return 0;
    return s->first == NARROW_GOES_ALONG || m55_goes_along(i);
}

static void pass(struct state *s, unsigned cycles) {
    sb_pass(&s->regs, cycles);
    s->forwards = sb_fp_waiting(&s->regs, s->forwards);
    for (unsigned p = 0; p < M55_PIPES; p++) s->busy[p] = less(s->busy[p], cycles);
}

static void remember(struct state *s, const struct insn *i, const struct m55_work *w, unsigned pipe, int joins) {
    const uint32_t base = (i->flags & INSN_WRITEBACK) != 0u ? BIT(i->base) : 0u;
    const uint32_t values = i->writes & ~(base | BIT(REG_PC)); /* PC: branch() */
    sb_set_core(&s->regs, values, w->core);
    sb_set_core(&s->regs, base, 1u);
    sb_set_fp(&s->regs, i->fp_writes, EARLY + w->fp);
    s->forwards = (s->forwards & ~i->fp_writes) | (w->forward != 0u ? i->fp_writes : 0u);
    if (pipe < M55_PIPES) s->busy[pipe] = w->busy;
    s->first = (uint8_t)(joins || i->size != 2u ? NOTHING_TO_JOIN : m55_goes_along(i) ? NARROW_GOES_ALONG : NARROW);
}

static struct issued issue(struct pipe *pipe, const struct insn *i) {
    struct issued out = {{0}, 0};
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const struct m55_work w = m55_work(i);
    const unsigned through = pipe_of(&s, &w);
    const unsigned needs = later_of(register_wait(&s, i), through < M55_PIPES ? s.busy[through] : 0u);
    const int free_of_charge = m55_loop_end(i), joins = needs == 0u && may_join(&s, i);
    if (free_of_charge) return out; /* [D] branch() tells what it costs */
    const unsigned wait = joins ? 0u : later_of(needs, 1u);
    out.cycles[MT_CAUSE_ISSUE] = (uint16_t)((joins ? 0u : 1u) + w.alone);
    out.cycles[MT_CAUSE_PIPELINE] = (uint16_t)(joins ? 0u : wait - 1u);
    pass(&s, wait + w.alone);
    remember(&s, i, &w, through, joins);
    memcpy(pipe, &s, sizeof s);
    return out;
}

/* [D] Knows a loop's end from the first time on, until the loop is over or another takes its place. 1 where it was known. */
static uint32_t predict(void *history, const struct insn *i, int taken, const struct insn *target) {
    (void)target;
    struct history *const h = history;
    if (!m55_loop_end(i)) return 0;
    const uint32_t known = h->loop_end == i->address ? 1u : 0u;
    h->loop_end = taken ? i->address : 0u;
    return known;
}

/*
 * [L] A taken branch costs 3 with its own cycle ("MispredictPenalty", which in the models of M3 and M4 of the same authors is
 * the "best case branch taken cost"). An address that is loaded comes 2 later. [D] LE costs that the first time; then the
 * core goes back on its own.
 */
static uint32_t branch(struct pipe *pipe, uint32_t known, const struct insn *i, int taken, const struct insn *target) {
    (void)target;
    struct state s;
    memcpy(&s, pipe, sizeof s);
    const int loaded = (i->flags & INSN_WRITES_PC) != 0u || i->kind == INSN_TABLE_BRANCH;
    const unsigned own = m55_loop_end(i) && known == 0u ? 1u : 0u;
    const unsigned refill = own + (!taken || known != 0u ? 0u : loaded ? 4u : 2u);
    pass(&s, refill);
    if (taken) s.first = NOTHING_TO_JOIN;
    memcpy(pipe, &s, sizeof s);
    return refill;
}

/* Across 64 bits, the width of TCMs and caches [H], an access is made of two. */
static uint32_t unaligned(const struct insn *i, uint32_t address, uint32_t bytes) {
    (void)i;
    return bytes <= 8u && (address & 7u) + bytes > 8u ? 1u : 0u;
}

const struct core core_cortex_m55 = {
    .name = "cortex-m55",
    .bus_bytes = 8,
    .history_bytes = sizeof(struct history),
    .issue = issue,
    .predict = predict,
    .branch = branch,
    .unaligned = unaligned,
};
