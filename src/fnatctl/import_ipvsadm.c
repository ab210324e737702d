/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each line is a command of ipvsadm(8), with or without its name before it, so that a script of
 * such commands can be read as well. Short options may stand together ("-At"), as popt takes them.
 * Lines are independent but for the service that a server belongs to, which is found by what stands
 * after -t, -u or -f; so they need no order beyond that of ipvsadm itself.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/import.h"
#include "model/model.h"

#define WORDS_MAX   64
#define SCHEDULER   "wlc" /* ipvsadm's default */
#define PERSISTENCE "300" /* of -p alone, seconds */

/* One line of input: the words of its options, NULL where there was none. */
struct line {
	struct import *im;
	struct import_place at;
	char *words[WORDS_MAX];
	size_t n, next;

	const char *command; /* "add-service" */
	const char *tcp, *udp, *sctp, *mark, *server;
	const char *scheduler, *flags, *netmask, *persistence, *engine, *ops;
	const char *weight, *upper, *lower;
	const char *how; /* packets get to a server; the name of the option */
};

/* What becomes of an option. */
enum kind {
	COMMAND, /* its name goes to the field */
	SWITCH,  /* the same */
	VALUE,   /* the word after it does */
	NUMBER,  /* the word after it, if that is a number */
	IGNORED, /* has no value and does not matter here */
};

#define FIELD(name) offsetof(struct line, name)

static const struct option {
	char letter; /* or NUL */
	const char *name;
	enum kind kind;
	size_t field;
} options[] = {
	{ 'A', "add-service", COMMAND, FIELD(command) },
	{ 'a', "add-server", COMMAND, FIELD(command) },
	{ 'E', "edit-service", COMMAND, FIELD(command) },
	{ 'e', "edit-server", COMMAND, FIELD(command) },
	{ 'D', "delete-service", COMMAND, FIELD(command) },
	{ 'd', "delete-server", COMMAND, FIELD(command) },
	{ 'C', "clear", COMMAND, FIELD(command) },
	{ 'Z', "zero", COMMAND, FIELD(command) },
	{ 0, "set", COMMAND, FIELD(command) },
	{ 0, "start-daemon", COMMAND, FIELD(command) },
	{ 0, "stop-daemon", COMMAND, FIELD(command) },
	{ 't', "tcp-service", VALUE, FIELD(tcp) },
	{ 'u', "udp-service", VALUE, FIELD(udp) },
	{ 0, "sctp-service", VALUE, FIELD(sctp) },
	{ 'f', "fwmark-service", VALUE, FIELD(mark) },
	{ 'r', "real-server", VALUE, FIELD(server) },
	{ 's', "scheduler", VALUE, FIELD(scheduler) },
	{ 'b', "sched-flags", VALUE, FIELD(flags) },
	{ 'p', "persistent", NUMBER, FIELD(persistence) },
	{ 'M', "netmask", VALUE, FIELD(netmask) },
	{ 0, "pe", VALUE, FIELD(engine) },
	{ 'o', "ops", SWITCH, FIELD(ops) },
	{ 'w', "weight", VALUE, FIELD(weight) },
	{ 'x', "u-threshold", VALUE, FIELD(upper) },
	{ 'y', "l-threshold", VALUE, FIELD(lower) },
	{ 'g', "gatewaying", SWITCH, FIELD(how) },
	{ 'i', "ipip", SWITCH, FIELD(how) },
	{ 'm', "masquerading", SWITCH, FIELD(how) },
	{ '6', "ipv6", IGNORED, 0 },
	{ 'n', "numeric", IGNORED, 0 },
	{ 0, "tun-type", VALUE, FIELD(how) },
	{ 0, "tun-port", VALUE, FIELD(how) },
	{ 0, "tun-nocsum", SWITCH, FIELD(how) },
	{ 0, "tun-csum", SWITCH, FIELD(how) },
	{ 0, "tun-remcsum", SWITCH, FIELD(how) },
};

#define N_OPTIONS (sizeof(options) / sizeof(*options))

static const struct option *find_option(char letter, const char *name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (name ? !strcmp(options[i].name, name) : options[i].letter == letter)
			return &options[i];
	return NULL;
}

static bool is_number(const char *word)
{
	uint32_t n;

	return import_number(word, UINT32_MAX, &n);
}

/* rest: what is attached to the option ("-w1", "--weight=1"), or NULL. False, and a note. */
static bool take_option(struct line *l, const struct option *o, const char *rest)
{
	const char *value = o->name;

	if (o->kind == VALUE || o->kind == NUMBER) {
		value = rest;
		if (!value && l->next < l->n && (o->kind == VALUE || is_number(l->words[l->next])))
			value = l->words[l->next++];
		if (!value && o->kind == NUMBER)
			value = PERSISTENCE;
	}
	if (!value) {
		import_note(l->im, l->at, "--%s: without a value", o->name);
		return false;
	}
	if (o->kind != IGNORED)
		memcpy((char *)l + o->field, &value, sizeof(value));
	return true;
}

