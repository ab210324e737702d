/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes that libcurl makes, on the loop of the daemon. A type sets up its request on a handle and
 * judges how it went; connections, timeouts and what goes wrong in between are handled here.
 */
#ifndef FNAT_HEALTH_PROBE_CURL_H
#define FNAT_HEALTH_PROBE_CURL_H

#include <curl/curl.h>
#include <time.h>

#include "health/probe.h"
#include "model/check_tls.h"

/* All headers of an answer together, also those of 1xx answers and trailers. */
#define CURL_PROBE_HEADER_MAX 65536
/* Of a body; the rest is not waited for. */
#define CURL_PROBE_BODY_MAX 65536

/* One request, from start to end. */
struct transfer {
	struct probe *probe;
	CURL *easy;
	CURLM *multi; /* that it runs on, or NULL */
	struct curl_slist *headers, *connect_to;
	char error[CURL_ERROR_SIZE];
	int socket_error;     /* errno of a socket that could not be made */
	size_t n_header;      /* bytes so far */
	bool is_header_large; /* was cut off */
	bool has_header;      /* all of the last answer's */
	/* Of each line of headers and trailers, or NULL. */
	void (*take_header)(struct probe *p, const char *line, size_t len);
	bool keeps_body;
	bool is_body_cut;
	char *body; /* the first CURL_PROBE_BODY_MAX bytes, where keeps_body */
	size_t n_body, cap_body;
	const struct check_tls *tls; /* or NULL */
};

struct curl_probe;

struct curl_verdict {
	enum probe_result result;
	char reason[PROBE_REASON_BYTES];
};

/* How did it go? Only of requests that were answered in full, or as far as is of interest. */
typedef void curl_judge_fn(const struct curl_probe *c, const struct transfer *t,
			   struct curl_verdict *out);

/* The begin of the struct of each of these types. */
struct curl_probe {
	struct probe probe;
	struct transfer *transfer; /* while it runs */
	curl_judge_fn *judge;
};

/* struct probe_type's */
void probe_curl_cancel(struct probe *p);
void *probe_curl_open(struct prober *r);
void probe_curl_close(void *shared);

/*
 * A request to the target, of which the type has to say the rest. name: of the host that is asked
 * for, goes into the TLS handshake and the Host header; NULL: the address. NULL and probe_done()
 * was called when there is no memory.
 */
struct transfer *probe_curl_new(struct curl_probe *c, const char *scheme, const char *name,
				size_t name_len);
/* One more header. */
void transfer_header(struct transfer *t, const char *text);
/* Begin. tls: its options, or NULL when it is not over TLS; must live as long as the check. */
void probe_curl_start(struct curl_probe *c, const struct check_tls *tls, curl_judge_fn *judge);

/* Is the end of a certificate close? out: what to say of that, else "". Pure. */
void certificate_warning(time_t end, time_t now, unsigned int days, char out[PROBE_REASON_BYTES]);
/* The end of the certificate that the server showed, if it was to be watched; -1: not known. */
time_t transfer_certificate_end(const struct transfer *t);

#endif
