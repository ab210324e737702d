/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building JSON of the model. Inside of the model: only src/model/ includes this. */
#ifndef FNAT_MODEL_PUT_H
#define FNAT_MODEL_PUT_H

#include <jansson.h>
#include <stdlib.h>

/* No memory ends the program, as in mem.c: nothing of the model is invalid UTF-8. */
static inline json_t *checked(json_t *value)
{
	if (!value)
		abort();
	return value;
}

/* The object owns the value from now on. */
static inline void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new_nocheck(object, key, checked(value));
}

#endif
