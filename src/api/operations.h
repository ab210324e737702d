/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a dry run is answered with:
 *
 *	{"generation":17,"dry_run":true,"operations":[{"stage":1,"op":"add element",
 *	 "text":"add element inet fnat ..."}, ...]}
 *
 * Streamed: a whole configuration has as many operations as the table has elements.
 */
#ifndef FNAT_API_OPERATIONS_H
#define FNAT_API_OPERATIONS_H

#include "api/call.h"
#include "plan/image.h"

/* Answers the call. Takes over what is in *ops. */
void operations_answer(struct call *c, struct ops *ops, uint64_t generation);

#endif
