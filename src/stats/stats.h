/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel did for each service, listener, backend and pool address: a value that is fed
 * with events and listings of conntrack and follows the configuration. Pure; the main loop's.
 * engine/observer.h feeds it.
 *
 * It takes memory for what had traffic (about 500 bytes for each service, listener, backend and
 * pool address), none for connections. Connections to a backend that is no longer configured count
 * for their service.
 */
#ifndef FNAT_STATS_STATS_H
#define FNAT_STATS_STATS_H

#include "model/model.h"
#include "stats/meter.h"

struct stats;

struct stats *stats_new(void);
void stats_free(struct stats *s);

/* A change of the configuration, which the model has already. */
void stats_apply(struct stats *s, const struct model *m, const struct change *c);

/* An event or an item of a listing, with the current model. */
void stats_flow(struct stats *s, const struct model *m, const struct flow *f);
/* The same for many, in their order, and faster: what they count in is fetched into the cache of
 * the processor ahead of them. */
void stats_flows(struct stats *s, const struct model *m, const struct flow *flows, size_t n);

/*
 * A listing of all living connections begins: all that ended until now has been told. Then it is
 * over: all that ended until now has been told again. has_lost: events were lost since the end of
 * the last listing (or there was none). When it broke off, stats_list_cancel().
 */
void stats_list_begin(struct stats *s);
void stats_list_end(struct stats *s, const struct model *m, uint64_t now_ns, bool has_lost);
void stats_list_cancel(struct stats *s);

/* The numbers as of the last listing; all zero for what had no traffic. */
struct meter stats_of_service(const struct stats *s, const char *service);
struct meter stats_of_listener(const struct stats *s, const struct listener *l);
struct meter stats_of_backend(const struct stats *s, const char *service, const struct backend *b);

enum stats_kind { STATS_SERVICE, STATS_LISTENER, STATS_BACKEND, STATS_POOL_ADDRESS, N_STATS_KINDS };

/* Something that had traffic. What is not said of its kind is NULL. */
struct stats_object {
	enum stats_kind kind;
	const char *service;
	const struct listener *listener;
	const struct backend *backend;
	const char *pool;
	const struct addr *address; /* of the pool */
	const struct meter *meter;
	bool is_counted; /* of a service with "count_begun" */
};
/* Everything that is configured and had traffic, in no order. Borrowed for the call. */
typedef void stats_object_fn(const struct stats_object *o, void *arg);
void stats_each(const struct stats *s, stats_object_fn *fn, void *arg);
/* The same for the addresses of a pool. */
void stats_each_address(const struct stats *s, const char *pool, stats_object_fn *fn, void *arg);

/*
 * What was saved of something, before anything was counted; see saved.h. Nothing happens when the
 * model does not have it.
 */
void stats_restore(struct stats *s, const struct model *m, enum stats_kind kind, const char *name,
		   uint8_t protocol, const struct flow_end *at, const struct meter_saved *from);

/*
 * What is counted by the kernel, of services of the model: its counter of connections that met a
 * limit of the service, or that the gate of the backend turned away (meter_overflowed()); and the
 * clients that persistence remembers for the backend, or for the service as a whole (NULL).
 */
void stats_overflowed(struct stats *s, const struct model *m, const char *service,
		      const struct backend *b, uint64_t handle, uint64_t packets);
void stats_remembered(struct stats *s, const struct model *m, const char *service,
		      const struct backend *b, uint64_t n);
/*
 * The kernel's counter of connections that began to a backend (meter_counted()), which the service
 * has as well; one of nobody's that is a backend any more (NULL) counts for the service alone.
 */
void stats_counted(struct stats *s, const struct model *m, const char *service,
		   const struct backend *b, uint64_t handle, uint64_t before, uint64_t packets);

/* Totals count from here: of a service and what belongs to it, or of everything (NULL). */
void stats_zero(struct stats *s, const char *service);

/*
 * Living connections of a backend, as of the last listing and corrected by the events since: what
 * ended is gone at once, what began and what was established since is seen only while NEW and
 * UPDATE events are asked for (observer_want()).
 */
struct stats_live {
	uint32_t active, inactive; /* as IPVS: established (answered, for UDP), and others */
	uint32_t open;             /* of both: those that are not closed, see flow_is_closed() */
	uint64_t begun;            /* since it is known, as far as events told */
};
struct stats_live stats_live(const struct stats *s, const char *service, const struct backend *b);

/* What clients' connections say about a backend of a service with a check that observes. */
enum stats_signal {
	SIGNAL_REPLIED,    /* to its first packet (TCP, SCTP), only while stats_watch() is on */
	SIGNAL_ANSWERED,   /* a connection that was answered ended */
	SIGNAL_REFUSED,    /* it answered the first packet with a reset */
	SIGNAL_UNANSWERED, /* not answered until its timeout: TCP, SCTP ... */
	SIGNAL_UNREPLIED,  /* ... and others, for which that may be usual */
};

struct stats_said {
	enum stats_signal what;
	uint64_t reply_ns; /* SIGNAL_REPLIED: from the first packet to the reply ... */
	bool is_exact;     /* ... by the kernel's clock, else by when fnatd read of both */
};

/* Called while an event is counted; must not change the configuration. */
typedef void stats_signal_fn(const char *service, const struct backend *b,
			     const struct stats_said *said, void *arg);
#define STATS_FOLLOWERS_MAX 4
void stats_follow(struct stats *s, stats_signal_fn *fn, void *arg);

/*
 * Follow those connections from their begin, so that the followers hear of those that are not
 * answered after STATS_OVERDUE_NS, not only when conntrack gives them up. NEW and UPDATE events
 * must be asked for meanwhile. A megabyte or three.
 */
#define STATS_OVERDUE_NS 2000000000u
void stats_watch(struct stats *s, bool is_on);
/* Events were lost: what is followed may have been answered. */
void stats_watch_again(struct stats *s);
/* All that was told until now_ns (by flow.read_ns) was counted: those that are overdue are signals
 * now. */
void stats_overdue(struct stats *s, const struct model *m, uint64_t now_ns);
/* When that is worth while next, in read_ns; 0: nothing is followed. */
uint64_t stats_next_overdue_ns(const struct stats *s);

/*
 * Called while an event is counted that changed how many connections a backend has that may have
 * only so many (max_connections). One at a time; NULL: nobody.
 */
typedef void stats_load_fn(const char *service, const struct backend *b, void *arg);
void stats_follow_load(struct stats *s, stats_load_fn *fn, void *arg);

/* Called when a connection that was counted is over; likewise. b: NULL when the service has none
 * there, or no more. */
typedef void stats_end_fn(const char *service, const struct backend *b, const struct flow *f,
			  void *arg);
void stats_on_end(struct stats *s, stats_end_fn *fn, void *arg);

/* The port budget, as part of it: ports_on_level(), ports_each(). */
struct ports;
struct ports *stats_ports(struct stats *s);

/* About itself. */
struct stats_self {
	uint64_t n_foreign;    /* events of connections to nothing that is configured */
	uint64_t n_duplicates; /* ends that were told again: recent.h */
	uint64_t n_listings;
	uint64_t n_listed; /* connections in the last listing, foreign ones left out */
	size_t n_rows;
	uint64_t n_overflowed; /* since the start, of all services and backends */
	uint64_t n_counted;    /* likewise: connections that began, where the kernel counts them */
};
struct stats_self stats_self(const struct stats *s);

#endif
