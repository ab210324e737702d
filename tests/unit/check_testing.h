/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of the checks of services share: a check in JSON, accepted or refused. */
#ifndef FNAT_TESTS_CHECK_TESTING_H
#define FNAT_TESTS_CHECK_TESTING_H

#include "model_testing.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct bad_check {
	const char *check;   /* in JSON */
	const char *pointer; /* of the problem, from the check on */
	const char *part;    /* of its message */
};

/* A service with this check; NULL and its problems in err when it is not accepted. */
static inline const struct service *with_check(const char *check, struct err *err)
{
	char *text = mem_printf("{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\","
				"\"port\":80}],\"pool\":\"lan\",\"check\":%s}",
				check);
	json_t *value = json_of(text);
	const struct service *s = service_from_json(value, "web", "/services/web", err);

	json_decref(value);
	free(text);
	return s;
}

/* It is accepted, and what it says is written, and read again as the same. */
static inline void ck_assert_check_kept(const char *check)
{
	struct err err = ERR_INIT;
	const struct service *s = with_check(check, &err), *again;
	json_t *written, *wanted = json_of(check), *value;
	const char *key;

	ck_assert_msg(s != NULL, "%s: %s", check, err_text(&err));
	written = service_to_json(s);
	json_object_foreach (wanted, key, value)
		ck_assert_msg(
			json_equal(json_object_get(json_object_get(written, "check"), key), value),
			"%s: %s", check, key);
	again = service_from_json(written, "web", "", &err);
	ck_assert(service_equal(s, again));
	json_decref(written);
	json_decref(wanted);
	service_unref(s);
	service_unref(again);
}

/* It is refused, for this alone. */
static inline void ck_assert_check_refused(const struct bad_check *bad)
{
	struct err err = ERR_INIT;
	char *pointer = mem_printf("/services/web/check%s", bad->pointer);

	ck_assert_msg(with_check(bad->check, &err) == NULL, "accepted: %s", bad->check);
	ck_assert_problem(&err, pointer, bad->part);
	ck_assert_uint_eq(err.n_problems, 1);
	free(pointer);
	err_fini(&err);
}

static inline void ck_assert_checks_differ(const char *a, const char *b)
{
	struct err err = ERR_INIT;
	const struct service *one = with_check(a, &err), *other = with_check(b, &err);

	ck_assert_msg(one && other, "%s, %s: %s", a, b, err_text(&err));
	ck_assert_msg(!service_equal(one, other), "%s, %s", a, b);
	service_unref(one);
	service_unref(other);
}

#endif
