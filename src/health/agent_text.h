/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an agent says: HAProxy's agent-check (its configuration manual, "agent-check"), one line of
 * words with blanks or commas between: "75%", "up", "down", "maxconn:30", "drain #deploying".
 * Pure.
 */
#ifndef FNAT_HEALTH_AGENT_TEXT_H
#define FNAT_HEALTH_AGENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "health/probe.h"

/* Longest percentage: of the configured weight. */
#define AGENT_PERCENT_MAX 9999

enum agent_state { AGENT_UNSAID, AGENT_UP, AGENT_DOWN };

/* What an agent has said. What a line does not say stays as it was. */
struct agent_said {
	int percent; /* -1: it never said */
	enum agent_state state;
	enum probe_order order;
};

/*
 * Takes one line, without its end, which is whatever came from the network. Returns how many of
 * its words were understood; of the first that was not, a copy in `unknown`, or "".
 */
size_t agent_take(struct agent_said *said, const char *line, size_t len,
		  char unknown[PROBE_REASON_BYTES]);

#endif
