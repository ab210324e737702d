/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines are written a batch at a time, with one write(2) each, at the end of the file: whoever
 * reads meanwhile, or moves the file away, finds whole lines. They are not synced: a crash of fnatd
 * loses what waits (a tenth of a second), one of the machine what the file system had not written.
 */
#include "engine/session_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "stats/session.h"

#define BATCH_SESSIONS 256
#define BATCHES_MAX    (SESSION_LOG_QUEUE / BATCH_SESSIONS)
#define GATHER_MS      100
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define JOURNAL_WAIT_S 1

enum batch_kind { BATCH_SESSIONS_OVER, BATCH_REOPEN, BATCH_STOP };

struct batch {
	enum batch_kind kind;
	size_t n;
	struct session sessions[];
};

struct session_log {
	pthread_t thread;
	struct mailbox *batches;
	struct stats *stats;
	struct event *flush;
	struct batch *batch; /* being filled; NULL: none */
	/* Of both threads. */
	unsigned int n_waiting; /* batches */
	uint64_t n_written, n_lost;
	/* The thread's. */
	char *path; /* NULL: the journal */
	int fd;
	bool is_broken;  /* the last line was not written whole */
	bool has_failed; /* and that was logged */
	FILE *out;
	char *text;
	size_t len;
};

/* --- the thread ---------------------------------------------------------------------------- */

static int open_journal(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET };
	struct timeval wait = { .tv_sec = JOURNAL_WAIT_S };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

static int open_log(const struct session_log *l)
{
	int fd;

	if (!l->path)
		return open_journal();
	fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	return fd < 0 ? -errno : fd;
}

static void failed(struct session_log *l, int code, size_t n)
{
	__atomic_add_fetch(&l->n_lost, n, __ATOMIC_RELAXED);
	if (!l->has_failed)
		log_error("session", "%s: %s; sessions are not logged until that ends",
			  l->path ? l->path : JOURNAL_SOCKET, strerror(-code));
	l->has_failed = true;
}

static void succeeded(struct session_log *l, size_t n)
{
	__atomic_add_fetch(&l->n_written, n, __ATOMIC_RELAXED);
	if (l->has_failed)
		log_info("session", "sessions are logged again");
	l->has_failed = false;
}

/* All of it, or a negative errno. */
static int write_all(struct session_log *l, const char *text, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(l->fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			l->is_broken = l->is_broken || done > 0;
			return -errno;
		}
		done += (size_t)n;
	}
	l->is_broken = false;
	return 0;
}

static void write_file(struct session_log *l, const struct batch *b)
{
	int code;

	rewind(l->out);
	if (l->is_broken)
		fputc('\n', l->out);
	for (size_t i = 0; i < b->n; i++)
		session_put(&b->sessions[i], l->out);
	fflush(l->out);
	code = write_all(l, l->text, (size_t)ftell(l->out));
	if (code < 0)
		failed(l, code, b->n);
	else
		succeeded(l, b->n);
}

/* The journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL), a datagram each. */
static void write_journal(struct session_log *l, const struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		rewind(l->out);
		fputs("PRIORITY=6\nSYSLOG_IDENTIFIER=fnat-session\nMESSAGE=", l->out);
		session_put(&b->sessions[i], l->out);
		fflush(l->out);
		if (send(l->fd, l->text, (size_t)ftell(l->out), MSG_NOSIGNAL) < 0)
			failed(l, -errno, 1);
		else
			succeeded(l, 1);
	}
}

static void write_batch(struct session_log *l, const struct batch *b)
{
	if (l->fd < 0 || (!l->path && l->has_failed)) {
		int fd = open_log(l);

		if (fd < 0) {
			failed(l, fd, b->n);
			return;
		}
		if (l->fd >= 0)
			close(l->fd);
		l->fd = fd;
	}
	if (l->path)
		write_file(l, b);
	else
		write_journal(l, b);
}

static void reopen(struct session_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->is_broken = false;
	l->fd = open_log(l);
	if (l->fd < 0)
		failed(l, l->fd, 0);
}

