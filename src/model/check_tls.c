/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of TLS. Files are named, not read: whether they are there may change while the
 * configuration does not.
 */
#include "model/check_tls.h"

#include <stddef.h>
#include <string.h>

#include "model/check_host.h"
#include "model/check_tls_read.h"
#include "model/check_types.h"

#define PATH_BYTES  1024
#define EXPIRY_MAX  3650
#define EXPIRY_DAYS 14

static const char *const verifies[] = {
	[CHECK_VERIFY_NONE] = "none",
	[CHECK_VERIFY_CHAIN] = "chain",
	[CHECK_VERIFY_FULL] = "full",
	NULL,
};

#define AT(member)   offsetof(struct check_tls, member)
#define PATH(member) .kind = &check_text, .offset = AT(member), .min = 1, .max = PATH_BYTES

const struct check_field check_tls_fields[] = {
	{ "sni", false, .kind = &check_text, .offset = AT(sni), .min = 1, .max = 253 },
	{ "verify", false, .kind = &check_word, .offset = AT(verify), .words = verifies },
	{ "ca", false, PATH(ca) },
	{ "certificate", false, PATH(certificate) },
	{ "key", false, PATH(key) },
	{ "expiry_days", false, .kind = &check_number, .offset = AT(expiry_days), .min = 0,
	  .max = EXPIRY_MAX, .number = EXPIRY_DAYS },
};

static void must_be_path(struct reader *r, const struct at *at, const char *field, const char *path)
{
	struct at at_field = at_member(at, field);
	char text[READER_TEXT_BYTES];

	if (path && *path != '/')
		problem_text(r, &at_field, quote(path, text), "expected an absolute path");
}

void check_tls_verify(struct reader *r, const struct at *at, void *options)
{
	const struct check_tls *t = options;
	struct at at_sni = at_member(at, "sni"), at_ca = at_member(at, "ca");
	struct at at_key = at_member(at, "key");
	char text[READER_TEXT_BYTES];

	if (t->sni && !check_is_host_name(t->sni, strlen(t->sni)))
		problem_text(r, &at_sni, quote(t->sni, text),
			     "expected a host name, without a port or a dot at its end");
	must_be_path(r, at, "ca", t->ca);
	must_be_path(r, at, "certificate", t->certificate);
	must_be_path(r, at, "key", t->key);
	if (t->ca && t->verify == CHECK_VERIFY_NONE)
		problem_text(r, &at_ca, quote(t->ca, text),
			     "without effect while verify is \"none\": set it to \"full\" or "
			     "\"chain\"");
	if (t->key && !t->certificate)
		problem_text(r, &at_key, quote(t->key, text), "certificate is missing");
}

const struct check_type check_type_tls = {
	.name = "tls",
	.options_bytes = sizeof(struct check_tls),
	.fields = check_tls_fields,
	.n_fields = CHECK_TLS_N_FIELDS,
	.verify = check_tls_verify,
};
