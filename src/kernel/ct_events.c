/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel does not wait for a listener: what does not fit into the socket's buffer is lost, and
 * once it was full nothing more is delivered until all of it was read. At its default of 208 KiB
 * that happens in a burst of a few hundred connections. So the buffer is large, and the thread only
 * drains: many messages a system call, a walk over the attributes, and on with them to the main
 * loop, which counts. Batches come back and are used again; when the main loop has all of them, the
 * kernel's buffer takes what comes, and no memory grows without a bound.
 *
 * KERNEL (6.1 to 6.18): With NETLINK_BROADCAST_ERROR the kernel keeps the DESTROY of what it could
 * not deliver and tries again. It loses nothing then, but while the buffer is full, entries that
 * ended stay in memory, count against nf_conntrack_max, and slow down lookups (a burst of 200,000
 * flows took 47 s instead of 2.4). So that is given up when a backlog lasts, and taken up again
 * when it is gone. NEW and UPDATE are never kept.
 *
 * The filter looks at CTA_STATUS of the first message in the skb, which for events is the only one.
 * It has to be there before the socket is bound, else events of before pass.
 */
#include "kernel/ct_events.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/ct_flow.h"
#include "kernel/nl.h"

/* An event is 300 to 500 bytes, with labels and a security context less than 1,500. */
#define MESSAGE_BYTES 2048
#define MESSAGES      64 /* a system call */
#define BATCHES_MAX   64 /* under way */
#define STOP_POLL_MS  100
/* What one turn reads before it looks at what it is asked. */
#define TURN_MESSAGES 4096
/* Events are read together that come within this time: a system call and a wakeup of the main loop
 * for each would cost ten times what it takes to count it. */
#define GATHER_MS 5
/* A backlog of more than half of the buffer for so long: reliable delivery is given up ... */
#define BACKLOG_MAX_MS 2000
/* ... and taken up again when there was none for so long. Until then the thread looks by itself:
 * where nothing ends any more, no event wakes it. */
#define CALM_MS      10000
#define CALM_LOOK_MS 1000
/* What a barrier waits for at most, under a flood that never ends. */
#define BARRIER_MESSAGES_MAX 4000000u

enum command_kind { COMMAND_STOP, COMMAND_WANT, COMMAND_BARRIER, COMMAND_ASK };

struct command {
	enum command_kind kind;
	uint64_t value;
};

struct ct_events {
	pthread_t thread;
	struct mailbox *commands, *returned;
	struct mailbox *out; /* borrowed */
	/* The thread's */
	int fd;
	bool is_stopped;
	bool is_behind;   /* the last turn did not empty the buffer */
	bool is_asked;    /* a batch is to be sent when it is empty */
	uint64_t read_ns; /* of what is being read */
	size_t n_batches; /* made */
	struct ct_batch *batch;
	struct ct_events_report report;
	unsigned int groups;   /* wanted beside DESTROY */
	uint64_t barrier;      /* to be sent; 0: none */
	size_t barrier_budget; /* messages it still waits for at most */
	uint32_t drops;        /* the socket's count at the last look */
	bool wants_reliable;
	uint64_t backlog_since_ms, calm_since_ms, looked_ms; /* 0: not so */
	struct mmsghdr headers[MESSAGES];
	struct iovec iov[MESSAGES];
	/* Aligned for struct nlmsghdr by its place. */
	uint32_t buffers[MESSAGES][MESSAGE_BYTES / sizeof(uint32_t)];
};

/* --- the socket ---------------------------------------------------------------------------- */

/* The more significant byte of nlmsghdr.nlmsg_type. */
#define SUBSYSTEM_OFFSET (offsetof(struct nlmsghdr, nlmsg_type) + (__BYTE_ORDER == __LITTLE_ENDIAN))

static int attach_filter(int fd)
{
	struct sock_filter code[] = {
		/* Announcements are few: all of them. */
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SUBSYSTEM_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NFNL_SUBSYS_CTNETLINK_EXP, 9, 0),
		/* The attributes' offset is where SKF_AD_NLATTR starts; A: 0 when not found. */
		BPF_STMT(BPF_LD | BPF_IMM, sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, CTA_STATUS),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (__u32)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLOW_FULLNAT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLOW_FULLNAT, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffffu),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

