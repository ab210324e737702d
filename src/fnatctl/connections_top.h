/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who has the most connections.
 */
#ifndef FNAT_FNATCTL_CONNECTIONS_TOP_H
#define FNAT_FNATCTL_CONNECTIONS_TOP_H

#include <jansson.h>

struct top;

/* what: "clients", "backends" or "services". */
struct top *top_new(const char *what);
void top_free(struct top *t);

/* A connection as the API shows it. */
void top_add(struct top *t, const json_t *connection);

/*
 * The `most` largest: [{"client": "198.51.100.7", "connections": 3, "inbytes", "outbytes"}]; the
 * first member is named client, backend or service. The caller owns it.
 */
json_t *top_result(struct top *t, size_t most);

#endif
