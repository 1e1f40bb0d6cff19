/* A connected byte stream on a loop: plain TCP, unix socket, or TLS (handed over by http/upgrade.h). Writes of a turn are gathered and go out at its end.
 * Not a protocol. Reading delivers into a buffer that the pipe owns and its user consumes from. No callback comes from within a call of its user.
 * The user owns the pipe; pipe_close ends it without a further callback, frees at the end of the turn. */
#ifndef PIPE_H
#define PIPE_H

#include <sys/uio.h>

#include "addr.h"
#include "buffer.h"
#include "loop.h"

struct pipe;

struct pipe_events {
	/* Bytes came: consume from `in` (buffer_consume) what can be used; the rest is kept and shown again with more. Nothing else may be done to `in`. */
	void (*on_data)(void *context, struct buffer *in);
	/* All that was given to pipe_write has been taken by the kernel, and what TLS says by itself: the pipe is not busy any more. */
	void (*on_written)(void *context);
	/* The stream has ended: ERR_CLOSED, ERR_IO, ERR_TIMEOUT, ERR_TOO_BIG (in's cap, or answers of TLS itself that are not taken). Comes at most once; the pipe is
	 * still the user's to close. */
	void (*on_end)(void *context, enum err why);
};

/* `fd` becomes the pipe's. in_cap: most bytes kept unconsumed. Reading starts at once. */
struct pipe *pipe_open(struct loop *loop, int fd, size_t in_cap, const struct pipe_events *events, void *context);
/* Connects without blocking; on_written comes when connected, or on_end. */
struct pipe *pipe_connect(struct loop *loop, struct endpoint to, int64_t timeout_ms, size_t in_cap, const struct pipe_events *events, void *context);
/* Accepts NULL, leaves NULL. What was written goes out as far as the kernel takes it at once; to be sure of it, wait for on_written. */
void pipe_close(struct pipe **pipe);

/* Writes: takes the buffer's memory (it is empty afterwards). While one is in flight more is appended behind it. ERR_TOO_BIG past pipe_out_cap. */
MUST_USE enum err pipe_write(struct pipe *pipe, struct buffer *out);
/* Sends the pieces now, from where they lie; what the kernel does not take is copied, and on_written tells when that is gone. Only when the pipe is not busy;
 * at most 66 KiB. */
void pipe_send(struct pipe *pipe, struct iovec *pieces, size_t count);
void pipe_set_out_cap(struct pipe *pipe, size_t cap); /* default 4 MiB */
bool pipe_busy(const struct pipe *pipe);              /* something is in flight or waiting */
size_t pipe_unsent(const struct pipe *pipe);
size_t pipe_kept(const struct pipe *pipe); /* bytes that came and are not consumed */
/* In on_data: what is consumed from `in` stays readable and writable until the end of the turn. */
bool pipe_lasting(const struct pipe *pipe);
void pipe_read_pause(struct pipe *pipe);
void pipe_read_resume(struct pipe *pipe);
void pipe_set_events(struct pipe *pipe, const struct pipe_events *events, void *context);
/* Shows what lies unconsumed in the pipe's input again through on_data, at the end of this turn. */
void pipe_kick(struct pipe *pipe);
struct endpoint pipe_peer(const struct pipe *pipe);
const char *pipe_tls_version(const struct pipe *pipe);   /* "TLSv1.3"; NULL: no TLS */
bool pipe_rtt_us(const struct pipe *pipe, uint32_t *us); /* as the kernel estimates it; false: not TCP, or it has ended */
/* How long sent bytes may stay unacknowledged, and an idle connection unprobed, before it counts as dead; instead of the defaults of all sockets. */
void pipe_set_dead_after(struct pipe *pipe, int64_t unacked_ms, int64_t idle_ms);

/* Take it to another loop: export (nothing may be in flight), post the parcel, import there. Unconsumed input travels along. */
struct pipe_parcel;
struct pipe_parcel *pipe_export(struct pipe **pipe);
struct pipe *pipe_import(struct loop *loop, struct pipe_parcel **parcel, const struct pipe_events *events, void *context);

/* Listener: on_accept owns the fd (non-blocking, tuned). SO_REUSEPORT is set; port 0 picks one (listener_endpoint tells). */
struct listener;
struct listener *listener_open(struct loop *loop, struct endpoint at, void (*on_accept)(void *context, int fd), void *context, struct diag *why);
/* `fd` is bound and listening already (unix sockets); it becomes the listener's. */
struct listener *listener_adopt(struct loop *loop, int fd, void (*on_accept)(void *context, int fd), void *context);
struct endpoint listener_endpoint(const struct listener *listener);
/* Accepts what waits in the queue now: before closing, since connections left there are reset. */
void listener_empty(struct listener *listener);
void listener_close(struct listener **listener);

#endif
