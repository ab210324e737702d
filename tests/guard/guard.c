/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fnatd does for a change, on fixed inputs, one part of it a run: `guard PART`. Run under
 * callgrind, which counts the instructions between begin and end of guard_measured() only;
 * tests/guard/check compares them with what is recorded.
 *
 * Exit status 77: this build is not the one whose instructions are recorded.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "../unit/walk.h"
#include "kernel/nft_encode.h"
#include "model/json.h"
#include "plan/plan.h"
#include "stats/stats.h"

#define N_SERVICES 1000
#define N_BACKENDS 10
#define N_CHANGES  100
#define N_LANES    512
#define N_EVENTS   20000

static struct changes initial;
static struct plan *plan;
static struct ops ops;
static struct image have, want;
static char *document;

static const struct service *make_service(unsigned int i, uint32_t first_weight)
{
	static const char *const schedulers[] = { "wrr", "rr", "random", "sh" };
	uint32_t weights[N_BACKENDS];
	char name[16], address[32];

	for (uint32_t b = 0; b < N_BACKENDS; b++)
		weights[b] = 1 + b % 3;
	weights[0] = first_weight;
	snprintf(name, sizeof(name), "s%u", i);
	snprintf(address, sizeof(address), "192.0.%u.%u", 2 + i / 250, 1 + i % 250);
	return walk_service(name, schedulers[i % 4], "lan", address, 80, weights, N_BACKENDS);
}

static void add_service(struct changes *c, const struct service *before, unsigned int i,
			uint32_t first_weight)
{
	const struct service *s = make_service(i, first_weight);

	walk_change_service(c, before, s);
	service_unref(s);
}

static void make_initial(void)
{
	const struct pool *lan = walk_pool("lan", "10.1.0.50", 64);

	walk_change_pool(&initial, NULL, lan);
	pool_unref(lan);
	for (unsigned int i = 0; i < N_SERVICES; i++)
		add_service(&initial, NULL, i, 1);
}

static void plan_initial(void)
{
	make_initial();
	plan = plan_new(N_LANES);
	plan_change(plan, &initial, &ops);
	plan_commit(plan);
}

static void plan_prepare(void)
{
	make_initial();
	plan = plan_new(N_LANES);
}

static void plan_run(void)
{
	plan_change(plan, &initial, &ops);
	plan_commit(plan);
}

/* One backend's weight, again and again: slots only. */
static void change_run(void)
{
	for (unsigned int i = 0; i < N_CHANGES; i++) {
		struct changes c = { 0 };
		struct ops some;

		ops_init(&some);
		add_service(&c, initial.items[1 + i].service.after, i, 2);
		plan_change(plan, &c, &some);
		plan_commit(plan);
		ops_fini(&some);
		changes_fini(&c);
	}
}

static void diff_prepare(void)
{
	plan_initial();
	plan_image(plan, &have);
	change_run();
	plan_image(plan, &want);
}

static void diff_run(void)
{
	struct ops difference;

	ops_init(&difference);
	image_diff(&have, &want, &difference);
	ops_fini(&difference);
}

static void batch_run(void)
{
	struct batch b = { 0 };

	batch_begin(&b, 1);
	batch_add_ops(&b, "fnat", &ops.stage[0]);
	batch_end(&b);
	batch_fini(&b);
}

static void config_prepare(void)
{
	size_t len = 0;
	FILE *out = open_memstream(&document, &len);

	fputs("{\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.50-10.1.0.113\"]}},\"services\":{",
	      out);
	for (unsigned int i = 0; i < N_SERVICES; i++) {
		fprintf(out,
			"%s\"s%u\":{\"listeners\":[{\"address\":\"192.0.%u.%u\",\"protocol\":"
			"\"tcp\","
			"\"port\":80}],\"pool\":\"lan\",\"backends\":{",
			i ? "," : "", i, 2 + i / 250, 1 + i % 250);
		for (unsigned int b = 0; b < N_BACKENDS; b++)
			fprintf(out, "%s\"b%u\":{\"address\":\"10.1.1.%u\",\"port\":8080}",
				b ? "," : "", b, b + 1);
		fputs("}}", out);
	}
	fputs("}}", out);
	fclose(out);
}

