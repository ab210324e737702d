/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict: "17x", "+17", " 17" and "" are not numbers. */
#include "api/query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stats/flow_filter.h"

bool query_number(struct call *c, const char *name, uint64_t absent, uint64_t min, uint64_t max,
		  uint64_t *out)
{
	const char *text = http_query(c->req, name);
	char *end;

	*out = absent;
	if (!text)
		return true;
	errno = 0;
	if (*text && strspn(text, "0123456789") == strlen(text)) {
		*out = strtoull(text, &end, 10);
		if (errno == 0 && *out >= min && *out <= max)
			return true;
	}
	call_answer_problem(c, 400,
			    "query parameter \"%s\": %.100s: expected a whole number from %" PRIu64
			    " to %" PRIu64,
			    name, text, min, max);
	return false;
}

bool query_flag(struct call *c, const char *name, bool *out)
{
	static const struct {
		const char *text;
		bool value;
	} words[] = {
		{ "1", true }, { "true", true }, { "", true }, { "0", false }, { "false", false }
	};
	const char *text = http_query(c->req, name);

	*out = false;
	for (size_t i = 0; text && i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].text, text) == 0) {
			*out = words[i].value;
			return true;
		}
	}
	if (text)
		call_answer_problem(c, 400, "%s=%.100s: expected 1 or 0", name, text);
	return !text;
}

static const char *must_have(struct call *c, const char *name)
{
	const char *text = http_query(c->req, name);

	if (!text)
		call_answer_problem(c, 400, "query parameter \"%s\" is missing", name);
	return text;
}

bool query_protocol(struct call *c, uint8_t *out)
{
	const char *text = must_have(c, "protocol");

	if (!text)
		return false;
	*out = protocol_parse(text);
	if (!*out)
		call_answer_problem(
			c, 400, "query parameter \"protocol\": %.100s: expected tcp, udp or sctp",
			text);
	return *out;
}

bool query_end(struct call *c, const char *name, struct flow_end *out)
{
	const char *text = must_have(c, name);

	if (!text)
		return false;
	if (flow_end_parse(text, out) == 0 && out->port > 0)
		return true;
	call_answer_problem(c, 400,
			    "query parameter \"%s\": %.100s: expected ADDRESS:PORT, with an IPv6 "
			    "address in brackets",
			    name, text);
	return false;
}
