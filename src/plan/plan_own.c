/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What belongs to a service and not to a listener: its number, the clients that are pinned, the
 * chain that remembers clients. All its listeners share these, so that a client who came to port
 * 80 finds the same backend on port 443.
 *
 * A number stays with its service as long as there is one of that name, over restarts too (the name
 * of the program says it), and is given out again as late as possible: nobody must
 * find the entries of another service under his number.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan_state.h"
#include "plan/stay.h"

static bool own_is_used(const struct plan *p, uint16_t number)
{
	return p->own_used[number / 64] >> number % 64 & 1;
}

static void own_use(struct plan *p, uint16_t number)
{
	p->own_used[number / 64] |= 1ull << number % 64;
}

void own_free(struct plan *p, uint16_t number)
{
	p->own_used[number / 64] &= ~(1ull << number % 64);
}

/* 0 is no number. */
static uint16_t own_next(struct plan *p)
{
	for (unsigned int tries = 0; tries < UINT16_MAX; tries++) {
		p->own_last = (uint16_t)(p->own_last == UINT16_MAX ? 1 : p->own_last + 1);
		if (!own_is_used(p, p->own_last)) {
			own_use(p, p->own_last);
			return p->own_last;
		}
	}
	return 0;
}

void own_hint(struct plan *p, const char *service, uint16_t number)
{
	size_t len = strlen(service);
	struct own_hint *hint;

	HASH_FIND(hh, p->own_hints, service, len, hint);
	if (hint || own_is_used(p, number))
		return;
	hint = mem_zalloc(sizeof(*hint) + len + 1);
	hint->number = number;
	memcpy(hint->service, service, len + 1);
	HASH_ADD_KEYPTR(hh, p->own_hints, hint->service, len, hint);
	own_use(p, number);
	if (number > p->own_last)
		p->own_last = number;
}

void own_hints_free(struct plan *p)
{
	struct own_hint *hint, *next;

	for (hint = p->own_hints; hint; hint = next) {
		next = hint->hh.next;
		HASH_DEL(p->own_hints, hint);
		if (!hint->is_taken)
			own_free(p, hint->number);
		free(hint);
	}
}

static uint16_t own_number(struct plan *p, const char *service)
{
	struct held *h = held_find(&p->services, service);
	struct own_hint *hint;

	assert(h);
	if (h->own)
		return h->own;
	HASH_FIND(hh, p->own_hints, service, strlen(service), hint);
	if (hint && !hint->is_taken) {
		hint->is_taken = true;
		h->own = hint->number;
	} else {
		h->own = own_next(p);
	}
	return h->own;
}

/* Smallest power of two that holds so many; 0: what a map holds that says nothing. */
static uint8_t entries_bits(uint32_t n)
{
	uint8_t bits = 0;

	if (n == PERSISTENCE_ENTRIES_DEFAULT)
		return 0;
	while (1u << bits < n)
		bits++;
	return bits;
}

static void set_sticky(const struct persistence *have, struct program *program)
{
	bool is_v4 = program->family == AF_INET;
	uint8_t prefix = is_v4 ? have->prefix4 : have->prefix6;

	program->options |= PROGRAM_STICKY;
	program->sticky_bits = entries_bits(have->max_entries);
	program->sticky_prefix = prefix == addr_len(program->family) * 8 ? 0 : prefix;
}

/* Lengths of the prefixes with pins, longest first. */
static void set_pins(const struct service *s, struct program *program)
{
	bool is_used[129] = { false };
	size_t n = 0;

	for (size_t i = 0; i < s->n_pins; i++)
		if (s->pins[i].client.family == program->family)
			is_used[s->pins[i].bits] = true;
	for (unsigned int bits = 128; bits > 0 && n < PIN_LENGTHS_MAX; bits--)
		if (is_used[bits])
			program->pins[n++] = (uint8_t)bits;
}

