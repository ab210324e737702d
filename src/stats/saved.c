/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file of its own and not the store: counters change all the time, are worth less than a
 * configuration (what is lost in a crash are the last seconds), and are written all at once. The
 * last line says that the file is whole; it is put in place with rename(2), so that there is
 * always one.
 */
#include "stats/saved.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LINE_BYTES 1024
#define N_NUMBERS  (sizeof(struct meter_saved) / sizeof(uint64_t))

/* Of each row, by the version of the file. */
static const size_t n_numbers_of[] = {
	[1] = offsetof(struct meter_saved, overflowed) / sizeof(uint64_t),
	[2] = offsetof(struct meter_saved, counted) / sizeof(uint64_t),
	[3] = N_NUMBERS,
};

static const char *const kinds[N_STATS_KINDS] = {
	[STATS_SERVICE] = "service",
	[STATS_LISTENER] = "listener",
	[STATS_BACKEND] = "backend",
	[STATS_POOL_ADDRESS] = "address",
};

void saved_fini(struct saved *s)
{
	free(s->rows);
	*s = (struct saved){ 0 };
}

static void take_row(const struct stats_object *o, void *arg)
{
	struct saved *s = arg;
	struct saved_row *r = &VEC_PUSH(s->rows, s->n, s->cap);

	memset(r, 0, sizeof(*r));
	r->kind = o->kind;
	snprintf(r->name, sizeof(r->name), "%s", o->service ? o->service : o->pool);
	if (o->listener) {
		r->protocol = o->listener->protocol;
		r->at = (struct flow_end){ o->listener->address, o->listener->port };
	} else if (o->backend) {
		r->at = (struct flow_end){ o->backend->address, o->backend->port };
	} else if (o->address) {
		r->at.address = *o->address;
	}
	meter_save(o->meter, &r->numbers);
}

void saved_take(struct saved *s, const struct stats *from)
{
	s->n = 0;
	stats_each(from, take_row, s);
}

void saved_give(const struct saved *s, struct stats *to, const struct model *m)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct saved_row *r = &s->rows[i];

		stats_restore(to, m, r->kind, r->name, r->protocol, &r->at, &r->numbers);
	}
}

void saved_write(const struct saved *s, FILE *out)
{
	char address[ADDR_STRLEN];

	fprintf(out, "fnat counters 3 %" PRId64 " %" PRId64 " %" PRId64 "\n", s->since_ms,
		s->unobserved_ms, s->saved_ms);
	for (size_t i = 0; i < s->n; i++) {
		const struct saved_row *r = &s->rows[i];
		const uint64_t *numbers = (const uint64_t *)&r->numbers;

		fprintf(out, "%s %s %s %s %u", kinds[r->kind], r->name,
			r->protocol ? protocol_name(r->protocol) : "-",
			r->at.address.family ? addr_format(&r->at.address, address) : "-",
			r->at.port);
		for (size_t n = 0; n < N_NUMBERS; n++)
			fprintf(out, " %" PRIu64, numbers[n]);
		fputc('\n', out);
	}
	fprintf(out, "end %zu\n", s->n);
}

/* --- reading ------------------------------------------------------------------------------- */

static bool read_kind(const char *word, enum stats_kind *out)
{
	for (int k = 0; k < N_STATS_KINDS; k++) {
		if (strcmp(kinds[k], word) == 0) {
			*out = (enum stats_kind)k;
			return true;
		}
	}
	return false;
}

static bool read_numbers(char *text, size_t n, struct meter_saved *out)
{
	uint64_t *numbers = (uint64_t *)out;
	char *end = text;

	for (size_t i = 0; i < n; i++) {
		text = end;
		errno = 0;
		numbers[i] = strtoull(text, &end, 10);
		if (errno || end == text || memchr(text, '-', (size_t)(end - text)))
			return false;
	}
	return *end == '\n' && meter_saved_is_sane(out);
}

static bool read_row(char *line, size_t n_numbers, struct saved_row *r)
{
	char kind[16], protocol[16], address[ADDR_STRLEN];
	unsigned int port;
	int used = 0;

	memset(r, 0, sizeof(*r));
	if (sscanf(line, "%15s %60s %15s %45s %u%n", kind, r->name, protocol, address, &port,
		   &used) != 5 ||
	    port > UINT16_MAX || !read_kind(kind, &r->kind))
		return false;
	_Static_assert(MODEL_NAME_MAX == 60, "the format above");
	_Static_assert(ADDR_STRLEN == 46, "the format above");
	r->protocol = protocol_parse(protocol);
	r->at.port = (uint16_t)port;
	if (strcmp(address, "-") != 0 && addr_parse(address, &r->at.address) < 0)
		return false;
	return read_numbers(line + used, n_numbers, &r->numbers);
}

static bool read_head(struct saved *s, FILE *in, size_t *n_numbers)
{
	char line[LINE_BYTES];
	unsigned int version;

	if (!fgets(line, sizeof(line), in) ||
	    sscanf(line, "fnat counters %u %" SCNd64 " %" SCNd64 " %" SCNd64, &version,
		   &s->since_ms, &s->unobserved_ms, &s->saved_ms) != 4 ||
	    version >= sizeof(n_numbers_of) / sizeof(n_numbers_of[0]))
		return false;
	*n_numbers = n_numbers_of[version];
	return *n_numbers > 0;
}

int saved_read(struct saved *s, FILE *in, struct err *err)
{
	char line[LINE_BYTES];
	size_t n = 0, n_numbers;

	*s = (struct saved){ 0 };
	if (!read_head(s, in, &n_numbers))
		return err_add(err, ERR_SYSTEM, -EINVAL, NULL, "line 1: not a file of counters");
	while (fgets(line, sizeof(line), in)) {
		struct saved_row row;

		if (sscanf(line, "end %zu", &n) == 1 && n == s->n)
			return 0;
		if (!read_row(line, n_numbers, &row))
			return err_add(err, ERR_SYSTEM, -EINVAL, NULL, "line %zu: not as expected",
				       s->n + 2);
		VEC_PUSH(s->rows, s->n, s->cap) = row;
	}
	return err_add(err, ERR_SYSTEM, -EINVAL, NULL, "it ends after line %zu", s->n + 1);
}
