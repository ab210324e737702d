/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A check in JSON is one flat object: the fields of all checks, and those of its type. The type
 * is read first, because it decides which fields there are.
 */
#include "model/service_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "model/check_field.h"
#include "model/check_types.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define INTERVAL_MIN_MS 10
#define INTERVAL_MAX_MS 86400000
#define TIMEOUT_MAX_MS  3600000
#define COUNT_MAX       1000 /* of rise and fall */
#define JITTER_MAX      50

static const char *const initials[] = {
	[CHECK_INITIAL_UP] = "up",
	[CHECK_INITIAL_DOWN] = "down",
	NULL,
};

static const char *const observes[] = {
	[CHECK_OBSERVE_OFF] = "off",
	[CHECK_OBSERVE_CONNECTIONS] = "connections",
	NULL,
};

static void type_read(struct reader *r, const struct at *at, const json_t *value,
		      const struct check_field *row, void *field);
static bool type_equal(const void *a, const void *b);
static json_t *type_to_json(const struct check_field *row, const void *field);

static const struct check_kind check_type_kind = {
	.read = type_read,
	.equal = type_equal,
	.to_json = type_to_json,
};

#define AT(member) offsetof(struct check, member)

#define NUMBER(member, lowest, highest, standard)                                                  \
	.kind = &check_number, .offset = AT(member), .min = (lowest), .max = (highest),            \
	.number = (standard)

static const struct check_field check_fields[] = {
	{ "type", true, .kind = &check_type_kind, .offset = AT(type) },
	{ "interval_ms", false, NUMBER(interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, 2000) },
	{ "fast_interval_ms", false,
	  NUMBER(fast_interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, 0) },
	{ "down_interval_ms", false,
	  NUMBER(down_interval_ms, INTERVAL_MIN_MS, INTERVAL_MAX_MS, 0) },
	{ "timeout_ms", false, NUMBER(timeout_ms, 1, TIMEOUT_MAX_MS, 1000) },
	{ "rise", false, NUMBER(rise, 1, COUNT_MAX, 2) },
	{ "fall", false, NUMBER(fall, 1, COUNT_MAX, 3) },
	{ "initial", false, .kind = &check_word, .offset = AT(initial), .words = initials },
	{ "jitter_percent", false, NUMBER(jitter_percent, 0, JITTER_MAX, 5) },
	{ "port", false, NUMBER(port, 1, UINT16_MAX, 0) },
	{ "address", false, .kind = &check_address, .offset = AT(address) },
	{ "source", false, .kind = &check_address, .offset = AT(source) },
	{ "observe", false, .kind = &check_word, .offset = AT(observe), .words = observes },
	{ "observe_failures", false, NUMBER(observe_failures, 1, COUNT_MAX, 5) },
	{ "observe_window_ms", false, NUMBER(observe_window_ms, 1, INTERVAL_MAX_MS, 10000) },
	{ "observe_udp", false, .kind = &check_flag, .offset = AT(does_observe_udp) },
	{ "inhibit_s", false, NUMBER(inhibit_s, 1, 86400, 5) },
	{ "inhibit_max_s", false, NUMBER(inhibit_max_s, 1, 86400, 3600) },
	{ "flap_count", false, NUMBER(flap_count, 0, COUNT_MAX, 0) },
	{ "flap_window_s", false, NUMBER(flap_window_s, 1, 86400, 60) },
};

static const struct check_type *type_by_name(const char *name)
{
	const struct check_type *type;

	for (size_t i = 0; (type = check_type_at(i)); i++) {
		if (strcmp(type->name, name) == 0)
			return type;
	}
	return NULL;
}

static void type_read(struct reader *r, const struct at *at, const json_t *value,
		      const struct check_field *row, void *field)
{
	const char *name = json_string_value(value);
	const struct check_type *type = name ? type_by_name(name) : NULL;
	char *known = mem_strdup("");

	(void)row;
	if (type)
		*(const struct check_type **)field = type;
	for (size_t i = 0; !type && check_type_at(i); i++) {
		char *more = mem_printf("%s%s\"%s\"", known, i ? ", " : "", check_type_at(i)->name);

		free(known);
		known = more;
	}
	if (!type)
		problem(r, at, value, "expected one of %s", known);
	free(known);
}

static bool type_equal(const void *a, const void *b)
{
	return *(const struct check_type *const *)a == *(const struct check_type *const *)b;
}

static json_t *type_to_json(const struct check_field *row, const void *field)
{
	(void)row;
	return json_string_nocheck((*(const struct check_type *const *)field)->name);
}