static int join(int fd, int group, bool is_member)
{
	return setsockopt(fd, SOL_NETLINK,
			  is_member ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
			  sizeof(group));
}

static int set_reliable(int fd, bool is_reliable)
{
	int value = is_reliable;

	return setsockopt(fd, SOL_NETLINK, NETLINK_BROADCAST_ERROR, &value, sizeof(value));
}

/* The kernel takes half of what it grants. What it grants. */
static size_t set_buffer(int fd, size_t bytes)
{
	int half = (int)(bytes / 2), granted = 0;
	socklen_t len = sizeof(granted);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &half, sizeof(half)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &half, sizeof(half));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &len) < 0)
		return 0;
	return (size_t)granted;
}

static int socket_open(struct ct_events *e, const struct ct_events_options *opt)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };

	e->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
	if (e->fd < 0 || attach_filter(e->fd) < 0)
		return -errno;
	e->report.buffer_bytes = set_buffer(e->fd, opt->buffer_bytes);
	e->wants_reliable = opt->is_reliable && set_reliable(e->fd, true) == 0;
	e->report.is_reliable = e->wants_reliable;
	if (bind(e->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    join(e->fd, NFNLGRP_CONNTRACK_DESTROY, true) < 0 ||
	    join(e->fd, NFNLGRP_CONNTRACK_EXP_NEW, true) < 0)
		return -errno;
	return 0;
}

/* --- batches ------------------------------------------------------------------------------- */

static void take_commands(struct ct_events *e);
static void look(struct ct_events *e, bool is_due);

/* An empty batch; NULL when the thread is told to stop while it waits for one. */
static struct ct_batch *batch_get(struct ct_events *e)
{
	struct ct_batch *b = mailbox_try_take(e->returned);

	if (!b && e->n_batches < BATCHES_MAX) {
		e->n_batches++;
		b = mem_alloc(sizeof(*b));
	}
	if (!b)
		e->report.n_stalls++;
	while (!b && !e->is_stopped) {
		b = mailbox_take(e->returned, STOP_POLL_MS);
		if (b)
			break;
		take_commands(e);
		look(e, true); /* a backlog lasts for this, too */
	}
	if (b)
		b->n = 0;
	return b;
}

static void batch_send(struct ct_events *e, enum ct_batch_kind kind, uint64_t number)
{
	struct ct_batch *b = e->batch;

	if (!b)
		return;
	e->batch = NULL;
	e->report.n_batches++;
	b->kind = kind;
	b->number = number;
	b->read_ns = clock_mono_ns();
	b->code = 0;
	b->report = e->report;
	mailbox_put(e->out, b);
}

static void batch_flush(struct ct_events *e)
{
	if (e->batch && e->batch->n > 0)
		batch_send(e, CT_BATCH_EVENTS, 0);
}

static void add_message(struct ct_events *e, const struct nlmsghdr *nlh)
{
	if (!e->batch)
		e->batch = batch_get(e);
	if (!e->batch)
		return;
	if (!ct_flow_read(nlh, &e->batch->flows[e->batch->n])) {
		e->report.n_unreadable++;
		return;
	}
	e->batch->flows[e->batch->n].read_ns = e->read_ns;
	e->report.n_events += e->batch->flows[e->batch->n].kind != FLOW_ANNOUNCED;
	if (++e->batch->n == CT_BATCH_FLOWS)
		batch_flush(e);
}

/* --- reading ------------------------------------------------------------------------------- */

