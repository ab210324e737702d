/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From results of checks to "is it up?". Pure.
 *
 *                  ok                     failed (fall = 1: down)
 *   unknown ------------->  up  ------------------------> going_down
 *      |                   ^  ^                             |   |
 *      | failed            |  '------------ ok -------------'   | fall failed in a row
 *      v                   | rise ok in a row                   v
 *     down <---------------+-------------------------------- down
 *        '---- ok ----> going_up ---- failed ----> down
 *
 * The first result decides alone. A backend is out of use while down and going_up, and, with
 * "initial": "down", while unknown. What the operator wants lies over it: draining (weight 0: no
 * new connections, still checked), and disabled (not checked at all).
 */
#ifndef FNAT_HEALTH_MACHINE_H
#define FNAT_HEALTH_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum health_state {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_GOING_DOWN,
	HEALTH_DOWN,
	HEALTH_GOING_UP,
	HEALTH_DRAINING, /* only as machine_shown() says it */
	HEALTH_DISABLED, /* as well */
};

/* "unknown", "up", "going_down", ...; static. */
const char *health_state_name(enum health_state state);

struct machine_rule {
	uint32_t rise, fall; /* at least 1 */
	bool is_initially_down;
};

/* All zero: unknown. */
struct machine {
	enum health_state state; /* one of the first five */
	uint32_t in_a_row;       /* results that speak for the other state; 0 in up and down */
};

/* A result came in. True: the state is another now. */
bool machine_result(struct machine *m, const struct machine_rule *rule, bool is_ok);

/* Gets no new connections. */
bool machine_is_down(const struct machine *m, const struct machine_rule *rule);

/* Results that are still needed to leave a state of transition; 0 in the others. */
uint32_t machine_needed(const struct machine *m, const struct machine_rule *rule);

/* Between two states, so that checks come faster. */
bool machine_is_in_transition(const struct machine *m);

enum health_state machine_shown(const struct machine *m, bool is_draining, bool is_disabled);

#endif
