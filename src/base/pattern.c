/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * POSIX's regexec() cannot be told to stop. PCRE2 counts its steps, but anew for each place where a
 * match might begin; so it is made to call back before each item of the pattern, and what it may
 * take altogether is counted there, in time of the processor: "(a*)*b" against some kilobytes of
 * "a" ends after 10 ms instead of hours. A pattern cannot lift the limits: what it may say about
 * them only lowers them.
 */
#include "base/pattern.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

#define MATCH_MAX_NS   10000000
#define MATCH_STEPS    1000000 /* from one place */
#define MATCH_HEAP_KIB 1024
#define LOOK_EVERY     16 /* callbacks: reading the clock takes longer than a step */

struct pattern {
	pcre2_code *code;
};

struct budget {
	unsigned int n;
	int64_t end_ns;
};

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int spend_cb(pcre2_callout_block *block, void *arg)
{
	struct budget *b = arg;

	(void)block;
	return ++b->n % LOOK_EVERY == 0 && cpu_ns() > b->end_ns ? PCRE2_ERROR_MATCHLIMIT : 0;
}

struct pattern *pattern_new(const char *text, char mistake[PATTERN_MISTAKE_BYTES])
{
	PCRE2_UCHAR what[120] = "";
	struct pattern *p;
	PCRE2_SIZE at;
	pcre2_code *code;
	int number;

	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
			     PCRE2_AUTO_CALLOUT | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
				     PCRE2_NEVER_BACKSLASH_C,
			     &number, &at, NULL);
	if (!code) {
		pcre2_get_error_message(number, what, sizeof(what));
		snprintf(mistake, PATTERN_MISTAKE_BYTES, "%s, at character %zu", (const char *)what,
			 (size_t)at);
		return NULL;
	}
	p = mem_zalloc(sizeof(*p));
	p->code = code;
	return p;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->code);
	free(p);
}

int pattern_find(const struct pattern *p, const void *data, size_t len)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *found = pcre2_match_data_create(1, NULL);
	struct budget budget = { .end_ns = cpu_ns() + MATCH_MAX_NS };
	int n = PCRE2_ERROR_NOMEMORY;

	if (limits && found) {
		pcre2_set_match_limit(limits, MATCH_STEPS);
		pcre2_set_heap_limit(limits, MATCH_HEAP_KIB);
		pcre2_set_callout(limits, spend_cb, &budget);
		n = pcre2_match(p->code, data, len, 0, 0, found, limits);
	}
	pcre2_match_data_free(found);
	pcre2_match_context_free(limits);
	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	return n < 0 ? -E2BIG : 1;
}
