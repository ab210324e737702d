/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel has what fnat's programs need is asked of the kernel: it is shown the rules of
 * a configuration that uses every scheduler, in a batch without an end, which it judges like any
 * other and then takes back. A list of modules or of options would have to be kept up with both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nft.h"
#include "kernel/preflight_check.h"
#include "model/json.h"
#include "plan/plan.h"

/* A service of each scheduler, for both families. The caller frees it. */
static char *sample_text(void)
{
	const char *name;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		abort(); /* out of memory, as in mem.c */
	fputs("{\"pools\":{\"p\":{\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"]}},\"services\":{",
	      f);
	for (size_t i = 0; (name = scheduler_name(i)); i++)
		fprintf(f,
			"%s\"%s\":{\"pool\":\"p\",\"scheduler\":\"%s\",\"listeners\":["
			"{\"address\":\"192.0.2.2\",\"protocol\":\"tcp\",\"port\":%zu},"
			"{\"address\":\"2001:db8::2\",\"protocol\":\"udp\",\"port\":%zu}],"
			"\"backends\":{\"a\":{\"address\":\"192.0.2.3\"},"
			"\"b\":{\"address\":\"2001:db8::3\"}}}",
			i ? "," : "", name, name, i + 1, i + 1);
	fputs("}}", f);
	fclose(f);
	return text;
}

/* What makes the kernel's table of a configuration. */
static void plan_ops(const struct config *c, struct ops *ops)
{
	struct model *m = model_new();
	struct changes changes = { 0 };
	struct plan *p = plan_new(1);
	struct image have, want;
	struct ops planned;

	image_init(&have);
	image_init(&want);
	ops_init(&planned);
	config_changes(c, m, &changes);
	plan_change(p, &changes, &planned);
	plan_commit(p);
	plan_image(p, &want);
	image_diff(&have, &want, ops);
	ops_fini(&planned);
	image_fini(&want);
	image_fini(&have);
	plan_free(p);
	changes_fini(&changes);
	model_free(m);
}

static void find_refused(struct preflight *pf, const char *what)
{
	struct finding *f = preflight_find(pf, "kernel-feature-missing", SEVERITY_ERROR);

	f->what = mem_strdup(what);
	f->why = mem_strdup("fnatd cannot start without it");
	f->remedy = mem_strdup("boot a kernel with nf_tables and all of its modules: apt install "
			       "linux-image-amd64; in a container, load them outside: modprobe -a "
			       "nf_tables nft_chain_nat nft_ct nft_nat nft_numgen nft_hash "
			       "nft_reject_inet, for limits nft_connlimit and up to Linux 6.1 "
			       "nft_objref");
}

void check_features(struct preflight *pf)
{
	struct err err = ERR_INIT;
	char *text;
	struct config c;
	struct ops ops;

	if (!pf->in->is_before_start)
		return; /* the daemon runs: the kernel took them */
	text = sample_text();
	ops_init(&ops);
	if (config_parse(text, strlen(text), &c, &err) == 0) {
		plan_ops(&c, &ops);
		if (nft_try(&ops.stage[0], &err) < 0 && err.kind == ERR_KERNEL)
			find_refused(pf, err_text(&err));
		config_fini(&c);
	}
	ops_fini(&ops);
	err_fini(&err);
	free(text);
}
