/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to understand and to count an event: messages as the kernel makes them, of
 * connections to random backends of SERVICES services with BACKENDS each, one core, no kernel.
 *
 *	counting SERVICES BACKENDS EVENTS
 *
 * Prints {"events", "seconds", "objects"}; seconds of CPU time.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "kernel/ct_events.h"
#include "kernel/ct_flow.h"
#include "model/model.h"
#include "stats/stats.h"

#define CONNECTIONS   65536 /* different ones */
#define MESSAGE_BYTES 512
#define N_LOCALS      64
#define TIME_WAIT     7
#define STATUS        0x2be /* both translations, answered, assured, confirmed, dying */

static uint32_t listener_of(uint32_t service)
{
	return htonl(0x64400000u + service);
}

static uint32_t backend_of(uint32_t service, uint32_t backend, uint32_t n)
{
	return htonl(0x0a000100u + service * n + backend);
}

static struct addr addr_of(uint32_t ip)
{
	struct addr a = { .family = AF_INET };

	memcpy(a.bytes, &ip, 4);
	return a;
}

static const struct service *make_service(uint32_t i, uint32_t n_backends)
{
	struct backend *backends = mem_calloc(n_backends, sizeof(*backends));
	struct listener listener = { .address = addr_of(listener_of(i)),
				     .port = 80,
				     .protocol = IPPROTO_TCP };
	struct service s = { .pool = (char *)"lan",
			     .scheduler = SCHEDULER_DEFAULT,
			     .listeners = &listener,
			     .n_listeners = 1,
			     .backends = backends,
			     .n_backends = n_backends };
	const struct service *out;

	for (uint32_t b = 0; b < n_backends; b++) {
		backends[b].name = mem_printf("b%u", b);
		backends[b].address = addr_of(backend_of(i, b, n_backends));
		backends[b].port = 8080;
		backends[b].weight = 1;
	}
	s.name = mem_printf("s%u", i);
	out = service_new(&s);
	for (uint32_t b = 0; b < n_backends; b++)
		free(backends[b].name);
	free(backends);
	free(s.name);
	return out;
}

static struct model *make_model(uint32_t n_services, uint32_t n_backends)
{
	struct model *m = model_new();
	struct changes c = { 0 };

	for (uint32_t i = 0; i < n_services; i++) {
		const struct service *s = make_service(i, n_backends);

		model_want_service(m, s->name, s, &c);
		service_unref(s);
	}
	model_apply(m, &c);
	changes_fini(&c);
	return m;
}

/* Where a message has the addresses. */
struct ends {
	uint32_t *src, *dst;
};

static struct ends put_tuple(struct nlmsghdr *nlh, uint16_t type, uint16_t src_port,
			     uint16_t dst_port)
{
	struct nlattr *tuple = mnl_attr_nest_start(nlh, type), *part;
	struct ends ends;

	part = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
	mnl_attr_put_u32(nlh, CTA_IP_V4_SRC, 0);
	ends.src = (uint32_t *)mnl_nlmsg_get_payload_tail(nlh) - 1;
	mnl_attr_put_u32(nlh, CTA_IP_V4_DST, 0);
	ends.dst = (uint32_t *)mnl_nlmsg_get_payload_tail(nlh) - 1;
	mnl_attr_nest_end(nlh, part);
	part = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(nlh, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(nlh, CTA_PROTO_SRC_PORT, htons(src_port));
	mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(dst_port));
	mnl_attr_nest_end(nlh, part);
	mnl_attr_nest_end(nlh, tuple);
	return ends;
}

static void put_counters(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	mnl_attr_put_u64(nlh, CTA_COUNTERS_PACKETS, htobe64(5));
	mnl_attr_put_u64(nlh, CTA_COUNTERS_BYTES, htobe64(500));
	mnl_attr_nest_end(nlh, nest);
}