static void add_datagram(struct ct_events *e, const struct mmsghdr *header)
{
	const struct nlmsghdr *nlh = header->msg_hdr.msg_iov->iov_base;
	int len = (int)header->msg_len;

	if (header->msg_hdr.msg_flags & MSG_TRUNC) {
		e->report.n_unreadable++;
		return;
	}
	for (; nl_message_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		add_message(e, nlh);
}

/* Does the kernel tell again what it could not deliver? What helpers announce is left out. */
static bool is_all_kept(const struct ct_events *e)
{
	return e->report.is_reliable && !(e->groups & (CT_EVENTS_NEW | CT_EVENTS_UPDATE));
}

/* Drops that others' sockets had are in the count of their own. */
static void look_at_socket(struct ct_events *e)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(e->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return;
	if (!is_all_kept(e))
		e->report.n_lost += (uint32_t)(info[SK_MEMINFO_DROPS] - e->drops);
	e->drops = info[SK_MEMINFO_DROPS];
	e->report.backlog_bytes = info[SK_MEMINFO_RMEM_ALLOC];
	if (e->report.backlog_bytes > e->report.backlog_max_bytes)
		e->report.backlog_max_bytes = e->report.backlog_bytes;
}

/* Has `claim` been true for so long? *since_ms remembers. */
static bool lasts(bool claim, uint64_t now_ms, uint64_t for_ms, uint64_t *since_ms)
{
	if (!claim) {
		*since_ms = 0;
		return false;
	}
	if (*since_ms == 0)
		*since_ms = now_ms;
	return now_ms - *since_ms >= for_ms;
}

static void watch_backlog(struct ct_events *e, uint64_t now_ms)
{
	bool is_full = e->report.backlog_bytes > e->report.buffer_bytes / 2;
	bool is_calm = e->report.backlog_bytes < e->report.buffer_bytes / 16;

	if (!e->wants_reliable)
		return;
	if (e->report.is_reliable && lasts(is_full, now_ms, BACKLOG_MAX_MS, &e->backlog_since_ms)) {
		(void)set_reliable(e->fd, false);
		e->report.is_reliable = false;
		e->report.n_given_up++;
		log_warn("stats",
			 "a backlog of conntrack events lasts: reliable delivery is given up "
			 "until it is gone");
	} else if (!e->report.is_reliable && lasts(is_calm, now_ms, CALM_MS, &e->calm_since_ms)) {
		e->report.is_reliable = set_reliable(e->fd, true) == 0;
		e->is_asked = true; /* so that it is known */
		log_info("stats", "conntrack events are delivered reliably again");
	}
}

/* Now and then, and when something was lost. */
static void look(struct ct_events *e, bool is_due)
{
	uint64_t now_ms = clock_mono_ns() / 1000000;

	if (!is_due && now_ms - e->looked_ms < 100)
		return;
	e->looked_ms = now_ms;
	look_at_socket(e);
	watch_backlog(e, now_ms);
}

/* One system call: messages read, or a negative errno (-EAGAIN: none wait). */
static int read_some(struct ct_events *e)
{
	int n;

	for (int i = 0; i < MESSAGES; i++) {
		e->iov[i] = (struct iovec){ e->buffers[i], MESSAGE_BYTES };
		e->headers[i].msg_hdr = (struct msghdr){ .msg_iov = &e->iov[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(e->fd, e->headers, MESSAGES, MSG_DONTWAIT, NULL);
	if (n < 0)
		return -errno;
	e->read_ns = clock_mono_ns();
	for (int i = 0; i < n; i++)
		add_datagram(e, &e->headers[i]);
	return n;
}

/* Is there nothing more to read? */
static bool is_read_empty(struct ct_events *e, int code)
{
	if (code == -EAGAIN)
		return true;
	if (code == -ENOBUFS) {
		e->report.n_overruns++;
		look(e, true);
	} else if (code < 0 && code != -EINTR) {
		log_error("stats", "conntrack events: %s", strerror(-code));
		return true;
	}
	return false;
}

/* Even if there is nothing in it. */
static void send_asked(struct ct_events *e)
{
	e->is_asked = false;
	if (!e->batch)
		e->batch = batch_get(e);
	batch_send(e, CT_BATCH_EVENTS, 0);
}

static void send_barrier(struct ct_events *e)
{
	look(e, true);
	if (!e->batch)
		e->batch = batch_get(e);
	batch_send(e, CT_BATCH_BARRIER, e->barrier);
	e->barrier = 0;
}

/* A turn. */
static void drain(struct ct_events *e)
{
	bool is_empty = false;
	size_t n = 0;

	while (n < TURN_MESSAGES && !is_empty && !e->is_stopped) {
		int code = read_some(e);

		if (code > 0)
			n += (size_t)code;
		is_empty = is_read_empty(e, code);
		look(e, false);
	}
	if (e->is_asked && is_empty)
		send_asked(e);
	batch_flush(e);
	e->is_behind = !is_empty;
	e->barrier_budget -= n < e->barrier_budget ? n : e->barrier_budget;
	if (e->barrier && (is_empty || e->barrier_budget == 0))
		send_barrier(e);
}

static void set_groups(struct ct_events *e, unsigned int groups)
{
	if (join(e->fd, NFNLGRP_CONNTRACK_NEW, groups & CT_EVENTS_NEW) < 0 ||
	    join(e->fd, NFNLGRP_CONNTRACK_UPDATE, groups & CT_EVENTS_UPDATE) < 0)
		log_error("stats", "conntrack events: %s", strerror(errno));
	e->groups = groups;
}

static void obey(struct ct_events *e, const struct command *c)
{
	switch (c->kind) {
	case COMMAND_STOP:
		e->is_stopped = true;
		break;
	case COMMAND_WANT:
		set_groups(e, (unsigned int)c->value);
		break;
	case COMMAND_ASK:
		e->is_asked = true;
		break;
	case COMMAND_BARRIER:
		e->barrier = c->value;
		e->barrier_budget = BARRIER_MESSAGES_MAX;
		break;
	}
}

static void take_commands(struct ct_events *e)
{
	struct command *c;

	while (!e->is_stopped && (c = mailbox_try_take(e->commands))) {
		obey(e, c);
		free(c);
	}
}

/* For something to happen; -1: as long as it takes. */
static int wait_ms(const struct ct_events *e)
{
	if (e->barrier)
		return 0;
	return e->wants_reliable && !e->report.is_reliable ? CALM_LOOK_MS : -1;
}

static void *reader_main(void *arg)
{
	struct ct_events *e = arg;
	struct pollfd fds[] = { { .fd = e->fd, .events = POLLIN },
				{ .fd = mailbox_fd(e->commands), .events = POLLIN } };

	while (!e->is_stopped) {
		if (poll(fds, 2, wait_ms(e)) < 0 && errno != EINTR)
			break;
		if (fds[0].revents && !fds[1].revents && !(e->groups & CT_EVENTS_AT_ONCE) &&
		    !e->barrier && !e->is_behind)
			(void)poll(&fds[1], 1, GATHER_MS);
		take_commands(e);
		drain(e);
	}
	return NULL;
}

/* --- the other side ------------------------------------------------------------------------ */

static void tell(struct ct_events *e, enum command_kind kind, uint64_t value)
{
	struct command *c = mem_alloc(sizeof(*c));

	*c = (struct command){ kind, value };
	mailbox_put(e->commands, c);
}

static void empty(struct mailbox *mb)
{
	void *message;

	while ((message = mailbox_try_take(mb)))
		free(message);
	mailbox_free(mb);
}

static void events_free(struct ct_events *e)
{
	if (e->fd >= 0)
		close(e->fd);
	free(e->batch);
	empty(e->commands);
	empty(e->returned);
	free(e);
}

int ct_events_open(const struct ct_events_options *opt, struct mailbox *out, struct ct_events **to,
		   struct err *err)
{
	struct ct_events *e = mem_zalloc(sizeof(*e));
	int code;

	e->fd = -1;
	e->out = out;
	e->commands = mailbox_new();
	e->returned = mailbox_new();
	code = socket_open(e, opt);
	if (code == 0)
		code = -pthread_create(&e->thread, NULL, reader_main, e);
	if (code < 0) {
		events_free(e);
		return err_add(err, ERR_SYSTEM, code, NULL, "conntrack events: %s",
			       strerror(-code));
	}
	pthread_setname_np(e->thread, "ct-events");
	*to = e;
	return 0;
}

void ct_events_close(struct ct_events *e)
{
	if (!e)
		return;
	tell(e, COMMAND_STOP, 0);
	pthread_join(e->thread, NULL);
	events_free(e);
}

void ct_events_return(struct ct_events *e, struct ct_batch *batch)
{
	mailbox_put(e->returned, batch);
}

void ct_events_want(struct ct_events *e, unsigned int groups)
{
	tell(e, COMMAND_WANT, groups);
}

void ct_events_ask(struct ct_events *e)
{
	tell(e, COMMAND_ASK, 0);
}

void ct_events_barrier(struct ct_events *e, uint64_t number)
{
	tell(e, COMMAND_BARRIER, number);
}
