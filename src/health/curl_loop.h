/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libcurl's multi interface on a loop of libevent. */
#ifndef FNAT_HEALTH_CURL_LOOP_H
#define FNAT_HEALTH_CURL_LOOP_H

#include <curl/curl.h>
#include <event2/event.h>

struct curl_loop;

/* The handle has ended, and is still in the multi handle. */
typedef void curl_loop_done_fn(CURL *easy, CURLcode code);

/* NULL: no memory. */
struct curl_loop *curl_loop_new(struct event_base *base, curl_loop_done_fn *done);
/* No handle may be in it any more. NULL is fine. */
void curl_loop_free(struct curl_loop *l);
CURLM *curl_loop_multi(struct curl_loop *l);

#endif
