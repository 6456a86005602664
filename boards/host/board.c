/*
 * The PC as a board: the same server behind a TCP socket (socket.c), the example to copy.
 *
 * Load and data regions lie at fixed addresses below 4 GiB, so that candidates are linked as they are for a microcontroller.
 * Each call runs in a process of its own, which is what guards the server: a candidate can spoil nothing but the data region
 * and a linked network's memory, which the two processes share. The load region is shared too, but read-only in a call.
 * The counter is the PC's clock in nanoseconds.
 */
#define _GNU_SOURCE
#include "microtune_board.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "socket.h"

#define STACK_BYTES (64u * 1024u)
#define GUARD_BYTES (64u * 1024u)
#define PAGE_BYTES 4096u
#define PAINT 0xa5u
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static const mt_board_info info = {
    .name = "host",
    .load = {0x20000000u, 8u << 20},
    .data = {0x21000000u, 16u << 20},
    .staging = {0u, 0u},
    .stack_bytes = STACK_BYTES,
    .flags = MT_FLAG_GUARDED,
};
/* A linked network's arena, input and output (link.ld). */
extern uint8_t mt_network_start[], mt_network_end[];

static uint8_t *stack;

/* What a call's process tells the server; the one page of the server that it may write. Read anew at each use: a candidate
 * may return with any register changed. */
static mt_call *volatile shared;

/* ---- the board ---- */

static void *map(uint32_t base, size_t bytes, int protection, int how) {
    void *at = mmap((void *)(uintptr_t)base, bytes, protection, MAP_ANONYMOUS | how, -1, 0);
    if (at == MAP_FAILED || (base != 0u && at != (void *)(uintptr_t)base)) die("mmap");
    return at;
}

const mt_board_info *board_init(void) {
    sigset_t children;
    const size_t network = (size_t)(mt_network_end - mt_network_start);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)map(info.load.base, info.load.bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_FIXED_NOREPLACE);
    (void)map(info.data.base, info.data.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE);
    if (network > 0u)
        (void)map((uint32_t)(uintptr_t)mt_network_start, network, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED);
    shared = map(0u, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED);
    stack = map(0u, GUARD_BYTES + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    if (mprotect(stack, GUARD_BYTES, PROT_NONE) != 0) die("stack");
    stack += GUARD_BYTES;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &children, NULL); /* for sigtimedwait */
    open_link();
    return &info;
}

uint64_t board_cycles(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint32_t board_cpu_hz(void) { return 1000000000u; }
void board_uid(uint8_t uid[16]) {
    const uint32_t id = (uint32_t)getpid();
    memset(uid, 0, 16u);
    memcpy(uid, &id, sizeof id);
}
void board_sync_code(uint32_t address, uint32_t bytes) {
    char *from = (char *)(uintptr_t)address;
    __builtin___clear_cache(from, from + bytes);
}
void board_settle(void) {} /* a PC's caches are not ours to empty */

/* ---- a call: all of this runs in a process that ends with it ---- */

static uint32_t call_entry;
static uint32_t call_args[4];
static volatile uint64_t call_start;

__attribute__((noreturn)) static void end_call(mt_call_end end) {
    uint32_t clean = 0;
    while (clean < STACK_BYTES && stack[clean] == PAINT) clean++;
    shared->stack_bytes = STACK_BYTES - clean;
    shared->end = end;
    _exit(0);
}

static void run_candidate(void) {
    typedef uint32_t (*entry_function)(uint32_t, uint32_t, uint32_t, uint32_t);
    entry_function entry;
    const uintptr_t address = call_entry;
    memcpy(&entry, &address, sizeof entry);
    call_start = board_cycles();
    const uint32_t returned = entry(call_args[0], call_args[1], call_args[2], call_args[3]);
    const uint64_t end = board_cycles();
    shared->returned = returned;
    shared->count = end - call_start;
    end_call(MT_CALL_DONE);
}

/* A fault, or SIGALRM from the server: the deadline. */
static void on_signal(int signal, siginfo_t *details, void *context) {
    (void)context;
#if defined(__x86_64__)
    shared->pc = (uint32_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    shared->pc = (uint32_t)((ucontext_t *)context)->uc_mcontext.pc;
#endif
    if (signal == SIGALRM) end_call(MT_CALL_DEADLINE);
    shared->cause = (uint32_t)signal;
    shared->address = (uint32_t)(uintptr_t)details->si_addr;
    end_call(MT_CALL_FAULT);
}

static void catch_faults(void) {
    static uint8_t alternate[64 * 1024];
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM, SIGTRAP, SIGSYS, SIGABRT};
    const stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action;
    if (sigaltstack(&other, NULL) != 0) die("sigaltstack");
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) (void)sigaction(signals[i], &action, NULL);
}

