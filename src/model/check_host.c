/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check_host.h"

#include <ctype.h>

bool check_is_host_name(const char *name, size_t len)
{
	bool is_number = true; /* the last label: then it is an address */
	size_t label = 0;

	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '.') {
			if (label == 0 || i + 1 == len)
				return false;
			label = 0;
			is_number = true;
			continue;
		}
		if ((!isalnum(c) && c != '-' && c != '_') || c > 127 || ++label > 63)
			return false;
		is_number = is_number && isdigit(c);
	}
	return !is_number;
}
