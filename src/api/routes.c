/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Routes are found by walking the table: a few dozen string comparisons, nothing
 * beside what a request costs anyway. 404 and 405 (with its Allow) follow from the
 * table, too.
 *
 * Query parameters that a route does not take are refused instead of ignored: a mistyped
 * ?dry_run would otherwise make the change.
 */
#include "api/routes.h"

#include <string.h>

#include "api/edit.h"
#include "api/handlers.h"

static const struct route routes[] = {
	{ "GET", "/v1/config", config_get, NULL, "" },
	{ "PUT", "/v1/config", NULL, &config_put, "dry_run confirm_s" },

	{ "GET", "/v1/services", services_get, NULL, "" },
	{ "GET", "/v1/services/{service}", service_get, NULL, "" },
	{ "PUT", "/v1/services/{service}", NULL, &service_put, "dry_run" },
	{ "PATCH", "/v1/services/{service}", NULL, &service_patch, "dry_run" },
	{ "DELETE", "/v1/services/{service}", NULL, &service_delete, "dry_run" },
	{ "GET", "/v1/services/{service}/placements", placements_get, NULL, "" },
	{ "GET", "/v1/services/{service}/limits", limits_get, NULL, "" },
	{ "GET", "/v1/services/{service}/persistence", persistence_get, NULL,
	  "client backend max" },
	{ "DELETE", "/v1/services/{service}/persistence", persistence_delete, NULL,
	  "client backend" },

	{ "GET", "/v1/services/{service}/health", health_get_service, NULL, "" },

	{ "GET", "/v1/services/{service}/backends", backends_get, NULL, "" },
	{ "GET", "/v1/services/{service}/backends/{backend}", backend_get, NULL, "" },
	{ "PUT", "/v1/services/{service}/backends/{backend}", NULL, &backend_put, "dry_run" },
	{ "PATCH", "/v1/services/{service}/backends/{backend}", NULL, &backend_patch, "dry_run" },
	{ "DELETE", "/v1/services/{service}/backends/{backend}", NULL, &backend_delete, "dry_run" },

	{ "GET", "/v1/services/{service}/backends/{backend}/state", state_get, NULL, "wait_s" },
	{ "PUT", "/v1/services/{service}/backends/{backend}/state", NULL, &state_put, "dry_run" },

	{ "GET", "/v1/pools", pools_get, NULL, "" },
	{ "GET", "/v1/pools/{pool}", pool_get, NULL, "" },
	{ "PUT", "/v1/pools/{pool}", NULL, &pool_put, "dry_run" },
	{ "PATCH", "/v1/pools/{pool}", NULL, &pool_patch, "dry_run" },
	{ "DELETE", "/v1/pools/{pool}", NULL, &pool_delete, "dry_run" },

	{ "POST", "/v1/changes", NULL, &changes_post, "dry_run confirm_s" },

	{ "GET", "/v1/history", history_get, NULL, "before max" },
	{ "GET", "/v1/diff", diff_get, NULL, "from to" },
	{ "POST", "/v1/rollback", rollback_post, NULL, "dry_run" },
	{ "POST", "/v1/confirm", confirm_post, NULL, "" },
	{ "GET", "/v1/events", events_get, NULL, "since" },

	{ "GET", "/v1/health", health_get_all, NULL, "" },
	{ "GET", "/v1/connections", connections_get, NULL,
	  "service backend protocol client virtual local state min_age_s max_age_s max count" },
	{ "DELETE", "/v1/connections", connections_delete, NULL,
	  "service backend protocol client virtual local state min_age_s max_age_s all" },
	{ "GET", "/v1/explain", explain_get, NULL, "protocol client virtual" },
	{ "GET", "/v1/origin", origin_get, NULL, "protocol local backend" },

	{ "GET", "/v1/stats", stats_get, NULL, "service backend pool" },
	{ "DELETE", "/v1/stats", stats_delete, NULL, "service" },
	{ "GET", "/v1/status", status_get, NULL, "" },
	{ "GET", "/v1/doctor", doctor_get, NULL, "" },
	{ "GET", "/metrics", metrics_get, NULL, "" },
	{ "GET", "/v1/ruleset", ruleset_get, NULL, "" },
	{ "POST", "/v1/verify", verify_post, NULL, "" },
	{ "POST", "/v1/flush", flush_post, NULL, "" },
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* One segment of a pattern, without its slash: start and length. */
static const char *pattern_segment(const char **rest, size_t *len)
{
	const char *s = *rest;

	if (*s != '/')
		return NULL;
	s++;
	*len = strcspn(s, "/");
	*rest = s + *len;
	return s;
}

static bool matches(const char *pattern, const char *const *segments, size_t n_segments,
		    const char *names[ROUTE_NAMES_MAX])
{
	size_t i = 0, n_names = 0, len;
	const char *s;

	while ((s = pattern_segment(&pattern, &len))) {
		if (i == n_segments)
			return false;
		if (*s == '{')
			names[n_names++] = segments[i];
		else if (strncmp(s, segments[i], len) != 0 || segments[i][len] != '\0')
			return false;
		i++;
	}
	return i == n_segments;
}

enum route_match route_find(const char *method, const char *const *segments, size_t n_segments,
			    const struct route **out, const char *names[ROUTE_NAMES_MAX])
{
	enum route_match result = ROUTE_NO_PATH;

	if (strcmp(method, "HEAD") == 0)
		method = "GET";
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!matches(routes[i].pattern, segments, n_segments, names))
			continue;
		result = ROUTE_NO_METHOD;
		if (strcmp(routes[i].method, method) != 0)
			continue;
		*out = &routes[i];
		return ROUTE_FOUND;
	}
	return result;
}

const char *route_allow(const char *const *segments, size_t n_segments, char buf[ROUTE_ALLOW_BYTES])
{
	const char *names[ROUTE_NAMES_MAX];
	char *end = buf;

	*buf = '\0';
	for (size_t i = 0; i < N_ROUTES; i++) {
		if (!matches(routes[i].pattern, segments, n_segments, names))
			continue;
		end = stpcpy(stpcpy(end, routes[i].method), ", ");
		if (strcmp(routes[i].method, "GET") == 0)
			end = stpcpy(end, "HEAD, ");
	}
	if (end > buf)
		strcpy(end, "OPTIONS");
	return buf;
}

bool route_takes(const struct route *r, const char *parameter)
{
	size_t len = strlen(parameter);

	for (const char *p = r->query; *p; p += strspn(p, " ")) {
		size_t n = strcspn(p, " ");

		if (n == len && strncmp(p, parameter, n) == 0)
			return true;
		p += n;
	}
	return false;
}

const struct route *route_at(size_t i)
{
	return i < N_ROUTES ? &routes[i] : NULL;
}