static void put_state(struct nlmsghdr *nlh)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, CTA_PROTOINFO);
	struct nlattr *tcp = mnl_attr_nest_start(nlh, CTA_PROTOINFO_TCP);

	mnl_attr_put_u8(nlh, CTA_PROTOINFO_TCP_STATE, TIME_WAIT);
	mnl_attr_nest_end(nlh, tcp);
	mnl_attr_nest_end(nlh, info);
}

/* One message, as recvmmsg(2) leaves it in a buffer that is used again and again. */
static struct {
	uint32_t buf[MESSAGE_BYTES / sizeof(uint32_t)];
	struct ends orig, reply;
	uint32_t *id;
} message;

static void make_message(void)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(message.buf);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	nfg->nfgen_family = AF_INET;
	message.orig = put_tuple(nlh, CTA_TUPLE_ORIG, 40000, 80);
	message.reply = put_tuple(nlh, CTA_TUPLE_REPLY, 8080, 40000);
	mnl_attr_put_u32(nlh, CTA_ID, 0);
	message.id = (uint32_t *)mnl_nlmsg_get_payload_tail(nlh) - 1;
	mnl_attr_put_u32(nlh, CTA_STATUS, htonl(STATUS));
	put_counters(nlh, CTA_COUNTERS_ORIG);
	put_counters(nlh, CTA_COUNTERS_REPLY);
	put_state(nlh);
}

struct connection {
	uint32_t client, to, backend, local;
};

static struct connection *make_connections(uint32_t n_services, uint32_t n_backends)
{
	struct connection *c = mem_calloc(CONNECTIONS, sizeof(*c));

	for (size_t i = 0; i < CONNECTIONS; i++) {
		uint32_t service = (uint32_t)rand() % n_services;

		c[i].client = (uint32_t)rand();
		c[i].to = listener_of(service);
		c[i].backend = backend_of(service, (uint32_t)rand() % n_backends, n_backends);
		c[i].local = htonl(0xac1f0032u + (uint32_t)rand() % N_LOCALS);
	}
	return c;
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_one(const struct connection *c, uint32_t id, struct flow *out)
{
	*message.orig.src = c->client;
	*message.orig.dst = c->to;
	*message.reply.src = c->backend;
	*message.reply.dst = c->local;
	*message.id = id;
	if (!ct_flow_read((const struct nlmsghdr *)message.buf, out))
		abort();
}

/* By batches, as the thread that reads hands them to the main loop that counts. */
static void count(struct stats *s, const struct model *m, const struct connection *c, size_t n)
{
	static struct flow batch[CT_BATCH_FLOWS];
	size_t n_batch = 0;

	for (size_t i = 0; i < n; i++) {
		/* No number twice, so that none is told again. */
		read_one(&c[i % CONNECTIONS], (uint32_t)i + 1, &batch[n_batch++]);
		if (n_batch < CT_BATCH_FLOWS && i + 1 < n)
			continue;
		stats_flows(s, m, batch, n_batch);
		n_batch = 0;
	}
}

int main(int argc, char **argv)
{
	uint32_t n_services = argc > 3 ? (uint32_t)atoi(argv[1]) : 0;
	uint32_t n_backends = argc > 3 ? (uint32_t)atoi(argv[2]) : 0;
	size_t n = argc > 3 ? (size_t)atol(argv[3]) : 0;
	struct stats *s = stats_new();
	struct connection *connections;
	struct model *m;
	double start;

	if (!n_services || !n_backends || !n) {
		fputs("usage: counting SERVICES BACKENDS EVENTS\n", stderr);
		return 2;
	}
	m = make_model(n_services, n_backends);
	make_message();
	connections = make_connections(n_services, n_backends);
	count(s, m, connections, CONNECTIONS); /* the rows are there */
	start = cpu_s();
	count(s, m, connections, n);
	printf("{\"events\": %zu, \"seconds\": %.6f, \"objects\": %zu}\n", n, cpu_s() - start,
	       stats_self(s).n_rows);
	stats_free(s);
	model_free(m);
	free(connections);
	return 0;
}
