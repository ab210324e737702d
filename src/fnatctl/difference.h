/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between two JSON values, field by field.
 *
 *	{"backends":{"b1":{"weight":1}}}  {"backends":{"b1":{"weight":5}}}
 *		"backends.b1.weight", 1, 5
 *
 * Objects are opened, also those that are on one side only, down to members
 * that are no objects. Arrays are compared as sets: an item that is on one
 * side only differs; when they hold the same in another order, the arrays do.
 */
#ifndef FNAT_FNATCTL_DIFFERENCE_H
#define FNAT_FNATCTL_DIFFERENCE_H

#include <jansson.h>

/* path: of the member, "" for the values themselves. before, after: NULL when not there. All are
 * borrowed. */
typedef void difference_fn(void *arg, const char *path, const json_t *before, const json_t *after);

/* Calls found() for each difference, in order of the members' names. before, after: NULL: nothing.
 */
void difference_find(const json_t *before, const json_t *after, difference_fn *found, void *arg);

#endif