static struct check *check_new(const struct check_type *type)
{
	struct check *c = mem_zalloc(sizeof(*c));

	c->refs = 1;
	check_fields_init(check_fields, ARRAY_SIZE(check_fields), c);
	c->type = type;
	if (type->options_bytes) {
		c->options = mem_zalloc(type->options_bytes);
		check_fields_init(type->fields, type->n_fields, c->options);
		check_fields_init(type->more_fields, type->n_more_fields, c->options);
	}
	return c;
}

static const struct check_field *find_field(const struct check_field *rows, size_t n,
					    const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

/* A field of the options of a type. */
static const struct check_field *option_field(const struct check_type *type, const char *name)
{
	const struct check_field *row = find_field(type->fields, type->n_fields, name);

	return row ? row : find_field(type->more_fields, type->n_more_fields, name);
}

/* Types that have the field, "http, https"; NULL where none has. The caller frees it. */
static char *types_with(const char *field)
{
	const struct check_type *type;
	char *list = NULL;

	for (size_t i = 0; (type = check_type_at(i)); i++) {
		char *more;

		if (!option_field(type, field))
			continue;
		more = list ? mem_printf("%s, %s", list, type->name) : mem_strdup(type->name);
		free(list);
		list = more;
	}
	return list;
}

static void unknown_field(struct reader *r, const struct at *up, const char *key,
			  const struct check_type *type)
{
	struct at at = { .up = up, .key = key, .what = "unknown field", .name = key };
	struct suggest suggest = suggest_for(key);
	char *types = types_with(key);

	for (size_t i = 0; i < ARRAY_SIZE(check_fields); i++)
		suggest_offer(&suggest, check_fields[i].name);
	for (size_t i = 0; i < type->n_fields; i++)
		suggest_offer(&suggest, type->fields[i].name);
	for (size_t i = 0; i < type->n_more_fields; i++)
		suggest_offer(&suggest, type->more_fields[i].name);
	if (types)
		problem(r, &at, NULL, "only checks of type %s have it, not %s", types, type->name);
	else if (suggest.best)
		problem(r, &at, NULL, "did you mean \"%s\"?", suggest.best);
	else
		problem(r, &at, NULL, "not a field of a check of type %s", type->name);
	free(types);
}

static void read_field(struct reader *r, const struct at *at, const char *key, const json_t *value,
		       struct check *c)
{
	const struct check_field *row = find_field(check_fields, ARRAY_SIZE(check_fields), key);
	struct at at_field = at_member(at, key);
	void *base = c;

	if (!row) {
		row = option_field(c->type, key);
		base = c->options;
	}
	if (row)
		row->kind->read(r, &at_field, value, row, (char *)base + row->offset);
	else
		unknown_field(r, at, key, c->type);
}

static void read_fields(struct reader *r, const struct at *at, const json_t *value, struct check *c)
{
	size_t n_before = r->n_problems;
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)value, key, member) {
		read_field(r, at, key, member, c);
	}
	for (size_t i = 0; i < c->type->n_fields; i++) {
		const struct check_field *row = &c->type->fields[i];
		struct at at_field = at_member(at, row->name);

		if (row->is_required && !json_object_get(value, row->name))
			problem(r, &at_field, NULL, "required, but missing");
	}
	if (r->n_problems == n_before && c->type->verify)
		c->type->verify(r, at, c->options);
}

const struct check *check_read(struct reader *r, const struct at *up, const json_t *value)
{
	const json_t *type_value = json_object_get(value, "type");
	struct at at = *up, at_type = at_member(&at, "type");
	const struct check_type *type = NULL;
	size_t n_before = r->n_problems;
	struct check *c;

	if (!json_is_object(value))
		problem(r, &at, value, "expected an object");
	else if (!type_value)
		problem(r, &at_type, NULL, "required, but missing");
	else
		type_read(r, &at_type, type_value, NULL, &type);
	if (!type)
		return NULL;
	at.what = "check";
	at.name = type->name;
	c = check_new(type);
	read_fields(r, &at, value, c);
	if (r->n_problems == n_before)
		return c;
	check_unref(c);
	return NULL;
}

/* Those that an agent beside a check has, as a check of type agent has them: what it says is no
 * measurement, so there is nothing to count. */
static const struct check_field agent_fields[] = {
	{ "port", true, .kind = NULL },        { "address", false, .kind = NULL },
	{ "source", false, .kind = NULL },     { "interval_ms", false, .kind = NULL },
	{ "timeout_ms", false, .kind = NULL }, { "jitter_percent", false, .kind = NULL },
	{ "send", false, .kind = NULL },
};