static bool unknown_option(struct line *l, const char *word)
{
	import_note(l->im, l->at, "\"%s\": not an option of ipvsadm that is known here", word);
	return false;
}

static bool take_long(struct line *l, char *word)
{
	char *value = strchr(word, '=');
	const struct option *o;

	if (value)
		*value++ = '\0';
	o = find_option(0, word + 2);
	return o ? take_option(l, o, value) : unknown_option(l, word);
}

static bool take_short(struct line *l, const char *word)
{
	for (const char *c = word + 1; *c; c++) {
		const struct option *o = find_option(*c, NULL);
		bool has_value = o && (o->kind == VALUE || o->kind == NUMBER);

		if (!o)
			return unknown_option(l, word);
		if (!take_option(l, o, has_value && c[1] ? c + 1 : NULL))
			return false;
		if (has_value)
			break;
	}
	return true;
}

static bool read_options(struct line *l)
{
	while (l->next < l->n) {
		char *word = l->words[l->next++];

		if (word[0] != '-' || !word[1]) {
			/* Numbers of --set, the state of --start-daemon: the command is noted. */
			if (!l->command)
				return unknown_option(l, word);
		} else if (!(word[1] == '-' ? take_long(l, word) : take_short(l, word))) {
			return false;
		}
	}
	return true;
}

/* --- addresses ----------------------------------------------------------------------------- */

/* "192.0.2.10:80", "[2001:db8::1]:80", "192.0.2.10" (port 0). */
static bool parse_endpoint(const char *text, struct addr *a, uint16_t *port)
{
	const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
	const char *colon = end && *end == ']' ? end + 1 : end;
	char host[ADDR_STRLEN];
	uint32_t n = 0;
	size_t len;

	if (*text == '[' && !end)
		return false;
	if (*text != '[' && end && strchr(end + 1, ':'))
		end = colon = NULL; /* a bare IPv6 address */
	text += *text == '[';
	len = end ? (size_t)(end - text) : strlen(text);
	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	if (colon && *colon && (*colon != ':' || !import_number(colon + 1, UINT16_MAX, &n)))
		return false;
	*port = (uint16_t)n;
	return addr_parse(host, a) == 0;
}

static bool read_endpoint(const struct line *l, const char *text, struct addr *a, uint16_t *port)
{
	if (parse_endpoint(text, a, port))
		return true;
	import_note(l->im, l->at,
		    "\"%s\": expected ADDRESS:PORT in numbers, as `ipvsadm -Sn` prints them", text);
	return false;
}

/* What the line is about: the protocol and what stands after -t, -u ... */
static const char *target_of(const struct line *l, uint8_t *protocol)
{
	*protocol = l->tcp ? IPPROTO_TCP : l->udp ? IPPROTO_UDP : l->sctp ? IPPROTO_SCTP : 0;
	return l->tcp ? l->tcp : l->udp ? l->udp : l->sctp ? l->sctp : l->mark;
}

/* --- services and servers ------------------------------------------------------------------ */

/* IPVS forgets a datagram at once, and finds the way of its answer nevertheless. */
static void add_one_packet(const struct line *l, struct import_service *s, uint8_t protocol)
{
	if (!l->ops)
		return;
	if (protocol != IPPROTO_UDP) {
		import_note_service(l->im, l->at, s, "one-packet scheduling: only with UDP");
		return;
	}
	json_object_set_new_nocheck(s->value, "udp_timeout_s", json_integer(1));
	import_note_service(l->im, l->at, s,
			    "one-packet scheduling: a port of a client is scheduled anew after a "
			    "second without datagrams (udp_timeout_s); where nothing is answered "
			    "use one_packet");
}

static void read_persistence(const struct line *l, struct import_service *s)
{
	if (l->persistence)
		import_persistence(l->im, l->at, s, l->persistence, l->netmask);
	if (l->engine)
		import_note_service(l->im, l->at, s, "persistence engine \"%s\": not carried over",
				    l->engine);
}

static void add_service(struct line *l, json_t *services, const char *key, const char *target,
			uint8_t protocol)
{
	struct import_service *s;
	struct addr a;
	uint16_t port;

	json_object_set_new_nocheck(services, key, json_null());
	if (!protocol)
		import_note(l->im, l->at, "firewall mark %s: not carried over", target);
	if (!protocol || !read_endpoint(l, target, &a, &port))
		return;
	json_object_set_new_nocheck(services, key, json_integer((json_int_t)l->im->n_services));
	s = import_service_at(l->im, l->at, &a, protocol, port);
	import_listener(l->im, l->at, s, &a, protocol, port);
	import_scheduler(l->im, l->at, s, l->scheduler ? l->scheduler : SCHEDULER, l->flags);
	read_persistence(l, s);
	add_one_packet(l, s, protocol);
}

