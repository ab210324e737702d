/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP requests to fnatd over its Unix socket. One connection, kept open.
 */
#ifndef FNAT_FNATCTL_CLIENT_H
#define FNAT_FNATCTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* An answer that is longer is given up. */
#define CLIENT_ANSWER_MAX_BYTES ((size_t)1 << 30)

struct client;

/* Neither connects nor fails. socket_path is borrowed. timeout_s: of a whole request; 0: none. */
struct client *client_new(const char *socket_path, long timeout_s);
void client_free(struct client *c); /* NULL is fine */

struct request {
	const char *method;       /* "GET" */
	const char *path;         /* "/v1/services/web?dry_run=1", percent-encoded */
	const char *body;         /* NULL: none */
	size_t len;               /* of body */
	const char *content_type; /* of body */
	const char *if_match;     /* a generation in digits, or NULL */
	bool only_creates;        /* If-None-Match: * */
	/*
	 * Takes the body of an answer 2xx piece by piece, which is then not collected in the reply;
	 * false: no more of it. NULL: none.
	 */
	bool (*take)(void *arg, const char *data, size_t len);
	void *take_arg;
	bool is_endless; /* the answer is a stream: however long it takes */
};

struct reply {
	long status;
	char *content_type; /* without parameters; "" when there is none; owned */
	char *body;         /* NUL after the last byte; owned */
	size_t len, cap;
	uint64_t generation; /* of the ETag; 0 when there is none */
};

void reply_fini(struct reply *r);

/* How far a request is; size 0: not known. Called at least once a second. */
typedef void client_progress_fn(void *arg, uint64_t sent, uint64_t size, uint64_t received);

/* For the requests from now on; NULL: none. */
void client_set_progress(struct client *c, client_progress_fn *progress, void *arg);

/*
 * 0 when there is an answer, whatever its status. ERR_SYSTEM with a message
 * about what may be done when nobody answers; -ECANCELED when take() wanted no
 * more of it. *out is initialised in any case.
 */
int client_send(struct client *c, const struct request *rq, struct reply *out, struct err *err);

/* The group whose members the socket lets in: its name, or its number. NULL: root only, or not
 * known. Owned by the caller. */
char *client_group(const char *socket_path);

/* A segment of a path, percent-encoded. Owned by the caller. */
char *client_escape(const char *segment);

#endif
