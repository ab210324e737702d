/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Most of what goes wrong with a balancer is not the balancer: a sysctl, a firewall, an address
 * that nobody answers for. Each check looks at one such thing where the kernel itself can tell, and
 * says the command that mends it. A check that cannot look (no permission, no module) says nothing:
 * a finding must be worth reading. Nothing is ever changed here.
 */
#include "kernel/preflight.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "kernel/preflight_check.h"

static const struct preflight_check {
	const char *id;
	void (*run)(struct preflight *pf);
} checks[] = {
	{ "kernel", check_kernel },
	{ "features", check_features }, /* which loads modules: the settings are theirs */
	{ "settings", check_settings },
	{ "conntrack-table", check_conntrack_table },
	{ "rp-filter", check_rp_filter },
	{ "firewalls", check_firewalls },
	{ "foreign-nat", check_foreign_nat },
	{ "legacy-tables", check_legacy_tables },
	{ "virtual-addresses", check_virtual_addresses },
	{ "pools", check_pools },
	{ "backends", check_backends },
	{ "sockets", check_sockets },
	{ "answers", check_answers },
	{ "mtu", check_mtu },
	{ "limits", check_limits },
	{ "configuration", check_configuration },
};

const char *severity_name(enum severity s)
{
	switch (s) {
	case SEVERITY_INFO:
		return "info";
	case SEVERITY_WARNING:
		return "warning";
	case SEVERITY_ERROR:
		return "error";
	}
	return "error";
}

void findings_fini(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].what);
		free(f->items[i].why);
		free(f->items[i].remedy);
	}
	free(f->items);
	free(f->checked);
	*f = (struct findings){ 0 };
}

struct finding *findings_add(struct findings *f, const char *id, enum severity severity)
{
	VEC_PUSH(f->items, f->n, f->cap) = (struct finding){ .id = id, .severity = severity };
	return &f->items[f->n - 1];
}

struct finding *preflight_find(struct preflight *pf, const char *id, enum severity severity)
{
	return findings_add(pf->out, id, severity);
}

json_t *findings_to_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->n; i++) {
		const struct finding *f = &findings->items[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", f->id,
						"severity", severity_name(f->severity), "what",
						f->what, "why", f->why, "remedy", f->remedy));
	}
	return list;
}

json_t *findings_checked_to_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < findings->n_checked; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}", "id", findings->checked[i].id,
						      "findings",
						      (json_int_t)findings->checked[i].n_findings));
	return list;
}

void list_add(struct list *l, const char *fmt, ...)
{
	char item[256], *text;
	va_list ap;

	if (l->n++ >= PREFLIGHT_NAMED_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(item, sizeof(item), fmt, ap);
	va_end(ap);
	text = l->text ? mem_printf("%s, %s", l->text, item) : mem_strdup(item);
	free(l->text);
	l->text = text;
}

char *list_take(struct list *l)
{
	char *text = l->text;

	if (l->n > PREFLIGHT_NAMED_MAX) {
		text = mem_printf("%s and %zu more", l->text, l->n - PREFLIGHT_NAMED_MAX);
		free(l->text);
	}
	*l = (struct list){ 0 };
	return text;
}

static void find_families(struct preflight *pf)
{
	pf->needs4 = pf->needs6 = pf->in->is_before_start && pf->in->n_services == 0;
	for (size_t i = 0; i < pf->in->n_services && !(pf->needs4 && pf->needs6); i++) {
		const struct service *s = pf->in->services[i];

		for (size_t j = 0; j < s->n_listeners; j++)
			if (s->listeners[j].address.family == AF_INET)
				pf->needs4 = true;
			else
				pf->needs6 = true;
	}
}

/* Worst first, as they were found otherwise. */
static void sort_findings(struct findings *f)
{
	for (size_t i = 1; i < f->n; i++) {
		struct finding x = f->items[i];
		size_t j = i;

		for (; j > 0 && f->items[j - 1].severity < x.severity; j--)
			f->items[j] = f->items[j - 1];
		f->items[j] = x;
	}
}

void preflight_run(const struct preflight_input *in, struct findings *out)
{
	struct preflight pf = { .in = in, .out = out };
	struct err err = ERR_INIT;

	if (route_open(&pf.route, &err) < 0)
		log_warn("preflight", "addresses and routes are not checked: %s", err_text(&err));
	err_fini(&err);
	find_families(&pf);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		size_t before = out->n;

		checks[i].run(&pf);
		VEC_PUSH(out->checked, out->n_checked, out->cap_checked) =
			(struct checked){ checks[i].id, out->n - before };
		log_debug("preflight", "%s: %zu findings", checks[i].id, out->n - before);
	}
	sort_findings(out);
	route_close(pf.route);
}