void own_set(struct plan *p, const struct service *s, struct program *program)
{
	struct program with = *program;
	bool has_max = s->control.max_connections || s->control.max_connections_per_client;
	bool is_limited = service_has_gates(s) || has_max;
	bool overflows = s->overflows[family_index(program->family)];

	if (s->persistence.timeout_s == 0 && s->n_pins == 0 && !is_limited && !overflows)
		return;
	with.max_all = s->control.max_connections;
	with.max_client = s->control.max_connections_per_client;
	if (service_has_gates(s))
		with.options |= PROGRAM_GATES;
	if (overflows)
		with.options |= PROGRAM_OVERFLOWS;
	if (s->persistence.timeout_s > 0)
		set_sticky(&s->persistence, &with);
	set_pins(s, &with);
	if (!(with.options & PROGRAM_STICKY) && !program_counts(&with) && with.pins[0] == 0)
		return;
	if ((with.options & PROGRAM_STICKY || with.pins[0] > 0) && s->backends[0].port == 0)
		with.options |= PROGRAM_KEEPS_PORT;
	with.own = own_number(p, s->name);
	if (with.own > 0)
		*program = with;
	else if (is_limited) /* nothing that nobody counts */
		*program =
			(struct program){ .kind = program->refusal == REFUSAL_DROP ? PROGRAM_DROP
										   : PROGRAM_REFUSE,
					  .refusal = program->refusal };
}

void own_set_full(struct plan *p, const struct service *s, uint8_t family, struct program *program)
{
	uint16_t own = s->overflows[family_index(family)] ? own_number(p, s->name) : 0;

	if (s->waits[family_index(family)])
		*program = (struct program){ .kind = PROGRAM_DROP, .refusal = REFUSAL_DROP };
	else if (own > 0)
		*program = (struct program){ .kind = PROGRAM_FULL,
					     .refusal = program->refusal,
					     .own = own };
}

struct gate own_gate(const struct backend *b, uint16_t own)
{
	struct gate g = { .to = b->address, .port = b->port, .own = own };

	if (b->max_connections == 0)
		return g;
	g.max = b->gate_of ? b->gate_of : b->max_connections;
	g.room = b->gate_of ? b->room : b->max_connections;
	g.tokens = b->gate_of ? b->tokens : 0;
	g.epoch = b->epoch;
	return g;
}

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* What says which set counts what began in that family. False: none does. */
static bool begun_program(const struct service *s, uint16_t own, uint8_t family,
			  struct program *out)
{
	bool keeps_port = s->n_backends > 0 && s->backends[0].port == 0;

	*out = (struct program){ .kind = PROGRAM_RR,
				 .family = family,
				 .own = own,
				 .options = keeps_port ? PROGRAM_KEEPS_PORT : 0 };
	return own > 0 && s->counts_begun && service_listens_on(s, family);
}

void own_begun(struct plan *p, const struct service *s, bool (*count)(struct refs *, const void *))
{
	uint16_t own = s && s->counts_begun ? own_number(p, s->name) : 0;
	struct program program;

	for (size_t i = 0; own > 0 && i < 2; i++) {
		struct map_ref set;
		struct map_key key;

		if (!begun_program(s, own, families[i], &program))
			continue;
		set = program_begun_set(&program);
		key = map_to_key(&set);
		count(&p->maps, &key);
	}
}

void own_counts(struct plan *p, const struct service *s, bool (*count)(struct refs *, const void *))
{
	struct program program = { .kind = PROGRAM_RR };
	struct map_ref counter;
	struct map_key key;

	if (!s || (!service_has_gates(s) && s->control.max_connections == 0 &&
		   s->control.max_connections_per_client == 0))
		return;
	program.own = own_number(p, s->name);
	counter = program_overflowed(&program);
	key = map_to_key(&counter);
	if (program.own)
		count(&p->maps, &key);
	program.max_all = s->control.max_connections;
	program.max_client = s->control.max_connections_per_client;
	for (size_t i = 0; program.own && i < 2; i++) {
		struct map_ref clients, all = program_all_set(&program);

		program.family = families[i];
		clients = program_clients_set(&program);
		if (!service_listens_on(s, families[i]))
			continue;
		key = map_to_key(&all);
		if (program.max_all > 0)
			count(&p->maps, &key);
		key = map_to_key(&clients);
		if (program.max_client > 0)
			count(&p->maps, &key);
	}
}

