/*
 * A board without any guard, as a process: calls run inside the server, on a stack with nothing below it to stop an overrun but
 * the server's own page, and may write all of the server's memory, its code included. For the tests of DAMAGED.
 */
#define _GNU_SOURCE
#include "microtune_board.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "../../boards/host/socket.h"

#define STACK_BYTES 16384u
#define PAINT 0xa5u

extern char __executable_start[], etext[];

static mt_board_info info = {
    .name = "host-unguarded",
    .load = {0x20000000u, 1u << 20},
    .data = {0x21000000u, 1u << 20},
    .stack_bytes = STACK_BYTES,
};
/* Set once, by board_init: a candidate that changes it has done damage. */
static struct {
    uint8_t *stack;
    uint32_t magic;
} fixed;
/* Below the stack that calls run on, so that what overruns it stays in memory that there is. */
static uint8_t below[STACK_BYTES + STACK_BYTES] __attribute__((aligned(4096)));

static void *map(uint32_t base, size_t bytes) {
    void *at = mmap((void *)(uintptr_t)base, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)(uintptr_t)base) die("mmap");
    return at;
}
static uint32_t address_of(const void *p) { return (uint32_t)(uintptr_t)p; }

static void on_signal(int signal, siginfo_t *details, void *context);
static void catch_faults(void) {
    static uint8_t alternate[64 * 1024];
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM, SIGTRAP};
    const stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action;
    if (sigaltstack(&other, NULL) != 0) die("sigaltstack");
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER; /* a blocked signal would stay blocked behind a restart */
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) (void)sigaction(signals[i], &action, NULL);
}

const mt_board_info *board_init(void) {
    const uintptr_t text = (uintptr_t)__executable_start & ~(uintptr_t)4095u;
    (void)map(info.load.base, info.load.bytes);
    (void)map(info.data.base, info.data.bytes);
    if (mprotect((void *)text, (uintptr_t)etext - text, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) die("mprotect");
    fixed.stack = below + STACK_BYTES;
    fixed.magic = 0x5eed5eedu;
    info.fixed[0] = (mt_range){address_of(__executable_start), (uint32_t)(etext - __executable_start)};
    info.fixed[1] = (mt_range){address_of(&fixed), sizeof fixed};
    catch_faults();
    open_link();
    return &info;
}

uint64_t board_cycles(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint32_t board_cpu_hz(void) { return 1000000000u; }
void board_uid(uint8_t uid[16]) { memcpy(uid, "host, unguarded", 16u); }
void board_sync_code(uint32_t address, uint32_t bytes) {
    char *from = (char *)(uintptr_t)address;
    __builtin___clear_cache(from, from + bytes);
}
void board_settle(void) {}

/* ---- a call ---- */

static sigjmp_buf back;
static volatile sig_atomic_t calling;
static mt_call *ended;
static uint32_t call_entry;
static uint32_t call_args[4];

static void on_signal(int signal, siginfo_t *details, void *context) {
    if (calling == 0) {
        if (signal != SIGALRM) board_reset(); /* the server itself, or what is left of it */
        return;
    }
#if defined(__x86_64__)
    ended->pc = (uint32_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#else
    (void)context;
#endif
    ended->end = signal == SIGALRM ? MT_CALL_DEADLINE : MT_CALL_FAULT;
    if (signal != SIGALRM) {
        ended->cause = (uint32_t)signal;
        ended->address = (uint32_t)(uintptr_t)details->si_addr;
    }
    siglongjmp(back, 1);
}

static void run_candidate(void) {
    typedef uint32_t (*entry_function)(uint32_t, uint32_t, uint32_t, uint32_t);
    entry_function entry;
    const uintptr_t address = call_entry;
    memcpy(&entry, &address, sizeof entry);
    const uint64_t start = board_cycles();
    ended->returned = entry(call_args[0], call_args[1], call_args[2], call_args[3]);
    ended->count = board_cycles() - start;
    siglongjmp(back, 1);
}

static void set_deadline(uint32_t ms) {
    const struct itimerval timer = {{0, 0}, {(time_t)(ms / 1000u), (suseconds_t)(ms % 1000u) * 1000}};
    if (setitimer(ITIMER_REAL, &timer, NULL) != 0) die("setitimer");
}

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    static ucontext_t context;
    memset(result, 0, sizeof *result);
    ended = result;
    call_entry = entry;
    memcpy(call_args, args, sizeof call_args);
    memset(fixed.stack, PAINT, STACK_BYTES);
    if (sigsetjmp(back, 1) == 0) {
        if (getcontext(&context) != 0) die("getcontext");
        context.uc_stack.ss_sp = fixed.stack;
        context.uc_stack.ss_size = STACK_BYTES;
        context.uc_link = NULL;
        makecontext(&context, run_candidate, 0);
        calling = 1;
        set_deadline(deadline_ms);
        (void)setcontext(&context);
    }
    calling = 0;
    set_deadline(0u);
    uint32_t clean = 0;
    while (clean < STACK_BYTES && fixed.stack[clean] == PAINT) clean++;
    result->stack_bytes = STACK_BYTES - clean;
}
