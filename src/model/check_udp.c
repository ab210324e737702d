/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of udp: what is sent, and what must be in the reply. Protocols are binary as often as
 * not, so both can be written in hexadecimal.
 */
#include "model/check_udp.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/check_types.h"

#define AT(member) offsetof(struct check_udp, member)

static const struct check_field check_udp_fields[] = {
	{ "payload", false, .kind = &check_text, .offset = AT(payload), .max = CHECK_UDP_MAX },
	{ "payload_hex", false, .kind = &check_text, .offset = AT(payload_hex),
	  .max = 2 * CHECK_UDP_MAX },
	{ "expect", false, .kind = &check_text, .offset = AT(expect), .min = 1,
	  .max = CHECK_UDP_MAX },
	{ "expect_hex", false, .kind = &check_text, .offset = AT(expect_hex), .min = 2,
	  .max = 2 * CHECK_UDP_MAX },
	{ "reply_required", false, .kind = &check_flag, .offset = AT(is_reply_required),
	  .number = 1 },
};

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* False: not an even number of digits. */
static bool from_hex(const char *hex, struct check_bytes *out)
{
	size_t len = strlen(hex);

	out->bytes = mem_alloc(len / 2 + 1);
	out->len = len / 2;
	for (size_t i = 0; i < len / 2; i++) {
		int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return len % 2 == 0;
}

static void prepare(struct reader *r, const struct at *at, const char *text, const char *hex,
		    const char *field, const char *hex_field, struct check_bytes *out)
{
	struct at at_hex = at_member(at, hex_field);
	char quoted[READER_TEXT_BYTES];

	if (text && hex) {
		problem(r, &at_hex, NULL, "there is %s, too: expected one of the two", field);
	} else if (hex && !from_hex(hex, out)) {
		problem_text(r, &at_hex, quote(hex, quoted),
			     "expected pairs of hexadecimal digits");
	} else if (text) {
		out->len = strlen(text);
		out->bytes = (uint8_t *)mem_strdup(text);
	}
}

static void udp_verify(struct reader *r, const struct at *at, void *options)
{
	struct check_udp *u = options;

	prepare(r, at, u->payload, u->payload_hex, "payload", "payload_hex", &u->send);
	prepare(r, at, u->expect, u->expect_hex, "expect", "expect_hex", &u->want);
}

static void udp_fini(void *options)
{
	struct check_udp *u = options;

	free(u->send.bytes);
	free(u->want.bytes);
}

const struct check_type check_type_udp = {
	.name = "udp",
	.options_bytes = sizeof(struct check_udp),
	.fields = check_udp_fields,
	.n_fields = sizeof(check_udp_fields) / sizeof(check_udp_fields[0]),
	.verify = udp_verify,
	.fini = udp_fini,
};
