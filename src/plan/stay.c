/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/stay.h"

bool backend_takes_known(const struct service *s, const struct backend *b)
{
	switch ((enum backend_known)b->known) {
	case KNOWN_BY_WEIGHT:
		break;
	case KNOWN_STAY:
		return true;
	case KNOWN_LEAVE:
		return false;
	}
	return b->weight > 0 || s->persistence.keep_draining;
}

const struct backend *backend_of_entry(const struct service *s, const struct addr *to,
				       uint16_t port)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];

		if ((port == 0 || b->port == port) && addr_equal(&b->address, to))
			return b;
	}
	return NULL;
}

bool entries_may_be_stale(const struct service *before, const struct service *after)
{
	if (!after || after->persistence.timeout_s == 0)
		return false;
	if (!before || before->persistence.timeout_s == 0)
		return true;
	for (size_t i = 0; i < before->n_backends; i++) {
		const struct backend *was = &before->backends[i], *is;

		if (!backend_takes_known(before, was))
			continue;
		is = backend_of_entry(after, &was->address, was->port);
		if (!is || !backend_takes_known(after, is))
			return true;
	}
	return false;
}