static void unknown_agent_field(struct reader *r, const struct at *up, const char *key)
{
	struct at at = { .up = up, .key = key, .what = "unknown field", .name = key };
	struct suggest suggest = suggest_for(key);

	for (size_t i = 0; i < ARRAY_SIZE(agent_fields); i++)
		suggest_offer(&suggest, agent_fields[i].name);
	if (suggest.best)
		problem(r, &at, NULL, "did you mean \"%s\"?", suggest.best);
	else
		problem(r, &at, NULL, "not a field of an agent");
}

static void read_agent_fields(struct reader *r, const struct at *at, const json_t *value,
			      struct check *c)
{
	const char *key;
	json_t *member;

	json_object_foreach ((json_t *)value, key, member) {
		if (find_field(agent_fields, ARRAY_SIZE(agent_fields), key))
			read_field(r, at, key, member, c);
		else
			unknown_agent_field(r, at, key);
	}
	for (size_t i = 0; i < ARRAY_SIZE(agent_fields); i++) {
		struct at at_field = at_member(at, agent_fields[i].name);

		if (agent_fields[i].is_required && !json_object_get(value, agent_fields[i].name))
			problem(r, &at_field, NULL, "required, but missing");
	}
}

const struct check *agent_read(struct reader *r, const struct at *at, const json_t *value)
{
	size_t n_before = r->n_problems;
	struct check *c;

	if (!json_is_object(value)) {
		problem(r, at, value, "expected an object");
		return NULL;
	}
	c = check_new(&check_type_agent);
	read_agent_fields(r, at, value, c);
	if (r->n_problems == n_before)
		return c;
	check_unref(c);
	return NULL;
}

void agent_verify(struct reader *r, const struct at *at, const struct service *s)
{
	struct at at_agent = at_member(at, "agent");

	if (!s->agent)
		return;
	if (!s->check)
		problem(r, &at_agent, NULL,
			"is asked beside a check, and there is none: give the service one, or "
			"\"check\": {\"type\": \"agent\"} instead");
	else if (s->check->type == &check_type_agent)
		problem(r, &at_agent, NULL, "the check asks an agent already");
}

const struct check *check_ref(const struct check *c)
{
	if (c)
		__atomic_add_fetch((unsigned int *)&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void check_unref(const struct check *value)
{
	struct check *c = (struct check *)value;

	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (c->options) {
		if (c->type->fini)
			c->type->fini(c->options);
		check_fields_fini(c->type->fields, c->type->n_fields, c->options);
		check_fields_fini(c->type->more_fields, c->type->n_more_fields, c->options);
	}
	check_fields_fini(check_fields, ARRAY_SIZE(check_fields), c);
	free(c->options);
	free(c);
}

bool check_equal(const struct check *a, const struct check *b)
{
	if (a == b || !a || !b)
		return a == b;
	return check_fields_equal(check_fields, ARRAY_SIZE(check_fields), a, b) &&
	       check_fields_equal(a->type->fields, a->type->n_fields, a->options, b->options) &&
	       check_fields_equal(a->type->more_fields, a->type->n_more_fields, a->options,
				  b->options);
}

json_t *check_to_json(const struct check *c)
{
	json_t *object = json_object();

	check_fields_put(check_fields, ARRAY_SIZE(check_fields), c, object);
	check_fields_put(c->type->fields, c->type->n_fields, c->options, object);
	check_fields_put(c->type->more_fields, c->type->n_more_fields, c->options, object);
	return object;
}

json_t *agent_to_json(const struct check *c)
{
	json_t *object = check_to_json(c);
	const char *key;
	json_t *member;
	void *next;

	json_object_foreach_safe(object, next, key, member)
	{
		if (!find_field(agent_fields, ARRAY_SIZE(agent_fields), key))
			json_object_del(object, key);
	}
	return object;
}

void check_patch_type(json_t *target, const json_t *patch)
{
	const char *to =
		json_string_value(json_object_get(json_object_get(patch, "check"), "type"));
	json_t *check = json_object_get(target, "check");
	const char *from = json_string_value(json_object_get(check, "type"));
	const struct check_type *type = from ? type_by_name(from) : NULL;

	if (!to || !type || strcmp(from, to) == 0)
		return;
	for (size_t i = 0; i < type->n_fields; i++)
		json_object_del(check, type->fields[i].name);
	for (size_t i = 0; i < type->n_more_fields; i++)
		json_object_del(check, type->more_fields[i].name);
}
