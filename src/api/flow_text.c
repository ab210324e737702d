/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "api/flow_text.h"

#include <inttypes.h>

#include "stats/flow_filter.h"
#include "stats/flow_json.h"
#include "stats/flow_state.h"

struct listener flow_listener(const struct flow *f)
{
	const struct flow_end *to = f->master_to.address.family ? &f->master_to : &f->to;

	return (struct listener){ .address = to->address,
				  .port = to->port,
				  .protocol = f->protocol };
}

void flow_put_json(const struct flow *f, const struct flow_owner *owner, uint64_t now_ns, FILE *out)
{
	int64_t age = flow_age_s(f, now_ns);

	fputc('{', out);
	flow_put_ends(f, owner->service->name, owner->backend ? owner->backend->name : NULL, out);
	fprintf(out, ",\"state\":\"%s\",\"age_s\":", flow_state_name(f));
	fprintf(out, age < 0 ? "null," : "%" PRId64 ",", age);
	flow_put_counters(f, out);
	fputc('}', out);
}
