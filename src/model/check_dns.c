/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of dns: the question, and what the answer must be.
 */
#include "model/check_dns.h"

#include <arpa/nameser.h>
#include <string.h>

#include "model/check_types.h"

static const char *const records[] = { "SOA", "A",   "AAAA", "NS",  "CNAME",
				       "MX",  "TXT", "PTR",  "SRV", NULL };
static const uint16_t numbers[] = { ns_t_soa, ns_t_a,   ns_t_aaaa, ns_t_ns, ns_t_cname,
				    ns_t_mx,  ns_t_txt, ns_t_ptr,  ns_t_srv };

static const char *const rcodes[] = {
	[CHECK_DNS_NOERROR] = "noerror",
	[CHECK_DNS_NXDOMAIN] = "nxdomain",
	[CHECK_DNS_ANY] = "any",
	NULL,
};

#define AT(member) offsetof(struct check_dns, member)

static const struct check_field check_dns_fields[] = {
	{ "name", false, .kind = &check_text, .offset = AT(name), .min = 1, .max = 254,
	  .text = "." },
	{ "record", false, .kind = &check_word, .offset = AT(record), .words = records },
	{ "expect", false, .kind = &check_text, .offset = AT(expect), .min = 1, .max = 255 },
	{ "rcode", false, .kind = &check_word, .offset = AT(rcode), .words = rcodes },
};

uint16_t check_dns_record(const struct check_dns *d)
{
	return numbers[d->record];
}

unsigned int check_dns_encode(const char *name, uint8_t out[CHECK_DNS_NAME_BYTES])
{
	unsigned int n = 0;

	if (strcmp(name, ".") == 0)
		name++;
	while (*name) {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > 63 || n + len + 2 > CHECK_DNS_NAME_BYTES)
			return 0;
		out[n++] = (uint8_t)len;
		memcpy(out + n, name, len);
		n += (unsigned int)len;
		name += len + (name[len] == '.');
	}
	out[n++] = 0;
	return n;
}

static void dns_verify(struct reader *r, const struct at *at, void *options)
{
	const struct check_dns *d = options;
	struct at at_name = at_member(at, "name"), at_expect = at_member(at, "expect");
	uint8_t encoded[CHECK_DNS_NAME_BYTES];
	char text[READER_TEXT_BYTES];

	if (check_dns_encode(d->name, encoded) == 0)
		problem_text(r, &at_name, quote(d->name, text), "not a domain name");
	if (d->expect && d->rcode == CHECK_DNS_ANY)
		problem_text(r, &at_expect, quote(d->expect, text),
			     "with rcode \"any\" there need not be an answer");
}

const struct check_type check_type_dns = {
	.name = "dns",
	.options_bytes = sizeof(struct check_dns),
	.fields = check_dns_fields,
	.n_fields = sizeof(check_dns_fields) / sizeof(check_dns_fields[0]),
	.verify = dns_verify,
};
