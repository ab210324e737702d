/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stats/session.h"

#include <inttypes.h>

#include "stats/flow_json.h"
#include "stats/flow_state.h"
#include "stats/meter.h"

static const char *end_name(const struct flow *f)
{
	switch (flow_end_of(f)) {
	case END_REFUSED:
		return "refused";
	case END_TIMED_OUT:
		return "timed_out";
	case END_FAILED:
		return "failed";
	case N_ENDS:
		break;
	}
	return "ok";
}

static void put_ms(const char *name, uint64_t ns, FILE *out)
{
	if (ns)
		fprintf(out, "\"%s\":%" PRIu64 ",", name, ns / 1000000);
	else
		fprintf(out, "\"%s\":null,", name);
}

void session_put(const struct session *s, FILE *out)
{
	const struct flow *f = &s->flow;
	uint64_t end_ns = f->stop_ns ? f->stop_ns : s->told_ns;

	fputc('{', out);
	put_ms("end_ms", end_ns, out);
	put_ms("start_ms", f->start_ns, out);
	if (f->start_ns && end_ns >= f->start_ns)
		fprintf(out, "\"duration_ms\":%" PRIu64 ",", (end_ns - f->start_ns) / 1000000);
	else
		fputs("\"duration_ms\":null,", out);
	flow_put_ends(f, s->service, *s->backend ? s->backend : NULL, out);
	fprintf(out, ",\"state\":\"%s\",\"end\":\"%s\",", flow_state_name(f), end_name(f));
	flow_put_counters(f, out);
	fputs("}\n", out);
}