static void *writer_main(void *arg)
{
	struct session_log *l = arg;
	bool is_last = false;

	while (!is_last) {
		struct batch *b = mailbox_take(l->batches, -1);

		switch (b->kind) {
		case BATCH_SESSIONS_OVER:
			write_batch(l, b);
			__atomic_sub_fetch(&l->n_waiting, 1, __ATOMIC_RELAXED);
			break;
		case BATCH_REOPEN:
			reopen(l);
			break;
		case BATCH_STOP:
			is_last = true;
			break;
		}
		free(b);
	}
	return NULL;
}

/* --- the main loop ------------------------------------------------------------------------- */

static void flush(struct session_log *l)
{
	event_del(l->flush);
	if (l->batch)
		mailbox_put(l->batches, l->batch);
	l->batch = NULL;
}

static void flush_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

static void send_order(struct session_log *l, enum batch_kind kind)
{
	struct batch *b = mem_zalloc(sizeof(*b));

	b->kind = kind;
	flush(l);
	mailbox_put(l->batches, b);
}

/* NULL: the writer is too far behind. */
static struct batch *batch_get(struct session_log *l)
{
	const struct timeval gather = { .tv_usec = GATHER_MS * 1000 };

	if (l->batch)
		return l->batch;
	if (__atomic_load_n(&l->n_waiting, __ATOMIC_RELAXED) >= BATCHES_MAX)
		return NULL;
	__atomic_add_fetch(&l->n_waiting, 1, __ATOMIC_RELAXED);
	l->batch = mem_alloc(sizeof(*l->batch) + BATCH_SESSIONS * sizeof(*l->batch->sessions));
	*l->batch = (struct batch){ .kind = BATCH_SESSIONS_OVER };
	event_add(l->flush, &gather);
	return l->batch;
}

static void end_cb(const char *service, const struct backend *b, const struct flow *f, void *arg)
{
	struct session_log *l = arg;
	struct batch *batch = batch_get(l);
	struct session *s;

	if (!batch) {
		if (__atomic_fetch_add(&l->n_lost, 1, __ATOMIC_RELAXED) == 0)
			log_warn("session", "connections end faster than they are written to the "
					    "session log: some are missing there");
		return;
	}
	s = &batch->sessions[batch->n++];
	s->flow = *f;
	s->told_ns = clock_real_ns();
	snprintf(s->service, sizeof(s->service), "%s", service);
	snprintf(s->backend, sizeof(s->backend), "%s", b ? b->name : "");
	if (batch->n == BATCH_SESSIONS)
		flush(l);
}

static void log_free(struct session_log *l)
{
	if (l->fd >= 0)
		close(l->fd);
	if (l->out)
		fclose(l->out);
	event_free(l->flush);
	mailbox_free(l->batches);
	free(l->text);
	free(l->path);
	free(l);
}

int session_log_new(struct event_base *base, struct stats *stats, const char *to,
		    struct session_log **out, struct err *err)
{
	struct session_log *l = mem_zalloc(sizeof(*l));
	int code;

	l->stats = stats;
	l->path = strcmp(to, SESSION_LOG_JOURNAL) == 0 ? NULL : mem_strdup(to);
	l->batches = mailbox_new();
	l->flush = event_new(base, -1, 0, flush_cb, l);
	l->out = open_memstream(&l->text, &l->len);
	l->fd = code = open_log(l);
	if (code >= 0)
		code = l->out ? -pthread_create(&l->thread, NULL, writer_main, l) : -ENOMEM;
	if (code < 0) {
		err_add(err, ERR_SYSTEM, code, NULL, "session log %s: %s",
			l->path ? l->path : JOURNAL_SOCKET, strerror(-code));
		log_free(l);
		return code;
	}
	pthread_setname_np(l->thread, "session-log");
	stats_on_end(stats, end_cb, l);
	*out = l;
	return 0;
}

void session_log_free(struct session_log *l)
{
	if (!l)
		return;
	stats_on_end(l->stats, NULL, NULL);
	send_order(l, BATCH_STOP);
	pthread_join(l->thread, NULL);
	log_free(l);
}

void session_log_reopen(struct session_log *l)
{
	send_order(l, BATCH_REOPEN);
}

struct session_log_status session_log_status(const struct session_log *l)
{
	return (struct session_log_status){
		.n_written = __atomic_load_n(&l->n_written, __ATOMIC_RELAXED),
		.n_lost = __atomic_load_n(&l->n_lost, __ATOMIC_RELAXED),
	};
}
