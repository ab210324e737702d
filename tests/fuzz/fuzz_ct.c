/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages as conntrack's netlink socket gives them (the corpus has real ones): whatever comes,
 * what is read of it is inside the message, and is a connection of one family; and it can be
 * counted, with a service that the corpus' connections belong to.
 *
 *	./configure CC=clang-14 --enable-fuzzer && make && tests/fuzz/fuzz_ct CORPUS
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/ct_flow.h"
#include "kernel/nl.h"
#include "model/json.h"
#include "stats/stats.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char document[] =
	"{\"pools\":{\"lan\":{\"addresses\":[\"10.1.0.50\",\"fd00:1::50\"]}},\"services\":{\"web\":"
	"{"
	"\"listeners\":[{\"address\":\"192.0.2.10\",\"protocol\":\"tcp\",\"port\":80},"
	"{\"address\":\"2001:db8:2::10\",\"protocol\":\"udp\",\"port\":53}],\"pool\":\"lan\","
	"\"backends\":{\"a\":{\"address\":\"10.1.0.11\"},\"b\":{\"address\":\"fd00:1::11\"}}}}}";

static void must(bool claim)
{
	if (!claim)
		abort();
}

static struct model *make_model(void)
{
	struct model *m = model_new();
	struct err err = ERR_INIT;
	struct changes changes = { 0 };
	json_t *value = json_parse(document, strlen(document), &err);
	struct config config;

	must(value && config_from_json(value, &config, &err) == 0);
	config_changes(&config, m, &changes);
	must(model_check(m, &changes, &err) == 0);
	model_apply(m, &changes);
	changes_fini(&changes);
	config_fini(&config);
	json_decref(value);
	return m;
}

static void check_announced(const struct flow *f)
{
	uint8_t family = f->to.address.family, client = f->client.address.family;

	must(family == AF_INET || family == AF_INET6);
	must(f->master_to.address.family == family && (client == 0 || client == family));
}

static void check_flow(const struct flow *f)
{
	uint8_t family = f->client.address.family;

	if (f->kind == FLOW_ANNOUNCED) {
		check_announced(f);
		return;
	}
	must(family == AF_INET || family == AF_INET6);
	must(f->to.address.family == family && f->backend.address.family == family &&
	     f->local.address.family == family);
	must(f->kind <= FLOW_LISTED);
}

static void count(struct stats *s, const struct model *m, const struct flow *f)
{
	stats_flows(s, m, f, 1);
	stats_list_begin(s);
	stats_flows(s, m, f, 1);
	stats_list_end(s, m, 1, false);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct model *m;
	struct nlmsghdr *copy = malloc(size ? size : 1); /* aligned, and not longer than it is */
	struct stats *s = stats_new();
	const struct nlmsghdr *nlh = copy;
	int len = (int)size;
	struct flow flow;

	if (!m)
		m = make_model();
	must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	for (; nl_message_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (!ct_flow_read(nlh, &flow))
			continue;
		check_flow(&flow);
		count(s, m, &flow);
	}
	stats_free(s);
	free(copy);
	return 0;
}
