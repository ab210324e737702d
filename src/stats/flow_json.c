/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Written by hand and not through a tree of values: there may be a million of them. Nothing needs
 * an escape: names are of letters, digits and "._-" (model.h), all else is made here.
 */
#include "stats/flow_json.h"

#include <inttypes.h>

#include "model/model.h"

void flow_put_end(const struct flow_end *end, FILE *out)
{
	char address[ADDR_STRLEN];

	fprintf(out, "{\"address\":\"%s\",\"port\":%u}", addr_format(&end->address, address),
		end->port);
}

static void put_named_end(const char *name, const struct flow_end *end, FILE *out)
{
	fprintf(out, ",\"%s\":", name);
	flow_put_end(end, out);
}

void flow_put_ends(const struct flow *f, const char *service, const char *backend, FILE *out)
{
	const char *protocol = protocol_name(f->protocol);
	char address[ADDR_STRLEN];

	fprintf(out, "\"service\":\"%s\",\"backend\":{\"name\":", service);
	fprintf(out, backend ? "\"%s\"" : "null", backend);
	fprintf(out, ",\"address\":\"%s\",\"port\":%u}", addr_format(&f->backend.address, address),
		f->backend.port);
	fprintf(out, ",\"protocol\":\"%s\"", protocol ? protocol : "");
	put_named_end("client", &f->client, out);
	put_named_end("virtual", &f->to, out);
	put_named_end("local", &f->local, out);
}

void flow_put_counters(const struct flow *f, FILE *out)
{
	if (!f->has_counters) {
		fputs("\"inpkts\":null,\"outpkts\":null,\"inbytes\":null,\"outbytes\":null", out);
		return;
	}
	fprintf(out,
		"\"inpkts\":%" PRIu64 ",\"outpkts\":%" PRIu64 ",\"inbytes\":%" PRIu64
		",\"outbytes\":%" PRIu64,
		f->packets_in, f->packets_out, f->bytes_in, f->bytes_out);
}
