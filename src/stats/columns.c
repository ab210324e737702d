/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A row a number; what differs between two rows of a kind is an index. */
#include "stats/columns.h"

#define SUM(name, index)                                                                           \
	static uint64_t name(const struct meter *m)                                                \
	{                                                                                          \
		return m->shown[index] - m->zero.sums[index];                                      \
	}                                                                                          \
	static uint64_t name##_metered(const struct meter *m)                                      \
	{                                                                                          \
		return m->shown[index];                                                            \
	}                                                                                          \
	static double name##_rate(const struct meter *m)                                           \
	{                                                                                          \
		return m->rates[index];                                                            \
	}

#define END(name, index)                                                                           \
	static uint64_t name(const struct meter *m)                                                \
	{                                                                                          \
		return m->ends[index] - m->zero.ends[index];                                       \
	}                                                                                          \
	static uint64_t name##_metered(const struct meter *m)                                      \
	{                                                                                          \
		return m->ends[index];                                                             \
	}

SUM(conns, SUM_CONNS)
SUM(inpkts, SUM_INPKTS)
SUM(outpkts, SUM_OUTPKTS)
SUM(inbytes, SUM_INBYTES)
SUM(outbytes, SUM_OUTBYTES)
END(refused, END_REFUSED)
END(timed_out, END_TIMED_OUT)
END(failed, END_FAILED)

static uint64_t overflowed(const struct meter *m)
{
	return m->overflowed - m->zero.overflowed;
}

static uint64_t overflowed_metered(const struct meter *m)
{
	return m->overflowed;
}

static uint64_t begun(const struct meter *m)
{
	return m->counted - m->zero.counted;
}

static uint64_t begun_metered(const struct meter *m)
{
	return m->counted;
}

static uint64_t remembered(const struct meter *m)
{
	return m->remembered;
}

static uint64_t active(const struct meter *m)
{
	return m->active;
}

static uint64_t inactive(const struct meter *m)
{
	return m->inactive;
}

#define ALL  ((1u << N_STATS_KINDS) - 1)
#define BOTH (1u << STATS_SERVICE | 1u << STATS_BACKEND)
#define TOTAL(name, metric, help)                                                                  \
	{                                                                                          \
#name, COLUMN_TOTAL, ALL, false, metric, help, name, name##_metered, NULL          \
	}
#define RATE(name, of, help)                                                                       \
	{                                                                                          \
#name, COLUMN_RATE, ALL, false, NULL, help, NULL, NULL, of##_rate                  \
	}

static const struct column columns[] = {
	TOTAL(conns, "connections_total", "Connections, from their beginning."),
	TOTAL(inpkts, "in_packets_total", "Packets from clients."),
	TOTAL(outpkts, "out_packets_total", "Packets to clients."),
	TOTAL(inbytes, "in_bytes_total", "Bytes from clients, with IP headers."),
	TOTAL(outbytes, "out_bytes_total", "Bytes to clients, with IP headers."),
	RATE(cps, conns, "Connections a second."),
	RATE(inpps, inpkts, "Packets from clients a second."),
	RATE(outpps, outpkts, "Packets to clients a second."),
	RATE(inbps, inbytes, "Bytes from clients a second."),
	RATE(outbps, outbytes, "Bytes to clients a second."),
	{ "activeconns", COLUMN_LIVE, ALL, false, "active_connections",
	  "Connections that are established (UDP: answered).", active, active, NULL },
	{ "inactconns", COLUMN_LIVE, ALL, false, "inactive_connections",
	  "Connections in other states, closed ones that are remembered included.", inactive,
	  inactive, NULL },
	{ "persistconns", COLUMN_LIVE, BOTH, false, "persistent_clients",
	  "Clients that persistence remembers.", remembered, remembered, NULL },
	TOTAL(refused, "refused_total",
	      "Connections whose first packet was answered with a reset."),
	TOTAL(timed_out, "timed_out_total", "TCP connections that ended by a timeout, not closed."),
	TOTAL(failed, "failed_total", "Connections that were never answered."),
	{ "overflowed", COLUMN_TOTAL, BOTH, false, "overflowed_total",
	  "Connections that met a limit: they went elsewhere, or were refused.", overflowed,
	  overflowed_metered, NULL },
	{ "begun", COLUMN_TOTAL, BOTH, true, "begun_total",
	  "Connections that began, as the kernel counted them.", begun, begun_metered, NULL },
};

const struct column *column_at(size_t i)
{
	return i < sizeof(columns) / sizeof(columns[0]) ? &columns[i] : NULL;
}

bool column_is_of(const struct column *c, enum stats_kind kind, bool is_counted)
{
	return c->of >> kind & 1 && (is_counted || !c->is_counted);
}
