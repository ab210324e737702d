/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A model with services and connections to them, for tests of the statistics. */
#ifndef FNAT_TESTS_STATS_TESTING_H
#define FNAT_TESTS_STATS_TESTING_H

#include <netinet/in.h>

#include "model_testing.h"
#include "stats/stats.h"

#define TCP_STATE_SYN_SENT    1
#define TCP_STATE_ESTABLISHED 3
#define TCP_STATE_FIN_WAIT    4
#define TCP_STATE_TIME_WAIT   7
#define TCP_STATE_CLOSE       8

#define WEB_OF(listeners, backends)                                                                \
	"{\"listeners\":[" listeners "],\"pool\":\"lan\",\"backends\":{" backends "}}"
#define L80 "{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80}"
#define L81 "{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":81}"
#define BA  "\"a\":{\"address\":\"10.1.0.11\",\"port\":8080}"
#define BB  "\"b\":{\"address\":\"10.1.0.12\",\"port\":8080}"

struct world {
	struct model *m;
	struct stats *s;
};

/* Make the service (text NULL: none) or the pool so, in the model and in the statistics. */
static inline void world_change(struct world *w, struct changes *c)
{
	struct err err = ERR_INIT;

	ck_assert_msg(model_check(w->m, c, &err) == 0, "%s", err_text(&err));
	model_apply(w->m, c);
	for (size_t i = 0; i < c->n; i++)
		stats_apply(w->s, w->m, &c->items[i]);
	changes_fini(c);
}

static inline void world_service(struct world *w, const char *name, const char *text)
{
	const struct service *s = text ? service_of(name, text) : NULL;
	struct changes c = { 0 };

	model_want_service(w->m, name, s, &c);
	service_unref(s);
	world_change(w, &c);
}

static inline void world_pool(struct world *w, const char *addresses)
{
	struct changes c = { 0 };

	want_pool(w->m, "lan", addresses, &c);
	world_change(w, &c);
}

static inline void world_init(struct world *w)
{
	w->m = model_new();
	w->s = stats_new();
	world_pool(w, "\"10.1.0.50-10.1.0.53\"");
	world_service(w, "web", WEB_OF(L80, BA "," BB));
}

static inline void world_fini(struct world *w)
{
	stats_free(w->s);
	model_free(w->m);
}

static inline struct flow_end end_of(const char *address, uint16_t port)
{
	struct flow_end e = { .port = port };

	ck_assert_int_eq(addr_parse(address, &e.address), 0);
	return e;
}

/* An answered TCP connection to 192.0.2.10:80 and backend a, established, counters as given. */
static inline struct flow make_flow(enum flow_kind kind, uint64_t packets, uint64_t bytes)
{
	return (struct flow){
		.kind = (uint8_t)kind,
		.protocol = IPPROTO_TCP,
		.state = TCP_STATE_ESTABLISHED,
		.has_counters = true,
		.status = FLOW_FULLNAT | FLOW_SEEN_REPLY | FLOW_ASSURED,
		.client = end_of("198.51.100.2", 40000),
		.to = end_of("192.0.2.10", 80),
		.backend = end_of("10.1.0.11", 8080),
		.local = end_of("10.1.0.50", 40000),
		.packets_in = packets,
		.packets_out = 2 * packets,
		.bytes_in = bytes,
		.bytes_out = 10 * bytes,
	};
}

static inline const struct backend *world_backend(const struct world *w, const char *service,
						  const char *name)
{
	return service_backend(model_service(w->m, service), name);
}

#endif
