/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries that others have translated, and those of a service that is gone, are nobody's: what is
 * told is what the model says.
 */
#include "api/origin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/ct_query.h"

struct origin {
	struct ct_lookup *lookup; /* NULL: not open */
};

typedef int lookup_fn(struct ct_lookup *l, uint8_t protocol, const struct flow_end *a,
		      const struct flow_end *b, struct flow *out);

struct origin *origin_new(void)
{
	return mem_zalloc(sizeof(struct origin));
}

void origin_free(struct origin *o)
{
	if (!o)
		return;
	ct_lookup_close(o->lookup);
	free(o);
}

static int ask(struct origin *o, lookup_fn *fn, uint8_t protocol, const struct flow_end *a,
	       const struct flow_end *b, struct flow *out, struct err *err)
{
	int code = o->lookup ? 0 : ct_lookup_open(&o->lookup, err);

	if (code < 0)
		return code;
	code = fn(o->lookup, protocol, a, b, out);
	if (code < 0)
		return err_add(err, ERR_KERNEL, code, NULL,
			       "asking conntrack: %s; is nf_conntrack_netlink loaded?",
			       strerror(-code));
	return code == 1 && (out->status & FLOW_FULLNAT) == FLOW_FULLNAT ? 0 : -ENOENT;
}

static int find_owner(const struct model *m, const struct flow *f, struct flow_owner *owner)
{
	struct listener at = flow_listener(f);

	owner->service = model_listener(m, &at);
	if (!owner->service)
		return -ENOENT;
	owner->backend =
		service_backend_at(owner->service, at.port, &f->backend.address, f->backend.port);
	return 0;
}

int origin_of_local(struct origin *o, const struct model *m, uint8_t protocol,
		    const struct flow_end *backend, const struct flow_end *local, struct flow *out,
		    struct flow_owner *owner, struct err *err)
{
	int code = ask(o, ct_lookup_local, protocol, backend, local, out, err);

	return code < 0 ? code : find_owner(m, out, owner);
}

int origin_of_client(struct origin *o, const struct model *m, uint8_t protocol,
		     const struct flow_end *client, const struct flow_end *to, struct flow *out,
		     struct flow_owner *owner, struct err *err)
{
	int code = ask(o, ct_lookup_client, protocol, client, to, out, err);

	return code < 0 ? code : find_owner(m, out, owner);
}
