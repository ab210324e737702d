/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is behind a local address: from conntrack, one question to the kernel. It answers in the
 * call, some 10 us whatever the number of connections, so the loop asks by itself.
 */
#ifndef FNAT_API_ORIGIN_H
#define FNAT_API_ORIGIN_H

#include "api/flow_text.h"
#include "base/err.h"

struct origin;

/* Opens nothing yet. */
struct origin *origin_new(void);
void origin_free(struct origin *o);

/*
 * The connection that the backend sees as coming from local, and whose it is (borrowed from the
 * model). 0; -ENOENT: none of a service's; or another negative errno, with err.
 */
int origin_of_local(struct origin *o, const struct model *m, uint8_t protocol,
		    const struct flow_end *backend, const struct flow_end *local, struct flow *out,
		    struct flow_owner *owner, struct err *err);
/* The same by what the client sees. */
int origin_of_client(struct origin *o, const struct model *m, uint8_t protocol,
		     const struct flow_end *client, const struct flow_end *to, struct flow *out,
		     struct flow_owner *owner, struct err *err);

#endif
