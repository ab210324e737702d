/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A service as text. To build the values of 10,000 services with 10 backends and to write them out
 * takes ten times as long as to send the text.
 */
#include <stdlib.h>

#include "model/json.h"

static char *text_of(const struct service *s)
{
	json_t *value = service_to_json(s);
	char *text = json_dumps(value, JSON_COMPACT);

	json_decref(value);
	if (!text)
		abort(); /* no memory */
	return text;
}

const char *service_text(const struct service *s)
{
	struct service *keeper = (struct service *)s; /* what a reader sees of it does not change */
	char *text = __atomic_load_n(&keeper->text, __ATOMIC_ACQUIRE), *other = NULL;

	if (text)
		return text;
	text = text_of(s);
	if (__atomic_compare_exchange_n(&keeper->text, &other, text, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return text;
	free(text); /* another thread was faster */
	return other;
}
