/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools from and to JSON. Sizes are checked while ranges are read, before anything is made of
 * them: "::/0" is one short text.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/json.h"
#include "model/reader.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Each range holds an address at least. */
#define RANGES_MAX (2 * MODEL_POOL_ADDRESSES_MAX)

static const char range_expected[] =
	"an address, a range (10.1.0.1-10.1.0.9) or a prefix (10.1.0.0/28)";

static const char *family_text(uint8_t family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

static void read_range(struct reader *r, const struct at *at, const json_t *value,
		       struct addr_range *out)
{
	struct addr_range range;
	const char *text;
	int rc;

	if (!read_string(r, at, value, range_expected, &text))
		return;
	rc = addr_range_parse(text, &range);
	if (rc == -EDOM)
		problem(r, at, value, "expected a prefix without host bits");
	else if (rc < 0)
		problem(r, at, value, "expected %s", range_expected);
	else if (addr_range_count(&range) > MODEL_POOL_ADDRESSES_MAX)
		problem(r, at, value, "expected at most %d addresses in a pool",
			MODEL_POOL_ADDRESSES_MAX);
	else if (!addr_is_unicast(&range.lo) || !addr_is_unicast(&range.hi))
		problem(r, at, value, "expected unicast addresses");
	else
		*out = range;
}

static void read_addresses(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	struct pool *p = out;
	size_t i, n = json_array_size(value);
	json_t *element;

	if (!json_is_array(value) || n == 0) {
		problem(r, at, value, "expected an array of at least one address, range or prefix");
		return;
	}
	if (n > RANGES_MAX) {
		problem(r, at, NULL, "%zu elements: expected at most %d addresses of a family", n,
			MODEL_POOL_ADDRESSES_MAX);
		return;
	}
	p->ranges = mem_calloc(n, sizeof(*p->ranges));
	p->n_ranges = n;
	json_array_foreach (value, i, element) {
		struct at at_range = at_element(at, i);

		read_range(r, &at_range, element, &p->ranges[i]); /* AF_UNSPEC when wrong */
	}
}

static void read_pool_interface(struct reader *r, const struct at *at, const json_t *value,
				void *out)
{
	(void)read_interface(r, at, value, ((struct pool *)out)->interface);
}

/* "1024-65535"; false: something else. */
static bool parse_ports(const char *text, uint16_t *min, uint16_t *max)
{
	char *end;
	unsigned long lo, hi;

	if (!isdigit((unsigned char)*text))
		return false;
	lo = strtoul(text, &end, 10);
	if (*end != '-' || !isdigit((unsigned char)end[1]))
		return false;
	hi = strtoul(end + 1, &end, 10);
	*min = (uint16_t)lo;
	*max = (uint16_t)hi;
	return *end == '\0' && lo > 0 && lo <= hi && hi <= UINT16_MAX;
}

static void read_ports(struct reader *r, const struct at *at, const json_t *value, void *out)
{
	static const char expected[] = "a range of ports, as \"1024-65535\"";
	struct pool *p = out;
	const char *text;

	if (read_string(r, at, value, expected, &text) &&
	    !parse_ports(text, &p->port_min, &p->port_max))
		problem(r, at, value, "expected %s", expected);
}

static const struct field pool_fields[] = {
	{ "addresses", true, read_addresses },
	{ "ports", false, read_ports },
	{ "interface", false, read_pool_interface },
};

static int range_order(const void *a, const void *b)
{
	const struct addr_range *ra = *(const struct addr_range *const *)a;
	const struct addr_range *rb = *(const struct addr_range *const *)b;
	int rc = addr_cmp(&ra->lo, &rb->lo);

	return rc ? rc : (ra > rb) - (ra < rb);
}

static void ranges_overlap(struct reader *r, const struct at *at, const struct pool *p,
			   const struct addr_range *a, const struct addr_range *b)
{
	const struct addr_range *first = a < b ? a : b, *second = a < b ? b : a;
	char text[2 * ADDR_STRLEN], other[2 * ADDR_STRLEN];
	struct at at_addresses = at_member(at, "addresses");
	struct at at_second = at_element(&at_addresses, (size_t)(second - p->ranges));

	problem_text(r, &at_second, addr_range_format(second, text), "overlaps addresses[%zu] %s",
		     (size_t)(first - p->ranges), addr_range_format(first, other));
}

/* Sorted by their first address, a range overlaps an earlier one if it overlaps the one that
 * reaches farthest. */
static void check_overlaps(struct reader *r, const struct at *at, const struct pool *p)
{
	const struct addr_range **sorted = mem_calloc(p->n_ranges, sizeof(*sorted));
	const struct addr_range *farthest = NULL;

	for (size_t i = 0; i < p->n_ranges; i++)
		sorted[i] = &p->ranges[i];
	qsort(sorted, p->n_ranges, sizeof(*sorted), range_order);
	for (size_t i = 0; i < p->n_ranges; i++) {
		if (sorted[i]->lo.family == AF_UNSPEC)
			continue;
		if (farthest && addr_range_overlaps(farthest, sorted[i]))
			ranges_overlap(r, at, p, farthest, sorted[i]);
		if (!farthest || addr_cmp(&sorted[i]->hi, &farthest->hi) > 0)
			farthest = sorted[i];
	}
	free(sorted);
}

static void check_size(struct reader *r, const struct at *at, const struct pool *p, uint8_t family)
{
	struct at at_addresses = at_member(at, "addresses");
	uint64_t n = 0;

	for (size_t i = 0; i < p->n_ranges; i++) {
		if (p->ranges[i].lo.family == family)
			n += addr_range_count(&p->ranges[i]);
	}
	if (n > MODEL_POOL_ADDRESSES_MAX)
		problem(r, &at_addresses, NULL, "%llu %s addresses: expected at most %d",
			(unsigned long long)n, family_text(family), MODEL_POOL_ADDRESSES_MAX);
}

const struct pool *pool_read(struct reader *r, const struct at *at, const json_t *value)
{
	struct pool p = { .name = (char *)at->name }; /* borrowed until pool_new() */
	const struct pool *made = NULL;
	size_t n_before = r->n_problems;

	check_name(r, at);
	read_object(r, at, value, pool_fields, ARRAY_SIZE(pool_fields), &p);
	check_overlaps(r, at, &p);
	check_size(r, at, &p, AF_INET);
	check_size(r, at, &p, AF_INET6);
	if (r->n_problems == n_before)
		made = pool_new(&p);
	free(p.ranges);
	return made;
}

const struct pool *pool_from_json(const json_t *value, const char *name, const char *pointer,
				  struct err *err)
{
	struct at at = { .pointer = pointer, .what = "pool", .name = name };
	struct reader r = { .err = err };

	return pool_read(&r, &at, value);
}

json_t *pool_to_json(const struct pool *p)
{
	json_t *object = json_object(), *addresses = json_array();
	char text[2 * ADDR_STRLEN];

	for (size_t i = 0; i < p->n_ranges; i++)
		json_array_append_new(addresses,
				      json_string_nocheck(addr_range_format(&p->ranges[i], text)));
	if (json_object_set_new_nocheck(object, "addresses", addresses) < 0)
		abort(); /* out of memory, as in mem.c */
	if (p->port_min != POOL_PORT_MIN || p->port_max != POOL_PORT_MAX)
		json_object_set_new_nocheck(object, "ports",
					    json_sprintf("%u-%u", p->port_min, p->port_max));
	if (*p->interface)
		json_object_set_new_nocheck(object, "interface", json_string_nocheck(p->interface));
	return object;
}
