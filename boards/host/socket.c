/*
 * The link of a board that is a process: a TCP connection, and a restart that keeps it. Argument 1 is the port of a loopback
 * listener to connect to (the process ends with the connection), or "listen": then the board prints "port N" and serves one
 * host after another.
 */
#define _GNU_SOURCE
#include "socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "microtune_board.h"

static int peer = -1;
static int listener = -1;
static char **arguments;

void die(const char *what) {
    perror(what);
    exit(1);
}

/* main() takes no arguments on any board, so they are caught before it. */
__attribute__((constructor)) static void catch_arguments(int argc, char **argv) {
    (void)argc;
    arguments = argv;
}

static void no_delay(void) {
    const int one = 1;
    if (setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) die("setsockopt");
}

static struct sockaddr_in loopback(uint16_t port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void accept_host(void) {
    peer = accept(listener, NULL, NULL);
    if (peer < 0) die("accept");
    no_delay();
}

static void listen_for_host(void) {
    struct sockaddr_in address = loopback(0u);
    socklen_t size = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4) != 0) die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) die("getsockname");
    printf("port %u\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
    accept_host();
}

static void connect_to(const char *port) {
    const struct sockaddr_in address = loopback((uint16_t)strtoul(port, NULL, 10));
    peer = socket(AF_INET, SOCK_STREAM, 0);
    if (peer < 0 || connect(peer, (const struct sockaddr *)&address, sizeof address) != 0) die("connect");
    no_delay();
}

/* After a reset the argument is "+PEER,LISTENER": the descriptors that the process before us had open. */
void open_link(void) {
    const char *const argument = arguments[1];
    if (argument == NULL) {
        fputs("usage: host-board PORT | listen\n", stderr);
        exit(2);
    }
    if (argument[0] == '+') (void)sscanf(argument, "+%d,%d", &peer, &listener);
    else if (strcmp(argument, "listen") == 0) listen_for_host();
    else connect_to(argument);
}

uint8_t board_uart_read(void) {
    static uint8_t buffer[4096];
    static ssize_t have, at;
    while (at >= have) {
        at = 0;
        have = read(peer, buffer, sizeof buffer);
        if (have > 0) break;
        if (listener < 0) exit(0); /* the host is gone */
        (void)close(peer);
        accept_host();
    }
    return buffer[at++];
}

/* A frame goes out in one piece, at the delimiter that ends it. A host that is gone is noticed when reading. */
void board_uart_write(const uint8_t *bytes, size_t n) {
    static uint8_t frame[2048];
    static size_t have;
    for (size_t i = 0; i < n; i++) {
        frame[have++] = bytes[i];
        if ((bytes[i] != 0u || have == 1u) && have < sizeof frame) continue;
        for (size_t sent = 0; sent < have;) {
            const ssize_t done = send(peer, frame + sent, have - sent, MSG_NOSIGNAL);
            if (done <= 0) break;
            sent += (size_t)done;
        }
        have = 0;
    }
}

void board_reset(void) {
    char descriptors[32];
    char *again[] = {arguments[0], descriptors, NULL};
    (void)snprintf(descriptors, sizeof descriptors, "+%d,%d", peer, listener);
    (void)execv("/proc/self/exe", again);
    die("execv");
}
