/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent: a program beside the server says how the server is, in the words of HAProxy's agent-check.
 * What it said holds until it says something else, also while it cannot be reached: a
 * backend that drains does not get connections again because its agent went first.
 */
#include <stdio.h>
#include <string.h>

#include "health/agent_text.h"
#include "health/probe_stream.h"
#include "health/probe_types.h"
#include "model/check_agent.h"

struct agent {
	struct stream stream;
	struct agent_said said;
	bool has_said;
};

static void put_said(struct agent *a)
{
	struct probe_outcome *o = &a->stream.probe.outcome;

	o->weight_percent = a->has_said ? a->said.percent : -1;
	o->order = a->said.order;
}

/* Its word on up and down is no measurement that could be wrong once: it decides. */
static bool end_line(struct agent *a, size_t len)
{
	struct stream *s = &a->stream;
	struct probe_outcome *o = &s->probe.outcome;
	struct agent_said said = a->said;
	char unknown[PROBE_REASON_BYTES];
	int shown = len < 90 ? (int)len : 90;

	if (!a->has_said)
		said.percent = -1;
	said.state = AGENT_UNSAID;
	if (agent_take(&said, s->data, len, unknown) == 0)
		return stream_done(s, PROBE_FAILED, "nothing that an agent says: %.*s", shown,
				   s->data);
	o->is_decision = said.state != AGENT_UNSAID;
	if (!o->is_decision)
		said.state = a->said.state;
	a->said = said;
	a->has_said = true;
	put_said(a);
	if (*unknown)
		snprintf(o->warning, sizeof(o->warning),
			 "the agent says \"%.60s\", which is unknown", unknown);
	return stream_done(s, said.state == AGENT_DOWN ? PROBE_FAILED : PROBE_OK,
			   "the agent says: %.*s", shown, s->data);
}

static bool agent_arrived(struct stream *s)
{
	size_t len = 0;

	while (len < s->n && s->data[len] != '\r' && s->data[len] != '\n' && s->data[len] != '\0')
		len++;
	if (len == s->n && !s->is_over)
		return true;
	if (len == 0)
		return stream_done(s, PROBE_FAILED, "the agent says nothing");
	return end_line((struct agent *)s, len);
}

static bool agent_connected(struct stream *s)
{
	const struct check_agent *options = s->probe.check->options;

	return !options->send || stream_send(s, options->send, strlen(options->send));
}

static void agent_start(struct probe *p)
{
	static const struct stream_kind kind = { agent_connected, agent_arrived };
	struct agent *a = (struct agent *)p;

	put_said(a);
	stream_start(&a->stream, &kind);
}

const struct probe_type probe_agent = {
	.name = "agent",
	.bytes = sizeof(struct agent),
	.start = agent_start,
	.cancel = stream_cancel,
};
