/* A pipe from within: its state, and what the files that make it up share. For pipe*.c alone.
 * pipe.c is its life, pipein.c what is read, pipeout.c what is written. Not what others may do with a pipe (pipe.h).
 * A pipe belongs to its user until pipe_close, then to the turn. */
#ifndef PIPEPARTS_H
#define PIPEPARTS_H

#include "loop_h2o.h"
#include "tlsio.h"

enum { PIPE_IN_SLACK = LANDING_ROOM };

/* One piece of output: a buffer's memory, of which at..len is still to be sent. */
struct chunk {
	struct chunk *next;
	const uint8_t *at;
	size_t len;
	void *base;
};

struct pipe {
	struct loop *loop;
	h2o_socket_t *sock; /* NULL: connecting failed at once */
	const struct pipe_events *events;
	void *context;
	struct buffer in;
	size_t in_cap;
	struct chunk *out, **out_end;
	size_t out_len, out_cap;
	struct tlsio tls;
	struct buffer sealed; /* records that the kernel has not taken yet */
	struct defer flushing, showing, ending;
	struct timer *connecting; /* only while connecting */
	struct endpoint peer;     /* where it was connected to */
	enum err why;             /* the end that is still to be told */
	bool plain, reading, paused, ended, closed, told_written;
	bool lasting; /* `in` is a view of what has landed */
};

/* ---- pipein.c ---- */

/* Reading begins or stops, as the state of the pipe wants it. */
void pipe_update_reading(struct pipe *pipe);
void pipe_tell_end(struct pipe *pipe, enum err why);
/* What is left of a view of what has landed becomes the pipe's own. */
void pipe_own_input(struct pipe *pipe);
/* Shows what lies unconsumed; the context is the pipe. */
void pipe_on_show(void *context);
/* What `errno` means for a stream. */
enum err pipe_end_by_errno(void);

/* ---- pipeout.c ---- */

/* Writes what waits; the context is the pipe. */
void pipe_on_flush(void *context);
/* The last words, as far as they go without waiting. */
void pipe_write_farewell(struct pipe *pipe);
void pipe_drop_output(struct pipe *pipe);

#endif
