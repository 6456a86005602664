/* The link of a board that is a process; it also provides board_uart_read, board_uart_write and board_reset. */
#ifndef MICROTUNE_SOCKET_H
#define MICROTUNE_SOCKET_H

/* Connects or listens, as the program's argument says; ends the process where that fails. */
void open_link(void);
/* Says what went wrong in a system call, and ends the process. */
__attribute__((noreturn)) void die(const char *what);

#endif
