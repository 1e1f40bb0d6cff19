/* What h2o sees of a loop and a pipe: only this module and http include it.
 * Not a second door to loops for anybody else.
 * The h2o loop belongs to its struct loop; a socket given to pipe_adopt belongs to the pipe. */
#ifndef LOOP_H2O_H
#define LOOP_H2O_H

#include <h2o.h>

#include "landing.h"
#include "pipe.h"

struct warmth;

h2o_loop_t *loop_h2o(struct loop *loop);
/* Where this turn's input lands. */
struct landing *loop_landing(struct loop *loop);
/* Packets have passed a short time ago (loop_count_packets). */
bool loop_moves(const struct loop *loop);
/* A socket has been read. What packets have caused so far may go out now, since the rest of a long turn would hold it up. */
void loop_has_read(struct loop *loop);
/* TLS connections that are in use (tlsio.h); the loop cools them. */
struct warmth *loop_warmth(struct loop *loop);
/* The socket, plain or TLS, with what lies in its input, becomes a pipe. Without events nothing is read until pipe_set_events. */
struct pipe *pipe_adopt(struct loop *loop, h2o_socket_t *sock, size_t in_cap, const struct pipe_events *events, void *context);
/* Keep-alive, no delay, and how long sent bytes may stay unacknowledged. Accepted sockets inherit it from their listener. */
void socket_tune(int fd);
/* A task_run was begun, or answered: loop_free waits for all. */
void loop_task_begun(struct loop *loop);
void loop_task_answered(struct loop *loop);

#endif
