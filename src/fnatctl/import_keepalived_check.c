/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keepalived has checks of real servers, fnat one of a service: import_check() keeps the first.
 * Times are inherited from the real server, and from the virtual server, so they are looked up when
 * they are needed; all other statements have a row in a table, and one without a row is a note.
 */
#include "fnatctl/import_keepalived_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct making {
	struct import *im;
	struct import_service *s;
	const struct keepalived_scope *scope;
	json_t *check; /* what it becomes */
};

struct option {
	const char *name;
	void (*read)(struct making *m, const struct import_node *n); /* NULL: of no matter */
};

static void note(const struct making *m, const struct import_node *n, const char *why)
{
	import_note_service(m->im, n->at, m->s, "%s: %s%s%s: %s", import_word(m->scope->check, 0),
			    import_word(n, 0), n->n_words > 1 ? " " : "", import_word(n, 1), why);
}

static void set(struct making *m, const char *field, json_t *value)
{
	json_object_set_new_nocheck(m->check, field, value);
}

static void set_text(struct making *m, const char *field, const char *text)
{
	json_t *value = json_string(text);

	if (value)
		set(m, field, value);
}

static void read_options(struct making *m, const struct import_node *block,
			 const struct option *table, size_t n)
{
	for (size_t i = 0; i < block->n_children; i++) {
		const struct import_node *child = &block->children[i];
		size_t row = 0;

		while (row < n && strcmp(table[row].name, import_word(child, 0)) != 0)
			row++;
		if (row == n)
			note(m, child, "not carried over");
		else if (table[row].read)
			table[row].read(m, child);
	}
}

/* --- what all checks have ------------------------------------------------------------------ */

static void read_address(struct making *m, const struct import_node *n)
{
	set_text(m, !strcmp(import_word(n, 0), "bindto") ? "source" : "address", import_word(n, 1));
}

static void read_port(struct making *m, const struct import_node *n)
{
	uint32_t port;

	if (import_number(import_word(n, 1), UINT16_MAX, &port))
		set(m, "port", json_integer(port));
	else
		note(m, n, "expected a port");
}

#define COMMON                                                                                     \
	{ "connect_ip", read_address }, { "connect_port", read_port }, { "bindto", read_address }, \
		{ "alpha", NULL }, { "connect_timeout", NULL }, { "retry", NULL },                 \
		{ "delay_before_retry", NULL }, { "warmup", NULL }, { "delay_loop", NULL },        \
	{                                                                                          \
		"log_all_failures", NULL                                                           \
	}

static const struct import_node *inherited(const struct making *m, const char *name)
{
	const struct import_node *n = import_child(m->scope->check, name);

	if (!n)
		n = import_child(m->scope->real_server, name);
	return n ? n : import_child(m->scope->virtual_server, name);
}

/* Seconds, perhaps with a fraction, as milliseconds. */
static uint32_t time_ms(const struct making *m, const char *name, double otherwise_s)
{
	const struct import_node *n = inherited(m, name);
	double s = otherwise_s;
	char *end;

	if (n) {
		s = strtod(import_word(n, 1), &end);
		if (end == import_word(n, 1) || *end || !isfinite(s) || s <= 0 || s > 86400) {
			note(m, n, "expected seconds");
			s = otherwise_s;
		}
	}
	return (uint32_t)lround(s * 1000);
}

static bool is_on(const struct import_node *n)
{
	const char *word = import_word(n, 1);

	return !*word || !strcmp(word, "on") || !strcmp(word, "yes") || !strcmp(word, "true");
}

/* nb_get_retry is what HTTP_GET and SSL_GET had first, and what most configurations have. */
static const struct import_node *retries_of(const struct making *m)
{
	const struct import_node *n = import_child(m->scope->check, "nb_get_retry");

	return n ? n : inherited(m, "retry");
}

/* The defaults are those of keepalived 2.2. */
static void read_times(struct making *m, uint32_t retries, double retry_delay_s)
{
	const struct import_node *n = retries_of(m), *alpha = inherited(m, "alpha");
	uint32_t interval = time_ms(m, "delay_loop", 60), fast;

	if (n && !import_number(import_word(n, 1), 999, &retries))
		note(m, n, "expected a number of retries");
	set(m, "interval_ms", json_integer(interval));
	fast = time_ms(m, "delay_before_retry", retry_delay_s > 0 ? retry_delay_s : interval / 1e3);
	if (retries > 0 && fast != interval)
		set(m, "fast_interval_ms", json_integer(fast));
	set(m, "timeout_ms", json_integer(time_ms(m, "connect_timeout", 5)));
	set(m, "rise", json_integer(1));
	set(m, "fall", json_integer(retries + 1));
	if (alpha && is_on(alpha))
		set_text(m, "initial", "down");
}