/*
 * A backend that has a count keeps its gate while it has no slots, because it is down, say: or it
 * would begin to count anew, with those still there that it has let through.
 */
void own_gates(struct plan *p, const struct service *s, bool (*count)(struct refs *, const void *))
{
	uint16_t own;

	if (!s || !service_has_gates(s) || (own = own_number(p, s->name)) == 0)
		return;
	for (size_t i = 0; i < s->n_backends; i++) {
		const struct backend *b = &s->backends[i];
		struct gate g = own_gate(b, own);

		if (!b->is_shut && (b->max_connections > 0 || b->weight > 0 || b->is_overflow))
			count(&p->gates, &g);
	}
}

bool plan_gate(const struct plan *p, const struct service *s, const struct backend *b,
	       struct gate *out)
{
	const struct held *h = held_find(&p->services, s->name);

	if (!h || !h->own || !service_has_gates(s) || b->max_connections == 0 || b->is_shut)
		return false;
	*out = own_gate(b, h->own);
	return true;
}

static bool counts(const struct service *s)
{
	for (size_t i = 0; i < s->n_backends; i++) {
		if (s->backends[i].gate_of > 0)
			return true;
	}
	return false;
}

/* As effective_service() has it of backends whose gates are not known. */
static const struct service *shut(const struct service *s)
{
	struct service copy = *s;
	const struct service *out;

	copy.backends = mem_calloc(s->n_backends, sizeof(*copy.backends));
	for (size_t i = 0; i < s->n_backends; i++) {
		struct backend *b = &copy.backends[i];

		*b = s->backends[i];
		if (b->gate_of == 0)
			continue;
		b->is_shut = true;
		b->weight = b->gate_of = b->tokens = b->room = 0;
		b->epoch = 0;
	}
	copy.waits[0] = copy.waits[1] = true;
	out = service_new(&copy);
	free(copy.backends);
	return out;
}

void plan_shut_gates(const struct plan *p, struct changes *out)
{
	for (const struct held *h = p->services.items; h; h = h->hh.next) {
		const struct service *s = h->now;

		if (!s || !service_has_gates(s) || !counts(s))
			continue;
		VEC_PUSH(out->items, out->n, out->cap) = (struct change){
			.object = OBJECT_SERVICE,
			.service = { .before = service_ref(s), .after = shut(s) },
		};
	}
}

void own_programs(const struct plan *p, const struct service *s, bool is_old,
		  const struct program *out[2])
{
	out[0] = out[1] = NULL;
	for (size_t i = 0; s && i < s->n_listeners; i++) {
		unsigned int f = family_index(s->listeners[i].address.family);
		struct place_key key = place_key(&s->listeners[i]);
		const struct place *place = out[f] ? NULL : place_find(p, &key);
		const struct placed *at = place && is_old ? &place->old
					  : place         ? &place->now
							  : NULL;

		if (at && at->service == s && at->program.own)
			out[f] = &at->program;
	}
}

uint16_t own_new(struct plan *p, const struct service *s, const struct program *program)
{
	if (program->options & PROGRAM_STICKY)
		return program->own;
	return s->counts_begun ? own_number(p, s->name) : 0;
}

bool own_new_chain(const struct plan *p, const struct held *h, bool is_old, struct chain *out)
{
	const struct service *s = is_old ? h->old : h->now;
	struct new_rules rules = { .timeout_s = s ? s->persistence.timeout_s : 0 };
	const struct program *programs[2];
	struct program begun[2];
	bool has = false;

	own_programs(p, s, is_old, programs);
	for (int f = 0; s && f < 2; f++) {
		if (programs[f] && programs[f]->options & PROGRAM_STICKY)
			rules.remember[f] = programs[f];
		if (begun_program(s, h->own, families[f], &begun[f]))
			rules.count[f] = &begun[f];
		has = has || rules.remember[f] || rules.count[f];
	}
	if (has)
		new_chain(&rules, h->own, s->pool, out);
	return has;
}