/* Maps the pages that are in use, so that their page faults are not timed. */
static void fill_page_tables(const mt_range *range, int advice) {
    static unsigned char in_use[(16u << 20) / PAGE_BYTES];
    uint8_t *const base = (uint8_t *)(uintptr_t)range->base;
    const size_t pages = range->bytes / PAGE_BYTES;
    if (mincore(base, range->bytes, in_use) != 0) return;
    for (size_t from = 0, to; from < pages; from = to) {
        for (to = from + 1u; to < pages && ((in_use[to] ^ in_use[from]) & 1u) == 0u;) to++;
        if ((in_use[from] & 1u) != 0u) (void)madvise(base + from * PAGE_BYTES, (to - from) * PAGE_BYTES, advice);
    }
}

__attribute__((noreturn)) static void call_process(pid_t server) {
    static ucontext_t context;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server) _exit(1);
    catch_faults();
    if (mprotect((void *)(uintptr_t)info.load.base, info.load.bytes, PROT_READ | PROT_EXEC) != 0) die("mprotect");
    fill_page_tables(&info.load, MADV_POPULATE_READ);
    fill_page_tables(&info.data, MADV_POPULATE_WRITE);
    memset(stack, PAINT, STACK_BYTES);
    if (getcontext(&context) != 0) die("getcontext");
    context.uc_stack.ss_sp = stack;
    context.uc_stack.ss_size = STACK_BYTES;
    context.uc_link = NULL;
    makecontext(&context, run_candidate, 0);
    (void)setcontext(&context);
    die("setcontext");
    _exit(1);
}

/* ---- and this in the server ---- */

/* True where the process ends before that long is over; its status then. */
static int ends_within(pid_t child, uint32_t ms, int *status) {
    const uint64_t end = board_cycles() + (uint64_t)ms * 1000000u;
    sigset_t children;
    (void)sigemptyset(&children);
    (void)sigaddset(&children, SIGCHLD);
    for (;;) {
        if (waitpid(child, status, WNOHANG) == child) return 1;
        const uint64_t now = board_cycles();
        if (now >= end) return 0;
        const struct timespec left = {(time_t)((end - now) / 1000000000u), (long)((end - now) % 1000000000u)};
        (void)sigtimedwait(&children, NULL, &left);
    }
}

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    const pid_t server = getpid();
    int status = 0;
    call_entry = entry;
    memcpy(call_args, args, sizeof call_args);
    memset(shared, 0, sizeof *shared);
    shared->end = MT_CALL_FAULT; /* unless its process says otherwise */
    const pid_t child = fork();
    if (child < 0) die("fork");
    if (child == 0) call_process(server);
    if (!ends_within(child, deadline_ms, &status)) {
        (void)kill(child, SIGALRM);
        if (!ends_within(child, 1000u, &status)) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &status, 0);
            shared->end = MT_CALL_DEADLINE;
        }
    }
    *result = *shared;
    if (result->end == MT_CALL_FAULT && result->cause == 0u && WIFSIGNALED(status)) result->cause = (uint32_t)WTERMSIG(status);
}
