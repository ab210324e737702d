/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells backends who their clients are, over UDP and TCP: a line of text is asked, a line is
 * answered (fnat-api(7), "The answerer"):
 *
 *	tcp 10.1.0.50:40312 10.1.0.11:8080
 *	ok 198.51.100.7:40000 192.0.2.10:80 web
 *
 * It only reads. Whoever is not in a prefix that was allowed gets no answer.
 */
#ifndef FNAT_API_ANSWERER_H
#define FNAT_API_ANSWERER_H

#include <event2/event.h>

#include "api/origin.h"
#include "engine/engine.h"

/* Connections over TCP at a time; another one is closed at once. */
#define ANSWERER_CONNECTIONS_MAX 64
/* Of a question, without its newline. */
#define ANSWERER_LINE_MAX 256
/* A connection without a question, or whose client does not read, is closed. */
#define ANSWERER_IDLE_S       60
#define ANSWERER_PREFIXES_MAX 64

struct answerer;

/*
 * address: "10.1.0.1:4040", "[fd00:1::1]:4040". allow: prefixes, ranges and addresses with commas
 * between. The origin is borrowed. Errors name what is wrong (ERR_INVALID, ERR_SYSTEM).
 */
int answerer_new(struct event_base *base, struct engine *e, struct origin *o, const char *address,
		 const char *allow, struct answerer **out, struct err *err);
void answerer_free(struct answerer *a); /* NULL is fine */

/* A question of the form above; what is not one: -EINVAL. */
int answerer_parse(const char *line, uint8_t *protocol, struct flow_end *local,
		   struct flow_end *backend);

#endif
