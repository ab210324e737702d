/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Configurations of other balancers as fnat's. A reader (import_ipvsadm.c and
 * its neighbours) tells what it found by the functions here, which keep to
 * what the model takes; what does not fit becomes a note with its place. So
 * whatever the input is, the document is one that fnatd accepts.
 *
 * Pure: files that a configuration includes come from a function of the caller.
 */
#ifndef FNAT_FNATCTL_IMPORT_H
#define FNAT_FNATCTL_IMPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* Notes beyond these are only counted. */
#define IMPORT_NOTES_MAX 10000

struct import_place {
	const char *file; /* borrowed from the import */
	size_t line;      /* from 1 */
};

struct import_note {
	struct import_place at;
	char *text; /* owned */
};

struct import_service {
	char *name; /* of the service in the document; owned */
	struct import_place at;
	json_t *value;    /* owned */
	json_t *targets;  /* private: addresses and ports of its backends */
	bool is_rerouted; /* private: said already that it was DR or a tunnel */
};

/* All zero but for pool, which may be NULL; freed with import_fini(). */
struct import {
	const json_t *pool; /* the addresses of the pool, as in a document; borrowed */
	struct import_service *services;
	size_t n_services, cap_services;
	struct import_note *notes; /* in the order they were found */
	size_t n_notes, cap_notes, n_dropped;
	char **files; /* private */
	size_t n_files, cap_files;
	json_t *names, *listeners, *pools; /* private */
};

/* What a configuration includes: calls take() for each file that the pattern names, and returns
 * how many these were, or a negative errno. from is the file that includes. */
typedef void import_take_fn(void *ctx, const char *file, const char *text, size_t len);
typedef int import_include_fn(void *arg, const char *from, const char *pattern,
			      import_take_fn *take, void *ctx);
struct import_source {
	const char *name; /* of the file, for notes */
	const char *text;
	size_t len;
	import_include_fn *include; /* NULL: there are no files */
	void *arg;
};

/*
 * The readers: commands as `ipvsadm -Sn` prints them, keepalived.conf(5), the
 * JSON of nftlb's API. What is wrong becomes a note; -EINVAL and a problem in
 * err when nothing could be read at all.
 */
int import_ipvsadm(struct import *im, const struct import_source *src, struct err *err);
int import_keepalived(struct import *im, const struct import_source *src, struct err *err);
int import_nftlb(struct import *im, const struct import_source *src, struct err *err);

/* The document, once everything was read. The caller owns it. May add notes. */
json_t *import_finish(struct import *im);
void import_fini(struct import *im);

/* --- for the readers ----------------------------------------------------------------------- */

/* A name that lives as long as the import. */
const char *import_file(struct import *im, const char *name);

void import_note(struct import *im, struct import_place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same about a service: `service "web": ...`. */
void import_note_service(struct import *im, struct import_place at, const struct import_service *s,
			 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A new service, named as near to `wanted` as names may be. Valid until the next one is made. */
struct import_service *import_service(struct import *im, struct import_place at,
				      const char *wanted);
/* The same, named by what it listens on: "192.0.2.10-80-tcp". */
struct import_service *import_service_at(struct import *im, struct import_place at,
					 const struct addr *a, uint8_t protocol, uint16_t port);

void import_listener(struct import *im, struct import_place at, struct import_service *s,
		     const struct addr *a, uint8_t protocol, uint16_t port);

struct import_backend {
	const char *name; /* wanted; NULL: its address */
	struct addr address;
	uint16_t port; /* 0: the listener's */
	uint32_t weight;
	uint32_t max_connections, min_connections; /* 0: none */
	uint8_t priority;
	bool is_sorry, is_disabled;
};
/* False, and a note, when it cannot be one of the service's. */
bool import_backend(struct import *im, struct import_place at, struct import_service *s,
		    const struct import_backend *b);

/* By the names of IPVS (ipvsadm(8), -s). flags: "sh-port,mh-fallback", or NULL. */
void import_scheduler(struct import *im, struct import_place at, struct import_service *s,
		      const char *name, const char *flags);
void import_hash_key(struct import_service *s, const char *key);

/* timeout: seconds, as text; netmask: "255.255.255.0", or the bits of an IPv6 prefix, or NULL. */
void import_persistence(struct import *im, struct import_place at, struct import_service *s,
			const char *timeout, const char *netmask);

/*
 * A check of one of the service's backends (taken). A service has one for all of them, so one that
 * is not the same as the first is a note, and so is one that the model refuses.
 */
void import_check(struct import *im, struct import_place at, struct import_service *s,
		  json_t *check);

/* Once a service was read: takes away what the model does not take together. */
void import_settle(struct import *im, struct import_service *s);

/* Another field of the service (value taken), whose value the model takes. */
void import_set(struct import_service *s, const char *field, json_t *value);

/* How the other balancer sends packets on, when it is not NAT: "direct routing". Noted once. */
void import_rerouted(struct import *im, struct import_place at, struct import_service *s,
		     const char *how);

/* The service's pool is this one address. */
void import_pool(struct import *im, struct import_place at, struct import_service *s,
		 const struct addr *a);

/* Digits, at most max. */
bool import_number(const char *text, uint32_t max, uint32_t *out);

#endif
