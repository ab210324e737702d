/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lenient on purpose: a fnatctl may talk to an older or a newer fnatd, and shows what it knows.
 */
#include "fnatctl/view.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/addr.h"
#include "base/mem.h"

const char *view_string(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

long long view_integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int view_family(const json_t *object)
{
	return strchr(view_string(object, "address"), ':') ? AF_INET6 : AF_INET;
}

const char *view_endpoint(const json_t *object, char buf[VIEW_BYTES])
{
	const char *address = view_string(object, "address");
	const char *protocol = view_string(object, "protocol");
	bool is_bracketed = strchr(address, ':') != NULL;
	long long port = view_integer(object, "port");

	if (port == 0)
		snprintf(buf, VIEW_BYTES, "%s%s%s", address, *protocol ? "/" : "", protocol);
	else
		snprintf(buf, VIEW_BYTES, "%s%s%s:%lld%s%s", is_bracketed ? "[" : "", address,
			 is_bracketed ? "]" : "", port, *protocol ? "/" : "", protocol);
	return buf;
}

const char *view_time(const json_t *object, char buf[VIEW_BYTES])
{
	time_t seconds = (time_t)(view_integer(object, "time_ms") / 1000);
	struct tm tm;

	*buf = '\0';
	if (seconds && localtime_r(&seconds, &tm))
		strftime(buf, VIEW_BYTES, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

const char *view_user(const json_t *object, char buf[VIEW_BYTES])
{
	long long uid = view_integer(object, "uid");
	const struct passwd *user = uid < 0 ? NULL : getpwuid((uid_t)uid);

	if (uid < 0)
		snprintf(buf, VIEW_BYTES, "fnatd");
	else if (user)
		snprintf(buf, VIEW_BYTES, "%s", user->pw_name);
	else
		snprintf(buf, VIEW_BYTES, "%lld", uid);
	return buf;
}

/* Appends to a text that the caller owns. */
static char *append(char *text, const char *item)
{
	char *longer = text ? mem_printf("%s, %s", text, item) : mem_strdup(item);

	free(text);
	return longer;
}

static char *append_rest(char *text, size_t n, size_t most)
{
	char *longer;

	if (n <= most)
		return text ? text : mem_strdup("");
	longer = mem_printf("%s and %zu more", text ? text : "", n - most);
	free(text);
	return longer;
}

char *view_listeners(const json_t *service, size_t most)
{
	const json_t *list = json_object_get(service, "listeners");
	size_t n = json_array_size(list);
	char buf[VIEW_BYTES], *text = NULL;

	for (size_t i = 0; i < n && i < most; i++)
		text = append(text, view_endpoint(json_array_get(list, i), buf));
	return append_rest(text, n, most);
}

char *view_addresses(const json_t *pool, size_t most)
{
	const json_t *list = json_object_get(pool, "addresses");
	size_t n = json_array_size(list);
	char *text = NULL;

	for (size_t i = 0; i < n && i < most; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		text = append(text, s ? s : "?");
	}
	return append_rest(text, n, most);
}

uint64_t view_count_addresses(const json_t *pool, int family)
{
	const json_t *list = json_object_get(pool, "addresses"), *item;
	struct addr_range range;
	uint64_t n = 0;
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (text && addr_range_parse(text, &range) == 0 && range.lo.family == family)
			n += addr_range_count(&range);
	}
	return n;
}
