/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection's packets are known exactly when it ends, and at each listing while it lives. The
 * total is the sum of both; the question is how to keep a connection from being counted twice (in a
 * listing, and as one that ended meanwhile) or not at all, without remembering single connections.
 *
 * What ends while a listing is going on is kept apart (late). When the listing is over, the total
 * is what had ended before it began, plus what it says. A connection in the listing had not ended
 * before the listing began, so none counts twice. One that ended during the listing before its
 * turn came is missing, until the next listing: so a total never falls, it stays what it was. Every
 * total shown is thus one that was true or a little less; when traffic rests, it is exact.
 *
 * The other way, to let the kernel set the counters to zero at each dump and to add up the
 * differences, needs no such care, but others who look at the same entries (conntrack -L) would see
 * what was left, a connection's own sum would be nowhere, and the kernel (up to 6.18) sets counters
 * of an entry to zero that then does not fit into the message, and tells it again with zeros.
 *
 * Rates are IPVS's: an average that moves by a quarter of the difference every two seconds. The
 * time between two samples varies here, so the weight follows it.
 */
#include "stats/meter.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>

/* linux/netfilter/nf_conntrack_tcp.h, nf_conntrack_sctp.h */
#define TCP_SYN_SENT       1
#define TCP_ESTABLISHED    3
#define TCP_FIN_WAIT       4
#define TCP_TIME_WAIT      7
#define TCP_CLOSE          8
#define SCTP_ESTABLISHED   4
#define SCTP_SHUTDOWN_SENT 5
#define SCTP_SHUTDOWN_RECD 6

#define RATE_PERIOD_S 2.0
#define RATE_KEPT     0.75 /* of the old rate, after one period */
/* Below this, nothing. */
#define RATE_MIN 0.001

bool flow_is_active(const struct flow *f)
{
	if (f->protocol == IPPROTO_TCP)
		return f->state == TCP_ESTABLISHED;
	if (f->protocol == IPPROTO_SCTP)
		return f->state == SCTP_ESTABLISHED;
	return f->status & FLOW_SEEN_REPLY;
}

bool flow_is_closed(const struct flow *f)
{
	return f->protocol == IPPROTO_TCP && (f->state == TCP_TIME_WAIT || f->state == TCP_CLOSE);
}

enum meter_end flow_end_of(const struct flow *f)
{
	if (!(f->status & FLOW_SEEN_REPLY))
		/* A reset that answers the first packet ends the entry before the status is set. */
		return f->packets_out > 0 ? END_REFUSED : END_FAILED;
	if (f->protocol == IPPROTO_TCP && f->is_expired && f->state > TCP_SYN_SENT &&
	    f->state < TCP_TIME_WAIT)
		return END_TIMED_OUT;
	return N_ENDS;
}

static void add(uint64_t sums[N_SUMS], const struct flow *f)
{
	sums[SUM_CONNS]++;
	sums[SUM_INPKTS] += f->packets_in;
	sums[SUM_OUTPKTS] += f->packets_out;
	sums[SUM_INBYTES] += f->bytes_in;
	sums[SUM_OUTBYTES] += f->bytes_out;
}

static void take_one(uint32_t *from)
{
	if (*from > 0)
		--*from;
}

void meter_begin(struct meter *m, bool is_listing)
{
	m->begun++;
	m->late_begun += is_listing;
	m->inactive++;
	m->open++;
}

static bool begins_to_be_active(const struct flow *f)
{
	switch (f->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_SCTP:
		return flow_is_active(f);
	}
	/* The first answer. What is told of later ones is that the flow is assured, too. */
	return flow_is_active(f) && !(f->status & FLOW_ASSURED);
}

/* In the first of the states that follow. */
static bool ends_to_be_active(const struct flow *f)
{
	return (f->protocol == IPPROTO_TCP && f->state == TCP_FIN_WAIT) ||
	       (f->protocol == IPPROTO_SCTP &&
		(f->state == SCTP_SHUTDOWN_SENT || f->state == SCTP_SHUTDOWN_RECD));
}

