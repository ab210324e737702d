/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan/threshold.h"

uint32_t threshold_lower(const struct backend *b)
{
	return b->min_connections ? b->min_connections
				  : (uint32_t)((3ull * b->max_connections + 3) / 4);
}

bool threshold_is_full(const struct backend *b, uint32_t open, bool was_full)
{
	if (b->max_connections == 0)
		return false;
	return open >= (was_full ? threshold_lower(b) : b->max_connections);
}