static void config_run(void)
{
	struct model *m = model_new();
	struct changes c = { 0 };
	struct config config = { 0 };
	struct err err = ERR_INIT;

	if (config_parse(document, strlen(document), &config, &err) < 0)
		abort();
	config_changes(&config, m, &c);
	if (model_check(m, &c, &err) < 0)
		abort();
	model_apply(m, &c);
	config_fini(&config);
	changes_fini(&c);
	model_free(m);
}

static struct model *model;
static struct stats *stats;

static struct addr ip4(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	return (struct addr){ .family = AF_INET,
			      .bytes = { (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d } };
}

/* The end of connection number i, to every backend in turn. */
static struct flow end_of(unsigned int i)
{
	unsigned int service = i % N_SERVICES;
	const struct service *s = initial.items[1 + service].service.after;
	const struct backend *b = &s->backends[i / N_SERVICES % N_BACKENDS];

	return (struct flow){
		.kind = FLOW_DESTROY,
		.protocol = IPPROTO_TCP,
		.state = 7, /* time wait */
		.has_counters = true,
		.status = FLOW_FULLNAT | FLOW_SEEN_REPLY | FLOW_ASSURED,
		.id = i + 1,
		.client = { .address = ip4(198, 51, 100, i), .port = 40000 },
		.to = { .address = s->listeners[0].address, .port = s->listeners[0].port },
		.backend = { .address = b->address, .port = b->port },
		.local = { .address = ip4(10, 1, 0, 50 + i % 64), .port = 40000 },
		.packets_in = 5,
		.packets_out = 5,
		.bytes_in = 500,
		.bytes_out = 5000,
	};
}

static void events_run(void)
{
	static unsigned int n;

	for (unsigned int until = n + N_EVENTS; n < until;) {
		struct flow flows[50];

		for (size_t i = 0; i < 50; i++)
			flows[i] = end_of(n++);
		stats_flows(stats, model, flows, 50);
	}
}

/* Everything had traffic before. */
static void events_prepare(void)
{
	make_initial();
	model = model_new();
	model_apply(model, &initial);
	stats = stats_new();
	for (size_t i = 0; i < initial.n; i++)
		stats_apply(stats, model, &initial.items[i]);
	events_run();
}

static const struct part {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} parts[] = {
	{ "config", config_prepare, config_run }, { "plan", plan_prepare, plan_run },
	{ "change", plan_initial, change_run },   { "diff", diff_prepare, diff_run },
	{ "batch", plan_initial, batch_run },     { "events", events_prepare, events_run },
};

/* callgrind's --toggle-collect names this function. */
void guard_measured(const struct part *part);

__attribute__((noinline)) void guard_measured(const struct part *part)
{
	part->run();
}

static int is_recorded_kind(void)
{
#if defined(__x86_64__) && defined(__OPTIMIZE__) && __GNUC__ == 12 && !defined(__clang__) &&       \
	!defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	return 1;
#else
	return 0;
#endif
}

int main(int argc, char **argv)
{
	if (!is_recorded_kind())
		return 77;
	ops_init(&ops);
	image_init(&have);
	image_init(&want);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (argc == 1)
			puts(parts[i].name);
		if (argc != 2 || strcmp(parts[i].name, argv[1]) != 0)
			continue;
		parts[i].prepare();
		guard_measured(&parts[i]);
	}
	stats_free(stats);
	if (model)
		model_free(model);
	plan_free(plan);
	ops_fini(&ops);
	image_fini(&have);
	image_fini(&want);
	changes_fini(&initial);
	free(document);
	return 0;
}