/* --- TCP_CHECK, PING_CHECK ----------------------------------------------------------------- */

static const struct option common_options[] = { COMMON };

static void read_plain(struct making *m)
{
	read_options(m, m->scope->check, common_options,
		     sizeof(common_options) / sizeof(*common_options));
	read_times(m, 1, 1);
}

/* --- HTTP_GET, SSL_GET --------------------------------------------------------------------- */

static void read_path(struct making *m, const struct import_node *n)
{
	set_text(m, "path", import_word(n, 1));
}

static void read_virtualhost(struct making *m, const struct import_node *n)
{
	set_text(m, "host", import_word(n, 1));
}

static void read_status(struct making *m, const struct import_node *n)
{
	json_t *list = json_array();
	uint32_t code;

	for (size_t i = 1; i < n->n_words; i++) {
		const char *word = import_word(n, i);

		json_array_append_new(list, import_number(word, 999, &code) ? json_integer(code)
									    : json_string(word));
	}
	set(m, "status", list);
}

static void read_regex(struct making *m, const struct import_node *n)
{
	set_text(m, "expect_regex", import_word(n, 1));
}

static void read_regex_options(struct making *m, const struct import_node *n)
{
	const char *regex = json_string_value(json_object_get(m->check, "expect_regex"));
	char *text;

	if (n->n_words != 2 || strcmp(import_word(n, 1), "caseless") != 0 || !regex) {
		note(m, n, "not carried over");
		return;
	}
	text = mem_printf("(?i)%s", regex);
	set_text(m, "expect_regex", text);
	free(text);
}

/* The sense of the match is another: without it, more is well than was. */
static void read_no_match(struct making *m, const struct import_node *n)
{
	json_object_del(m->check, "expect_regex");
	note(m, n, "not carried over, and the regular expression neither");
}

static const struct option url_options[] = {
	{ "path", read_path },
	{ "status_code", read_status },
	{ "virtualhost", read_virtualhost },
	{ "regex", read_regex },
	{ "regex_options", read_regex_options },
	{ "regex_no_match", read_no_match },
	{ "regex_stack", NULL },
};

static void read_url(struct making *m, const struct import_node *n)
{
	if (json_object_get(m->check, "path")) {
		note(m, n, "not carried over: a check asks for one path");
		return;
	}
	set_text(m, "path", "/");
	read_options(m, n, url_options, sizeof(url_options) / sizeof(*url_options));
}

static void read_version(struct making *m, const struct import_node *n)
{
	set_text(m, "version", !strcmp(import_word(n, 1), "1.1") ? "1.1" : "1.0");
}

static const struct option http_options[] = {
	COMMON,
	{ "url", read_url },
	{ "virtualhost", NULL }, /* was read before */
	{ "nb_get_retry", NULL },
	{ "http_protocol", read_version },
	{ "enable_sni", NULL }, /* fnat does when there is a name */
	{ "fast_recovery", NULL },
};

static void read_http(struct making *m)
{
	const struct import_node *host = inherited(m, "virtualhost");

	set(m, "status", json_pack("[s]", "200-299"));
	set_text(m, "version", "1.0");
	if (host)
		read_virtualhost(m, host);
	read_options(m, m->scope->check, http_options,
		     sizeof(http_options) / sizeof(*http_options));
	read_times(m, 1, 3);
}

/* --- SMTP_CHECK ---------------------------------------------------------------------------- */

static void read_helo(struct making *m, const struct import_node *n)
{
	set_text(m, "hostname", import_word(n, 1));
}

static void read_host(struct making *m, const struct import_node *n);

static const struct option smtp_options[] = {
	COMMON,
	{ "helo_name", read_helo },
	{ "host", read_host },
};

/* The older way to say where to connect. */
static void read_host(struct making *m, const struct import_node *n)
{
	read_options(m, n, common_options, sizeof(common_options) / sizeof(*common_options));
}

static void read_smtp(struct making *m)
{
	read_options(m, m->scope->check, smtp_options,
		     sizeof(smtp_options) / sizeof(*smtp_options));
	read_times(m, 1, 1);
}

/* --- DNS_CHECK ----------------------------------------------------------------------------- */

static void read_record(struct making *m, const struct import_node *n)
{
	set_text(m, "record", import_word(n, 1));
}

static void read_name(struct making *m, const struct import_node *n)
{
	set_text(m, "name", import_word(n, 1));
}