void meter_update(struct meter *m, const struct flow *f)
{
	if (begins_to_be_active(f)) {
		m->active++;
		take_one(&m->inactive);
	} else if (ends_to_be_active(f)) {
		m->inactive++;
		take_one(&m->active);
	} else if (flow_is_closed(f)) {
		take_one(&m->open);
	}
}

void meter_end(struct meter *m, const struct flow *f, bool is_listing)
{
	enum meter_end how = flow_end_of(f);

	add(is_listing ? m->late : m->ended, f);
	if (how < N_ENDS)
		m->ends[how]++;
	take_one(flow_is_active(f) ? &m->active : &m->inactive);
	if (!flow_is_closed(f))
		take_one(&m->open);
}

static void start_listing(struct meter *m, uint64_t listing)
{
	for (int i = 0; i < N_SUMS; i++)
		m->listed[i] = 0;
	m->listed_active = m->listed_inactive = m->listed_open = 0;
	m->listing = listing;
}

void meter_list(struct meter *m, const struct flow *f, uint64_t listing)
{
	if (m->listing != listing)
		start_listing(m, listing);
	add(m->listed, f);
	if (flow_is_active(f))
		m->listed_active++;
	else
		m->listed_inactive++;
	m->listed_open += !flow_is_closed(f);
}

/* What was shown and is nowhere any more was there nevertheless. */
static void keep_what_was_lost(struct meter *m)
{
	for (int i = 0; i < N_SUMS; i++) {
		uint64_t known = m->ended[i] + m->late[i] + m->listed[i];

		if (known < m->shown[i])
			m->ended[i] += m->shown[i] - known;
	}
}

static void sample(struct meter *m, uint64_t now_ns)
{
	double s = (double)(now_ns - m->sampled_ns) / 1e9;
	double kept = pow(RATE_KEPT, s / RATE_PERIOD_S);

	if (s <= 0)
		return;
	for (int i = 0; i < N_SUMS; i++) {
		double rate = (double)(m->shown[i] - m->sampled[i]) / s;

		m->rates[i] = m->rates[i] * kept + rate * (1 - kept);
		if (m->rates[i] < RATE_MIN)
			m->rates[i] = 0;
		m->sampled[i] = m->shown[i];
	}
	m->sampled_ns = now_ns;
}

static bool is_quiet(const struct meter *m)
{
	bool is_quiet = m->listed[SUM_CONNS] == 0 && m->active == 0 && m->inactive == 0;

	for (int i = 0; i < N_SUMS; i++)
		is_quiet = is_quiet && m->rates[i] == 0 && m->ended[i] <= m->shown[i];
	return is_quiet;
}

void meter_wake(struct meter *m, uint64_t since_ns)
{
	m->sampled_ns = since_ns;
}

/* The listing says it, but for those that it may have come too early for. */
static uint32_t settled_open(const struct meter *m)
{
	uint32_t most = m->listed_open + m->late_begun;

	if (m->open <= m->listed_open)
		return m->listed_open;
	return m->open < most ? m->open : most;
}

/* Likewise; what it missed is as the events left it. */
static void settle_living(struct meter *m)
{
	uint32_t known = m->active + m->inactive;
	uint32_t listed = m->listed_active + m->listed_inactive;
	uint32_t missed = known > listed ? known - listed : 0;
	uint32_t active = m->active > m->listed_active ? m->active - m->listed_active : 0;

	missed = missed < m->late_begun ? missed : m->late_begun;
	active = active < missed ? active : missed;
	m->active = m->listed_active + active;
	m->inactive = m->listed_inactive + missed - active;
}