/* Does the pin have an element? False where its backend may not have it, or nobody listens. */
static const struct backend *pin_backend(const struct service *s, const struct pin *pin,
					 const struct program *const programs[2])
{
	const struct backend *b = service_backend(s, pin->backend);

	if (!programs[family_index(pin->client.family)] || !b)
		return NULL;
	return backend_takes_known(s, b) ? b : NULL;
}

size_t own_n_pins(const struct plan *p, const struct service *s, bool is_old)
{
	const struct program *programs[2];
	size_t n = 0;

	if (!s || s->n_pins == 0)
		return 0;
	own_programs(p, s, is_old, programs);
	for (size_t i = 0; i < s->n_pins; i++)
		n += pin_backend(s, &s->pins[i], programs) != NULL;
	return n;
}

static int elem_order(const void *a, const void *b)
{
	return elem_cmp_key(a, b);
}

struct elem *own_pins(const struct service *s, const struct program *const programs[2],
		      struct arena *strings, size_t *n)
{
	struct elem *out;

	*n = 0;
	if (!s || s->n_pins == 0)
		return NULL;
	out = mem_calloc(s->n_pins, sizeof(*out));
	for (size_t i = 0; i < s->n_pins; i++) {
		const struct pin *pin = &s->pins[i];
		const struct program *program = programs[family_index(pin->client.family)];
		const struct backend *b = pin_backend(s, pin, programs);
		char comment[2 * MODEL_NAME_MAX + 2];

		if (!b)
			continue;
		snprintf(comment, sizeof(comment), "%s/%s", s->name, b->name);
		out[(*n)++] = (struct elem){
			.map = program_pins_map(program, pin->bits),
			.address = pin->client,
			.to = b->address,
			.to_port = b->port,
			.comment = arena_string(strings, comment),
		};
	}
	qsort(out, *n, sizeof(*out), elem_order);
	return out;
}

size_t plan_sticky_maps(const struct plan *p, const char *service, struct map_ref out[2])
{
	const struct held *h = held_find(&p->services, service);
	const struct program *programs[2];
	size_t n = 0;

	if (!h || !h->now)
		return 0;
	own_programs(p, h->now, false, programs);
	for (int f = 0; f < 2; f++)
		if (programs[f] && programs[f]->options & PROGRAM_STICKY)
			out[n++] = program_sticky_map(programs[f]);
	return n;
}

static uint8_t begun_maps(const struct held *h, struct map_ref out[2])
{
	struct program program;
	uint8_t n = 0;

	for (size_t i = 0; i < 2; i++)
		if (begun_program(h->now, h->own, families[i], &program))
			out[n++] = program_begun_set(&program);
	return n;
}

static int owned_cmp(const void *a, const void *b)
{
	return (int)((const struct owned_service *)a)->own -
	       (int)((const struct owned_service *)b)->own;
}

void plan_owned(const struct plan *p, struct owned_services *out)
{
	for (const struct held *h = p->services.items; h; h = h->hh.next) {
		struct owned_service *s;

		if (!h->now || !h->own)
			continue;
		s = &VEC_PUSH(out->items, out->n, out->cap);
		*s = (struct owned_service){ .service = service_ref(h->now), .own = h->own };
		s->n_maps = (uint8_t)plan_sticky_maps(p, h->name, s->maps);
		s->n_begun = begun_maps(h, s->begun);
	}
	if (out->n > 0)
		qsort(out->items, out->n, sizeof(*out->items), owned_cmp);
}

void owned_services_fini(struct owned_services *o)
{
	for (size_t i = 0; i < o->n; i++)
		service_unref(o->items[i].service);
	free(o->items);
	*o = (struct owned_services){ 0 };
}
