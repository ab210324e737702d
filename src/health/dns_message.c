/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C library can take messages apart (ns_initparse(3) and others, from BIND), with all that is
 * easy to get wrong: compression, loops in it, lengths. What is written here is the question, a
 * header and a name, and the comparison.
 */
#include "health/dns_message.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

size_t dns_query(const struct check_dns *d, uint16_t id, uint8_t out[DNS_QUERY_BYTES])
{
	/* A question (QDCOUNT 1), recursion desired. */
	uint8_t header[12] = { (uint8_t)(id >> 8), (uint8_t)id, 0x01, 0, 0, 1 };
	uint16_t record = check_dns_record(d);
	uint8_t name[CHECK_DNS_NAME_BYTES];
	size_t n = sizeof(header), len = check_dns_encode(d->name, name);

	memcpy(out, header, sizeof(header));
	memcpy(out + n, name, len);
	n += len;
	out[n++] = (uint8_t)(record >> 8);
	out[n++] = (uint8_t)record;
	out[n++] = 0;
	out[n++] = ns_c_in;
	return n;
}

/* Room for any rendering: a name, a number before it. */
#define TEXT_BYTES (NS_MAXDNAME + 32)

static bool name_at(ns_msg *msg, const u_char *at, char *text, size_t size)
{
	return ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), at, text, size) >= 0;
}

/* The first string of a TXT record. */
static bool txt_text(const ns_rr *rr, char text[TEXT_BYTES])
{
	const u_char *data = ns_rr_rdata(*rr);
	size_t len = ns_rr_rdlen(*rr) > 0 ? data[0] : 0;

	if (ns_rr_rdlen(*rr) == 0 || len + 1 > ns_rr_rdlen(*rr))
		return false;
	memcpy(text, data + 1, len);
	text[len] = '\0';
	return true;
}

/* The data as text: an address, a name without the last dot, "10 mail.example" for MX. */
static bool record_text(ns_msg *msg, const ns_rr *rr, char text[TEXT_BYTES])
{
	static const struct {
		uint16_t type, before; /* octets of the data before the name */
	} names[] = { { ns_t_ns, 0 },  { ns_t_cname, 0 }, { ns_t_ptr, 0 },
		      { ns_t_soa, 0 }, { ns_t_mx, 2 },    { ns_t_srv, 6 } };
	const u_char *data = ns_rr_rdata(*rr);
	size_t len = ns_rr_rdlen(*rr), n = 0;

	if (ns_rr_type(*rr) == ns_t_a || ns_rr_type(*rr) == ns_t_aaaa) {
		int family = ns_rr_type(*rr) == ns_t_a ? AF_INET : AF_INET6;

		return len == addr_len((uint8_t)family) &&
		       inet_ntop(family, data, text, TEXT_BYTES);
	}
	if (ns_rr_type(*rr) == ns_t_txt)
		return txt_text(rr, text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].type != ns_rr_type(*rr) || len <= names[i].before)
			continue;
		for (size_t at = 0; at < names[i].before; at += 2)
			n += (size_t)sprintf(text + n, "%u ", ns_get16(data + at));
		return name_at(msg, data + names[i].before, text + n, TEXT_BYTES - n);
	}
	return false;
}

/* How an address is written does not matter, nor upper and lower case, nor the last dot. */
static bool is_same(const char *expected, const char *text)
{
	size_t len = strlen(expected);
	struct addr a, b;

	if (addr_parse(expected, &a) == 0)
		return addr_parse(text, &b) == 0 && addr_equal(&a, &b);
	if (len > 1 && expected[len - 1] == '.')
		len--;
	return strlen(text) == len && strncasecmp(expected, text, len) == 0;
}

/* Of the answer section: is one of them what is expected? first: of the right type, as text. */
static bool find_expected(const struct check_dns *d, ns_msg *msg, unsigned int *n,
			  char first[TEXT_BYTES])
{
	char text[TEXT_BYTES];
	ns_rr rr;

	*n = 0;
	for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
		if (ns_parserr(msg, ns_s_an, i, &rr) < 0)
			break;
		if (ns_rr_type(rr) != check_dns_record(d) || !record_text(msg, &rr, text))
			continue;
		if ((*n)++ == 0)
			strcpy(first, text);
		if (d->expect && is_same(d->expect, text)) {
			strcpy(first, text);
			return true;
		}
	}
	return !d->expect;
}

static const char *rcode_text(int rcode)
{
	static const char *const texts[] = { "NOERROR",  "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	return rcode >= 0 && (size_t)rcode < sizeof(texts) / sizeof(texts[0]) ? texts[rcode]
									      : "an error";
}

static enum probe_result judge_message(const struct check_dns *d, ns_msg *msg,
				       char reason[PROBE_REASON_BYTES])
{
	int rcode = ns_msg_getflag(*msg, ns_f_rcode);
	bool is_nxdomain = rcode == ns_r_nxdomain && d->rcode == CHECK_DNS_NXDOMAIN;
	char first[TEXT_BYTES] = "";
	unsigned int n;
	bool is_found;

	if (d->rcode != CHECK_DNS_ANY && rcode != ns_r_noerror && !is_nxdomain) {
		snprintf(reason, PROBE_REASON_BYTES, "answered %s", rcode_text(rcode));
		return PROBE_FAILED;
	}
	is_found = find_expected(d, msg, &n, first);
	if (!is_found && n > 0)
		snprintf(reason, PROBE_REASON_BYTES, "%u answers, none as expected: %.60s", n,
			 first);
	else if (!is_found)
		snprintf(reason, PROBE_REASON_BYTES, "answered %s, without a record",
			 rcode_text(rcode));
	else if (n > 0)
		snprintf(reason, PROBE_REASON_BYTES, "answered %.80s", first);
	else
		snprintf(reason, PROBE_REASON_BYTES, "answered %s", rcode_text(rcode));
	return is_found ? PROBE_OK : PROBE_FAILED;
}

bool dns_judge(const struct check_dns *d, uint16_t id, const uint8_t *answer, size_t len,
	       enum probe_result *result, char reason[PROBE_REASON_BYTES])
{
	ns_msg msg;

	if (len < 12 || len > UINT16_MAX || ns_get16(answer) != id || !(answer[2] & 0x80))
		return false;
	if (ns_initparse(answer, (int)len, &msg) < 0) {
		snprintf(reason, PROBE_REASON_BYTES, "an answer of %zu bytes that is not DNS", len);
		*result = PROBE_FAILED;
		return true;
	}
	*result = judge_message(d, &msg, reason);
	return true;
}
