/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row for each condition: its name and how its value is read. All conditions that are given must
 * hold.
 */
#include "stats/flow_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "stats/flow_state.h"

#define NS_PER_S  1000000000ull
#define AGE_MAX_S 4000000000ull

static int parse_port(const char *text, uint16_t *out)
{
	unsigned long port;
	size_t len = strlen(text);

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len)
		return -EINVAL;
	port = strtoul(text, NULL, 10);
	if (port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*out = (uint16_t)port;
	return 0;
}

/* The address of text[0..len). */
static int parse_address(const char *text, size_t len, struct addr *out)
{
	char address[ADDR_STRLEN];

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	return addr_parse(address, out);
}

int flow_end_parse(const char *text, struct flow_end *out)
{
	struct flow_end end = { .port = 0 };
	const char *colon = strrchr(text, ':'), *close = strrchr(text, ']');

	if (addr_parse(text, &end.address) == 0) {
		*out = end;
		return 0;
	}
	if (*text == '[') {
		if (!close || parse_address(text + 1, (size_t)(close - text) - 1, &end.address) ||
		    end.address.family != AF_INET6 || (close[1] && close[1] != ':'))
			return -EINVAL;
		colon = close[1] ? close + 1 : NULL;
	} else if (!colon || parse_address(text, (size_t)(colon - text), &end.address) ||
		   end.address.family != AF_INET) {
		return -EINVAL;
	}
	if (colon && parse_port(colon + 1, &end.port) < 0)
		return -EINVAL;
	*out = end;
	return 0;
}

static int set_service(struct flow_filter *f, const char *value)
{
	f->service = value;
	return *value ? 0 : -EINVAL;
}

static int set_backend(struct flow_filter *f, const char *value)
{
	f->backend = value;
	(void)flow_end_parse(value, &f->backend_at);
	return *value ? 0 : -EINVAL;
}

static int set_protocol(struct flow_filter *f, const char *value)
{
	f->protocol = protocol_parse(value);
	return f->protocol ? 0 : -EINVAL;
}

static int set_client(struct flow_filter *f, const char *value)
{
	return addr_range_parse(value, &f->client) < 0 ? -EINVAL : 0;
}

static int set_virtual(struct flow_filter *f, const char *value)
{
	return flow_end_parse(value, &f->to);
}

static int set_local(struct flow_filter *f, const char *value)
{
	return flow_end_parse(value, &f->local);
}

static const char *state_word(const char *text, size_t len)
{
	const char *word;

	for (size_t i = 0; (word = flow_state_word(i)); i++)
		if (strlen(word) == len && memcmp(word, text, len) == 0)
			return word;
	return NULL;
}

static int set_state(struct flow_filter *f, const char *value)
{
	for (f->n_states = 0;; value++) {
		size_t len = strcspn(value, ",");
		const char *word = state_word(value, len);

		if (!word || f->n_states == FLOW_FILTER_STATES_MAX)
			return -EINVAL;
		f->states[f->n_states++] = word;
		value += len;
		if (!*value)
			return 0;
	}
}

static int parse_age(const char *text, uint64_t *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > 10 || strspn(text, "0123456789") != len)
		return -EINVAL;
	*out = strtoull(text, NULL, 10);
	return *out <= AGE_MAX_S ? 0 : -EINVAL;
}

static int set_min_age(struct flow_filter *f, const char *value)
{
	f->has_min_age = true;
	return parse_age(value, &f->min_age_s);
}

static int set_max_age(struct flow_filter *f, const char *value)
{
	f->has_max_age = true;
	return parse_age(value, &f->max_age_s);
}

static const struct {
	const char *name;
	int (*set)(struct flow_filter *f, const char *value);
	const char *expected;
} rows[] = {
	{ "service", set_service, "a service's name" },
	{ "backend", set_backend, "a backend's name, ADDRESS or ADDRESS:PORT" },
	{ "protocol", set_protocol, "tcp, udp or sctp" },
	{ "client", set_client,
	  "an address, a range A-B or a prefix without host bits, such as 198.51.100.0/24" },
	{ "virtual", set_virtual, "ADDRESS or ADDRESS:PORT" },
	{ "local", set_local, "ADDRESS or ADDRESS:PORT" },
	{ "state", set_state,
	  "states with commas between, such as established,fin_wait; or unreplied, replied" },
	{ "min_age_s", set_min_age, "a whole number of seconds" },
	{ "max_age_s", set_max_age, "a whole number of seconds" },
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int flow_filter_set(struct flow_filter *f, const char *name, const char *value, struct err *err)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		if (rows[i].set(f, value) == 0)
			return 0;
		return err_add(err, ERR_SYNTAX, -EINVAL, NULL,
			       "query parameter \"%s\": %.100s: expected %s", name, value,
			       rows[i].expected);
	}
	return -ENOENT;
}

const char *flow_filter_name(size_t i)
{
	return i < N_ROWS ? rows[i].name : NULL;
}

int64_t flow_age_s(const struct flow *flow, uint64_t now_ns)
{
	if (flow->start_ns == 0)
		return -1;
	return flow->start_ns < now_ns ? (int64_t)((now_ns - flow->start_ns) / NS_PER_S) : 0;
}

bool flow_end_fits(const struct flow_end *wanted, const struct flow_end *is)
{
	if (wanted->address.family && !addr_equal(&wanted->address, &is->address))
		return false;
	return wanted->port == 0 || wanted->port == is->port;
}

static bool state_fits(const struct flow_filter *f, const struct flow *flow)
{
	const char *state = flow_state_name(flow);

	for (size_t i = 0; i < f->n_states; i++)
		if (strcmp(f->states[i], state) == 0)
			return true;
	return f->n_states == 0;
}

static bool age_fits(const struct flow_filter *f, const struct flow *flow, uint64_t now_ns)
{
	int64_t age = flow_age_s(flow, now_ns);

	if (!f->has_min_age && !f->has_max_age)
		return true;
	return age >= 0 && (!f->has_min_age || (uint64_t)age >= f->min_age_s) &&
	       (!f->has_max_age || (uint64_t)age <= f->max_age_s);
}

bool flow_filter_fits(const struct flow_filter *f, const struct flow *flow, uint64_t now_ns)
{
	if (f->protocol && f->protocol != flow->protocol)
		return false;
	if (f->client.lo.family && !addr_range_contains(&f->client, &flow->client.address))
		return false;
	return flow_end_fits(&f->to, &flow->to) && flow_end_fits(&f->local, &flow->local) &&
	       state_fits(f, flow) && age_fits(f, flow, now_ns);
}
