/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The diagram of the header as a table: where a result leads at once, and where it leads when it
 * completes the number in a row that is asked for.
 */
#include "health/machine.h"

static const char *const names[] = {
	[HEALTH_UNKNOWN] = "unknown",       [HEALTH_UP] = "up",
	[HEALTH_GOING_DOWN] = "going_down", [HEALTH_DOWN] = "down",
	[HEALTH_GOING_UP] = "going_up",     [HEALTH_DRAINING] = "draining",
	[HEALTH_DISABLED] = "disabled",
};

struct step {
	enum health_state next;     /* while there are too few in a row */
	enum health_state complete; /* once there are enough */
	bool counts;                /* this result speaks against where we are */
};

static const struct step steps[][2] = {
	/*                      failed                                        ok */
	[HEALTH_UNKNOWN] = { { HEALTH_DOWN, HEALTH_DOWN, false }, { HEALTH_UP, HEALTH_UP, false } },
	[HEALTH_UP] = { { HEALTH_GOING_DOWN, HEALTH_DOWN, true }, { HEALTH_UP, HEALTH_UP, false } },
	[HEALTH_GOING_DOWN] = { { HEALTH_GOING_DOWN, HEALTH_DOWN, true },
				{ HEALTH_UP, HEALTH_UP, false } },
	[HEALTH_DOWN] = { { HEALTH_DOWN, HEALTH_DOWN, false },
			  { HEALTH_GOING_UP, HEALTH_UP, true } },
	[HEALTH_GOING_UP] = { { HEALTH_DOWN, HEALTH_DOWN, false },
			      { HEALTH_GOING_UP, HEALTH_UP, true } },
};

const char *health_state_name(enum health_state state)
{
	return names[state];
}

bool machine_result(struct machine *m, const struct machine_rule *rule, bool is_ok)
{
	const struct step *step = &steps[m->state][is_ok];
	enum health_state before = m->state;

	if (!step->counts) {
		m->in_a_row = 0;
		m->state = step->next;
	} else if (++m->in_a_row >= (is_ok ? rule->rise : rule->fall)) {
		m->in_a_row = 0;
		m->state = step->complete;
	} else {
		m->state = step->next;
	}
	return m->state != before;
}

bool machine_is_down(const struct machine *m, const struct machine_rule *rule)
{
	return m->state == HEALTH_DOWN || m->state == HEALTH_GOING_UP ||
	       (m->state == HEALTH_UNKNOWN && rule->is_initially_down);
}

uint32_t machine_needed(const struct machine *m, const struct machine_rule *rule)
{
	if (m->state == HEALTH_GOING_DOWN)
		return rule->fall > m->in_a_row ? rule->fall - m->in_a_row : 1;
	if (m->state == HEALTH_GOING_UP)
		return rule->rise > m->in_a_row ? rule->rise - m->in_a_row : 1;
	return 0;
}

bool machine_is_in_transition(const struct machine *m)
{
	return m->state == HEALTH_GOING_DOWN || m->state == HEALTH_GOING_UP;
}

enum health_state machine_shown(const struct machine *m, bool is_draining, bool is_disabled)
{
	if (is_disabled)
		return HEALTH_DISABLED;
	if (is_draining && m->state != HEALTH_DOWN && m->state != HEALTH_GOING_UP)
		return HEALTH_DRAINING;
	return m->state;
}