/* IPVS's limits; a lower one without an upper one has no effect there. */
static void read_limits(struct line *l, const struct import_service *s, struct import_backend *b)
{
	bool is_number =
		(!l->upper ||
		 import_number(l->upper, MODEL_CONNECTIONS_MAX, &b->max_connections)) &&
		(!l->lower || import_number(l->lower, MODEL_CONNECTIONS_MAX, &b->min_connections));

	if (is_number && (b->min_connections <= b->max_connections || b->max_connections == 0))
		return;
	import_note_service(l->im, l->at, s, "backend %s: thresholds %s and %s: not carried over",
			    l->server, l->upper ? l->upper : "0", l->lower ? l->lower : "0");
	b->max_connections = b->min_connections = 0;
}

static void add_server(struct line *l, struct import_service *s)
{
	struct import_backend b = { .weight = MODEL_WEIGHT_DEFAULT };
	bool is_nat = l->how && !strcmp(l->how, "masquerading");

	if (!l->server) {
		import_note_service(l->im, l->at, s, "a server without -r");
		return;
	}
	if (!read_endpoint(l, l->server, &b.address, &b.port))
		return;
	if (l->weight && !import_number(l->weight, MODEL_WEIGHT_MAX, &b.weight))
		import_note_service(l->im, l->at, s,
				    "backend %s: weight \"%s\": expected 0 to %d; 1 instead",
				    l->server, l->weight, MODEL_WEIGHT_MAX);
	if (!is_nat)
		import_rerouted(l->im, l->at, s,
				l->how && strcmp(l->how, "gatewaying") != 0 ? "a tunnel"
									    : "direct routing");
	read_limits(l, s, &b);
	import_backend(l->im, l->at, s, &b);
}

static void run_line(struct line *l, json_t *services)
{
	uint8_t protocol;
	const char *target = target_of(l, &protocol);
	char *key = mem_printf("%u %s", protocol, target ? target : "");
	const json_t *known = json_object_get(services, key);

	if (!l->command)
		import_note(l->im, l->at, "no command of ipvsadm");
	else if (strcmp(l->command, "add-service") != 0 && strcmp(l->command, "add-server") != 0)
		import_note(l->im, l->at, "--%s: not carried over", l->command);
	else if (!target)
		import_note(l->im, l->at, "no service: expected -t, -u, --sctp-service or -f");
	else if (!strcmp(l->command, "add-service") && known)
		import_note(l->im, l->at, "service %s: added a second time", target);
	else if (!strcmp(l->command, "add-service"))
		add_service(l, services, key, target, protocol);
	else if (!known)
		import_note(l->im, l->at, "server of %s, which was not added before", target);
	else if (json_is_null(known))
		import_note(l->im, l->at, "server of %s: left out with its service", target);
	else
		add_server(l, &l->im->services[json_integer_value(known)]);
	free(key);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_ipvsadm(const char *word)
{
	const char *base = strrchr(word, '/');

	base = base ? base + 1 : word;
	return !strcmp(base, "ipvsadm");
}

static bool split_line(struct line *l, char *text)
{
	char *rest = text, *word;

	while ((word = strsep(&rest, " \t\r"))) {
		if (!*word)
			continue;
		if (l->n == WORDS_MAX) {
			import_note(l->im, l->at, "more than %d words", WORDS_MAX);
			return false;
		}
		l->words[l->n++] = word;
	}
	return l->n > 0;
}

static void read_line(struct import *im, struct import_place at, const char *text, size_t len,
		      json_t *services)
{
	struct line l = { .im = im, .at = at };
	char *copy = mem_strndup(text, len);

	copy[strcspn(copy, "#")] = '\0';
	if (split_line(&l, copy)) {
		l.next = is_ipvsadm(l.words[0]);
		if (read_options(&l))
			run_line(&l, services);
	}
	free(copy);
}

int import_ipvsadm(struct import *im, const struct import_source *src, struct err *err)
{
	struct import_place at = { import_file(im, src->name), 1 };
	json_t *services = json_object();
	const char *text = src->text, *end = text + src->len;

	(void)err; /* a line that cannot be read is a note: the others can */
	if (!services)
		abort(); /* as in mem.c */
	for (; text < end; at.line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t len = eol ? (size_t)(eol - text) : (size_t)(end - text);

		read_line(im, at, text, len, services);
		text += len + (eol != NULL);
	}
	json_decref(services);
	return 0;
}