static const struct option dns_options[] = {
	COMMON,
	{ "type", read_record },
	{ "name", read_name },
};

static void read_dns(struct making *m)
{
	read_options(m, m->scope->check, dns_options, sizeof(dns_options) / sizeof(*dns_options));
	read_times(m, 3, 0);
}

/* --- MISC_CHECK ---------------------------------------------------------------------------- */

/* A program with its arguments, in one string or as words of their own. */
static void read_program(struct making *m, const struct import_node *n)
{
	json_t *args = json_array();
	const char *program = NULL, *slash;

	for (size_t i = 1; i < n->n_words; i++) {
		char *copy = mem_strdup(import_word(n, i)), *rest = copy, *word;

		while ((word = strsep(&rest, " \t"))) {
			if (!*word)
				continue;
			if (program) {
				json_array_append_new(args, json_string(word));
				continue;
			}
			slash = strrchr(word, '/');
			set_text(m, "program", slash ? slash + 1 : word);
			program = json_string_value(json_object_get(m->check, "program"));
		}
		free(copy);
	}
	if (json_array_size(args) > 0)
		set(m, "args", args);
	else
		json_decref(args);
	note(m, n, "the program's place is the directory of fnatd --programs");
}

static void read_dynamic(struct making *m, const struct import_node *n)
{
	(void)n;
	set(m, "dynamic_weight", json_true());
}

static const struct option misc_options[] = {
	COMMON,
	{ "misc_path", read_program },
	{ "misc_timeout", NULL }, /* below */
	{ "misc_dynamic", read_dynamic },
};

static void read_misc(struct making *m)
{
	double interval_s = time_ms(m, "delay_loop", 60) / 1e3;

	read_options(m, m->scope->check, misc_options,
		     sizeof(misc_options) / sizeof(*misc_options));
	read_times(m, 0, 1);
	set(m, "timeout_ms", json_integer(time_ms(m, "misc_timeout", interval_s)));
}

/* --- UDP_CHECK ----------------------------------------------------------------------------- */

/* "Ab12f 3" is AB 12 0F 03. False: there are other characters. */
static bool read_hex(const struct import_node *n, char *out, size_t size)
{
	size_t len = 0;

	for (size_t i = 1; i < n->n_words; i++) {
		const char *word = import_word(n, i);

		for (const char *c = word; *c; c += c[1] ? 2 : 1) {
			if (strspn(c, "0123456789abcdefABCDEF") < (c[1] ? 2 : 1) || len + 3 > size)
				return false;
			out[len++] = c[1] ? c[0] : '0';
			out[len++] = c[1] ? c[1] : c[0];
		}
	}
	out[len] = '\0';
	return true;
}

static void read_bytes(struct making *m, const struct import_node *n, const char *field)
{
	char hex[2 * 1024 + 1];

	if (!read_hex(n, hex, sizeof(hex)))
		note(m, n, "not carried over: expected hexadecimal digits");
	else if (*hex)
		set_text(m, field, hex);
}

static void read_payload(struct making *m, const struct import_node *n)
{
	read_bytes(m, n, "payload_hex");
}

static void read_reply(struct making *m, const struct import_node *n)
{
	set(m, "reply_required", json_true());
	read_bytes(m, n, "expect_hex");
}

static const struct option udp_options[] = {
	COMMON,
	{ "payload", read_payload },
	{ "require_reply", read_reply },
};

static void read_udp(struct making *m)
{
	set(m, "reply_required", json_false());
	read_options(m, m->scope->check, udp_options, sizeof(udp_options) / sizeof(*udp_options));
	read_times(m, 1, 1);
}

/* ------------------------------------------------------------------------------------------- */

static const struct {
	const char *name, *type;
	void (*read)(struct making *m);
} checks[] = {
	{ "TCP_CHECK", "tcp", read_plain },  { "PING_CHECK", "icmp", read_plain },
	{ "HTTP_GET", "http", read_http },   { "SSL_GET", "https", read_http },
	{ "SMTP_CHECK", "smtp", read_smtp }, { "DNS_CHECK", "dns", read_dns },
	{ "MISC_CHECK", "exec", read_misc }, { "UDP_CHECK", "udp", read_udp },
};

bool import_keepalived_check(struct import *im, struct import_service *s,
			     const struct keepalived_scope *scope)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		struct making m = { .im = im, .s = s, .scope = scope };

		if (strcmp(checks[i].name, import_word(scope->check, 0)) != 0)
			continue;
		m.check = json_pack("{s:s}", "type", checks[i].type);
		checks[i].read(&m);
		import_check(im, scope->check->at, s, m.check);
		return true;
	}
	return false;
}
