/*
 * The PC as a board: the same server behind a socket. The example to copy. Argument 1 is the port to connect to on the
 * loopback interface; the process ends when the peer goes away. Load and data regions lie at fixed addresses below 4 GiB,
 * so that candidates are linked as they are for a microcontroller. The counter is the PC's clock in nanoseconds.
 */
#define _GNU_SOURCE
#include "microtune_board.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define LOAD_BASE 0x20200000u
#define DATA_BASE 0x21000000u
#define STACK_BYTES (64u * 1024u)
#define PAINT 0xa5u

static const mt_board_info info = {
    "host", {LOAD_BASE, 2u << 20}, {DATA_BASE, 16u << 20}, {0u, 0u}, STACK_BYTES,
};
static int peer = -1;
static sigjmp_buf back;
static volatile sig_atomic_t in_call;
static mt_call *current;
static uint8_t *stack;
static char **arguments;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void map(uint32_t base, size_t bytes, int protection) {
    void *at = mmap((void *)(uintptr_t)base, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (at != (void *)(uintptr_t)base) die("mmap");
}

/* A fault or the deadline's timer inside a call ends the call; outside one it is a bug of ours. */
static void on_signal(int signal, siginfo_t *details, void *context) {
    (void)context;
    if (in_call == 0) {
        static const char text[] = "host board: fault outside a call\n";
        if (signal == SIGALRM) return; /* the call ended just before */
        if (write(2, text, sizeof text - 1u) < 0) _exit(3);
        _exit(2);
    }
    current->end = signal == SIGALRM ? MT_CALL_DEADLINE : MT_CALL_FAULT;
    current->cause = (uint32_t)signal;
    current->address = (uint32_t)(uintptr_t)details->si_addr;
#if defined(__x86_64__)
    current->pc = (uint32_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    current->pc = (uint32_t)((ucontext_t *)context)->uc_mcontext.pc;
#endif
    siglongjmp(back, 1);
}

static void connect_to(const char *port) {
    struct sockaddr_in address;
    const int one = 1;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer = socket(AF_INET, SOCK_STREAM, 0);
    if (peer < 0 || connect(peer, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
    if (setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt");
}

const mt_board_info *board_init(void) {
    static uint8_t alternate[64 * 1024];
    const stack_t other = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction action;
    const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGALRM, SIGTRAP, SIGSYS, SIGABRT};
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    map(info.load.base, info.load.bytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    map(info.data.base, info.data.bytes, PROT_READ | PROT_WRITE);
    stack = mmap(NULL, STACK_BYTES + 65536u, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || mprotect(stack, 65536u, PROT_NONE) != 0) die("stack");
    stack += 65536;
    if (sigaltstack(&other, NULL) != 0) die("sigaltstack");
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) (void)sigaction(signals[i], &action, NULL);
    if (arguments == NULL || arguments[1] == NULL) {
        fputs("usage: host-board PORT\n", stderr);
        exit(2);
    }
    if (arguments[1][0] == '+') peer = (int)strtol(arguments[1] + 1, NULL, 10);
    else connect_to(arguments[1]);
    return &info;
}

/* main() takes no arguments on any board, so they are caught before it. */
__attribute__((constructor)) static void catch_arguments(int argc, char **argv) {
    (void)argc;
    arguments = argv;
}

uint8_t board_uart_read(void) {
    static uint8_t buffer[4096];
    static ssize_t have, at;
    while (at >= have) {
        have = read(peer, buffer, sizeof buffer);
        if (have <= 0) exit(0); /* the host is gone */
        at = 0;
    }
    return buffer[at++];
}

void board_uart_write(const uint8_t *bytes, size_t n) {
    while (n > 0u) {
        const ssize_t done = send(peer, bytes, n, MSG_NOSIGNAL | (n > 1u || bytes[0] != 0u ? MSG_MORE : 0));
        if (done <= 0) exit(0);
        bytes += done;
        n -= (size_t)done;
    }
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
/* A fresh process that keeps the connection: its number is handed on as the port's argument, after a '+'. */
void board_reset(void) {
    static char number[16];
    char *again[] = {arguments[0], number, NULL};
    (void)snprintf(number, sizeof number, "+%d", peer);
    (void)execv("/proc/self/exe", again);
    die("execv");
}

static void set_deadline(uint32_t ms) {
    const struct itimerval timer = {{0, 0}, {(time_t)(ms / 1000u), (suseconds_t)(ms % 1000u) * 1000}};
    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

typedef uint32_t (*entry_function)(uint32_t, uint32_t, uint32_t, uint32_t);

/* Runs entry with the stack pointer at `top`. */
static uint32_t on_stack(entry_function entry, const uint32_t args[4], uint8_t *top) {
    uint32_t result;
#if defined(__x86_64__)
    __asm__ volatile("movq %%rsp, %%rbx\n\tmovq %[top], %%rsp\n\tcall *%[entry]\n\tmovq %%rbx, %%rsp"
                     : "=a"(result)
                     : [entry] "r"(entry), [top] "r"(top), "D"(args[0]), "S"(args[1]), "d"(args[2]), "c"(args[3])
                     : "rbx", "r8", "r9", "r10", "r11", "memory", "cc");
#else
    (void)top;
    result = entry(args[0], args[1], args[2], args[3]);
#endif
    return result;
}

void board_call(uint32_t entry, const uint32_t args[4], uint32_t deadline_ms, mt_call *result) {
    memset(result, 0, sizeof *result);
    memset(stack, PAINT, STACK_BYTES);
    current = result;
    if (sigsetjmp(back, 1) == 0) {
        entry_function function;
        const uintptr_t address = entry;
        memcpy(&function, &address, sizeof function);
        set_deadline(deadline_ms);
        in_call = 1;
        const uint64_t start = board_cycles();
        result->returned = on_stack(function, args, stack + STACK_BYTES);
        result->count = board_cycles() - start;
    }
    in_call = 0;
    set_deadline(0u);
    uint32_t clean = 0;
    while (clean < STACK_BYTES && stack[clean] == PAINT) clean++;
    result->stack_bytes = STACK_BYTES - clean;
}
