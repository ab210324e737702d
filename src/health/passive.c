/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections fail in bursts, and a backend that is out of use has none at all, so there is nothing
 * to count successes of: it is simply tried again. What tells a backend that recovered from one
 * that did not is whether it lasts as long as it was out of use.
 */
#include "health/passive.h"

static uint64_t next_inhibit_us(const struct passive *p, const struct passive_rule *rule,
				uint64_t now_us)
{
	uint64_t next_us = 2 * p->inhibit_us;

	if (p->inhibit_us == 0 || now_us - p->until_us > p->inhibit_us)
		return rule->inhibit_us;
	return next_us < rule->inhibit_max_us ? next_us : rule->inhibit_max_us;
}

bool passive_failed(struct passive *p, const struct passive_rule *rule, uint64_t now_us)
{
	if (p->is_down) /* one that began before */
		return false;
	if (p->n_failed == 0 || now_us - p->first_us > rule->window_us) {
		p->n_failed = 0;
		p->first_us = now_us;
	}
	if (++p->n_failed < rule->failures)
		return false;
	p->inhibit_us = next_inhibit_us(p, rule, now_us);
	p->until_us = now_us + p->inhibit_us;
	p->n_failed = 0;
	p->is_down = true;
	return true;
}

void passive_answered(struct passive *p)
{
	p->n_failed = 0;
}

void passive_over(struct passive *p)
{
	p->is_down = false;
	p->n_failed = 0;
}