bool meter_settle(struct meter *m, uint64_t listing, uint64_t now_ns, bool has_lost)
{
	if (m->listing != listing)
		start_listing(m, listing);
	if (has_lost)
		keep_what_was_lost(m);
	for (int i = 0; i < N_SUMS; i++) {
		uint64_t total = m->ended[i] + m->listed[i];

		if (total > m->shown[i])
			m->shown[i] = total;
		m->ended[i] += m->late[i];
		m->late[i] = 0;
	}
	settle_living(m);
	m->open = settled_open(m);
	m->late_begun = 0;
	sample(m, now_ns);
	return !is_quiet(m);
}

/* How many are new. */
static uint64_t counter_read(struct meter_counter *c, uint64_t handle, uint64_t packets)
{
	bool is_same = handle == c->handle && packets >= c->read;
	uint64_t n = is_same ? packets - c->read : packets;

	*c = (struct meter_counter){ handle, packets };
	return n;
}

uint64_t meter_overflowed(struct meter *m, uint64_t handle, uint64_t packets)
{
	uint64_t n = counter_read(&m->counter, handle, packets);

	m->overflowed += n;
	return n;
}

uint64_t meter_counted(struct meter *m, uint64_t handle, uint64_t before, uint64_t packets)
{
	uint64_t n;

	if (before > 0 && m->counter_begun.handle != handle)
		m->counter_begun = (struct meter_counter){ handle, before };
	n = counter_read(&m->counter_begun, handle, packets);
	m->counted += n;
	return n;
}

void meter_zero(struct meter *m)
{
	m->zero.counted = m->counted;
	m->zero.overflowed = m->overflowed;
	memcpy(m->zero.sums, m->shown, sizeof(m->shown));
	memcpy(m->zero.ends, m->ends, sizeof(m->ends));
}

void meter_cancel(struct meter *m)
{
	for (int i = 0; i < N_SUMS; i++) {
		m->ended[i] += m->late[i];
		m->late[i] = 0;
	}
	m->late_begun = 0;
}

void meter_save(const struct meter *m, struct meter_saved *out)
{
	for (int i = 0; i < N_SUMS; i++) {
		out->ended[i] = m->ended[i] + m->late[i];
		out->shown[i] = m->shown[i];
		out->zero_sums[i] = m->zero.sums[i];
	}
	memcpy(out->ends, m->ends, sizeof(out->ends));
	memcpy(out->zero_ends, m->zero.ends, sizeof(out->zero_ends));
	out->overflowed = m->overflowed;
	out->zero_overflowed = m->zero.overflowed;
	out->counter_handle = m->counter.handle;
	out->counter_read = m->counter.read;
	out->counted = m->counted;
	out->zero_counted = m->zero.counted;
	out->counter_begun_handle = m->counter_begun.handle;
	out->counter_begun_read = m->counter_begun.read;
}

/* Nothing happened since: no rate. */
void meter_restore(struct meter *m, const struct meter_saved *from)
{
	memcpy(m->ended, from->ended, sizeof(m->ended));
	memcpy(m->shown, from->shown, sizeof(m->shown));
	memcpy(m->sampled, from->shown, sizeof(m->sampled));
	memcpy(m->zero.sums, from->zero_sums, sizeof(m->zero.sums));
	memcpy(m->ends, from->ends, sizeof(m->ends));
	memcpy(m->zero.ends, from->zero_ends, sizeof(m->zero.ends));
	m->overflowed = from->overflowed;
	m->zero.overflowed = from->zero_overflowed;
	m->counter.handle = from->counter_handle;
	m->counter.read = from->counter_read;
	m->counted = from->counted;
	m->zero.counted = from->zero_counted;
	m->counter_begun.handle = from->counter_begun_handle;
	m->counter_begun.read = from->counter_begun_read;
}

bool meter_saved_is_sane(const struct meter_saved *s)
{
	bool is_sane = s->zero_overflowed <= s->overflowed && s->zero_counted <= s->counted;

	for (int i = 0; i < N_SUMS; i++)
		is_sane = is_sane && s->zero_sums[i] <= s->shown[i];
	for (int i = 0; i < N_ENDS; i++)
		is_sane = is_sane && s->zero_ends[i] <= s->ends[i];
	return is_sane;
}
