/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store on a real file system: what is written is read back, undone, compared, pruned. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store.h"
#include "suite.h"

static char dir[64];
static struct model *model;
static uint64_t generation;

static void setup(void)
{
	strcpy(dir, "/tmp/fnat-test-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	model = model_new();
	generation = 0;
}

static void teardown(void)
{
	char *command = mem_printf("rm -rf '%s'", dir);

	model_free(model);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

static struct store *must_open_keep(unsigned int keep)
{
	struct store_options opt = { .dir = dir, .generations = keep };
	struct err err = ERR_INIT;
	struct store *s = NULL;

	ck_assert_msg(store_open(&opt, &s, &err) == 0, "%s", err_text(&err));
	return s;
}

static struct store *must_open(void)
{
	return must_open_keep(0);
}

static int try_open(bool is_renewed, struct err *err)
{
	struct store_options opt = { .dir = dir, .is_renewed = is_renewed };
	struct store *s = NULL;
	int rc = store_open(&opt, &s, err);

	store_close(s);
	return rc;
}

static const struct service *make_service(const char *name, int weight)
{
	struct err err = ERR_INIT;
	char *text = mem_printf("{\"listeners\":[{\"address\":\"192.0.2.1\",\"protocol\":\"tcp\","
				"\"port\":80}],\"pool\":\"lan\",\"backends\":{\"a\":{\"address\":"
				"\"10.1.0.1\",\"port\":80,\"weight\":%d}}}",
				weight);
	json_t *value = json_parse(text, strlen(text), &err);
	const struct service *s = service_from_json(value, name, "", &err);

	ck_assert_msg(s != NULL, "%s", err_text(&err));
	json_decref(value);
	free(text);
	return s;
}

/* weight < 0: the service goes. Writes the next generation and keeps the model in step. */
static int write_confirmed(struct store *s, const char *name, int weight, int64_t rollback_at_ms,
			   struct err *err)
{
	const struct service *after = weight < 0 ? NULL : make_service(name, weight);
	struct changes changes = { 0 };
	struct store_generation g = { .generation = generation + 1,
				      .time_ms = 1000,
				      .uid = 0,
				      .pid = 7,
				      .what = "test",
				      .rollback_at_ms = rollback_at_ms,
				      .changes = &changes };
	int rc;

	model_want_service(model, name, after, &changes);
	rc = store_write(s, &g, 1, err);
	if (!rc) {
		model_apply(model, &changes);
		generation++;
	}
	changes_fini(&changes);
	service_unref(after);
	return rc;
}

static int write_one(struct store *s, const char *name, int weight, struct err *err)
{
	return write_confirmed(s, name, weight, 0, err);
}

static void must_write(struct store *s, const char *name, int weight)
{
	struct err err = ERR_INIT;

	ck_assert_msg(write_one(s, name, weight, &err) == 0, "%s", err_text(&err));
}

/* The weight of the only backend of a stored service; -1 when there is no such service. */
static int stored_weight(struct store *s, const char *name)
{
	struct store_state state;
	struct config config = { 0 };
	struct err err = ERR_INIT;
	int weight = -1;

	ck_assert_msg(store_load(s, &state, &config, &err) == 0, "%s", err_text(&err));
	for (size_t i = 0; i < config.n_services; i++)
		if (strcmp(config.services[i]->name, name) == 0)
			weight = (int)config.services[i]->backends[0].weight;
	config_fini(&config);
	return weight;
}

START_TEST(test_read_back)
{
	struct store *s = must_open();
	struct store_state state;
	struct config config = { 0 };
	struct err err = ERR_INIT;

	ck_assert_int_eq(stored_weight(s, "web"), -1);
	must_write(s, "web", 3);
	must_write(s, "web", 4);
	must_write(s, "mail", 9);
	store_confirm(s, 2);
	store_close(s);

	s = must_open();
	ck_assert_int_eq(stored_weight(s, "web"), 4);
	ck_assert_int_eq(stored_weight(s, "mail"), 9);
	ck_assert_int_eq(store_load(s, &state, &config, &err), 0);
	ck_assert_uint_eq(state.generation, 3);
	ck_assert_uint_eq(state.confirmed, 2);
	ck_assert_int_eq(state.rollback_at_ms, 0);
	config_fini(&config);
	store_close(s);
}
END_TEST

START_TEST(test_revert)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;

	must_write(s, "web", 1);
	must_write(s, "mail", 5);
	must_write(s, "web", 2);
	must_write(s, "mail", -1);
	must_write(s, "dns", 6);
	ck_assert_int_eq(store_revert(s, 2, &err), 0);
	ck_assert_int_eq(stored_weight(s, "web"), 1);
	ck_assert_int_eq(stored_weight(s, "mail"), 5);
	ck_assert_int_eq(stored_weight(s, "dns"), -1);
	ck_assert_int_eq(store_revert(s, 0, &err), 0);
	ck_assert_int_eq(stored_weight(s, "web"), -1);
	store_close(s);
}
END_TEST

static int diff_weight(const json_t *row, const char *side)
{
	const json_t *service = json_object_get(row, side);

	if (json_is_null(service))
		return -1;
	return (int)json_integer_value(json_object_get(
		json_object_get(json_object_get(service, "backends"), "a"), "weight"));
}

START_TEST(test_diff)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;
	json_t *diff;

	must_write(s, "web", 1);  /* 1 */
	must_write(s, "web", 2);  /* 2 */
	must_write(s, "mail", 7); /* 3 */
	must_write(s, "web", 3);  /* 4 */
	must_write(s, "mail", 8); /* 5 */

	diff = store_diff(s, 1, 3, &err);
	ck_assert_uint_eq(json_array_size(diff), 2);
	ck_assert_int_eq(diff_weight(json_array_get(diff, 0), "before"), -1); /* mail */
	ck_assert_int_eq(diff_weight(json_array_get(diff, 0), "after"), 7);
	ck_assert_int_eq(diff_weight(json_array_get(diff, 1), "before"), 1); /* web */
	ck_assert_int_eq(diff_weight(json_array_get(diff, 1), "after"), 2);
	json_decref(diff);

	diff = store_diff(s, 5, 2, &err);
	ck_assert_uint_eq(json_array_size(diff), 2);
	ck_assert_int_eq(diff_weight(json_array_get(diff, 0), "before"), 8);
	ck_assert_int_eq(diff_weight(json_array_get(diff, 0), "after"), -1);
	json_decref(diff);

	diff = store_diff(s, 4, 4, &err);
	ck_assert_uint_eq(json_array_size(diff), 0);
	json_decref(diff);

	ck_assert_ptr_null(store_diff(s, 1, 6, &err));
	ck_assert_int_eq(err.kind, ERR_NOT_FOUND);
	err_fini(&err);
	store_close(s);
}
END_TEST

START_TEST(test_history_is_bounded)
{
	struct store *s = must_open_keep(10);
	struct err err = ERR_INIT;
	json_t *list;

	for (int i = 0; i < 30; i++)
		must_write(s, "web", i + 1);
	list = store_history(s, 0, 100, &err);
	ck_assert_uint_eq(json_array_size(list), 10);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "generation")),
			 30);
	json_decref(list);
	list = store_history(s, 25, 2, &err);
	ck_assert_uint_eq(json_array_size(list), 2);
	ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 0), "generation")),
			 24);
	json_decref(list);
	list = store_diff(s, 20, 30, &err); /* the oldest that can still be reached */
	ck_assert_int_eq(diff_weight(json_array_get(list, 0), "before"), 20);
	json_decref(list);
	ck_assert_ptr_null(store_diff(s, 19, 30, &err));
	err_fini(&err);
	store_close(s);
}
END_TEST

static struct store_state state_of(struct store *s)
{
	struct store_state state;
	struct config config = { 0 };
	struct err err = ERR_INIT;

	ck_assert_int_eq(store_load(s, &state, &config, &err), 0);
	config_fini(&config);
	return state;
}

static struct store *reopened(struct store *s)
{
	store_close(s);
	return must_open();
}

START_TEST(test_rollback_is_remembered)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;

	must_write(s, "web", 1);
	ck_assert_int_eq(write_confirmed(s, "web", 2, 1234567890123, &err), 0);
	must_write(s, "web", 3);
	s = reopened(s);
	ck_assert_uint_eq(state_of(s).rollback_to, 1);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 1234567890123);
	ck_assert_int_eq(store_forget_rollback(s, &err), 0);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 0);
	s = reopened(s);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 0);
	store_close(s);
}
END_TEST

/* From the very first change, too. */
START_TEST(test_rollback_goes_with_its_generation)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;

	ck_assert_int_eq(write_confirmed(s, "web", 1, 1234567890123, &err), 0);
	ck_assert_uint_eq(state_of(s).rollback_to, 0);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 1234567890123);
	ck_assert_int_eq(write_one(s, "web", 2, &err), 0);
	ck_assert_int_eq(store_revert(s, 1, &err), 0); /* a later one */
	s = reopened(s);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 1234567890123);
	ck_assert_int_eq(store_revert(s, 0, &err), 0);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 0);
	s = reopened(s);
	ck_assert_int_eq(state_of(s).rollback_at_ms, 0);
	store_close(s);
}
END_TEST

/* Nothing that leads back is pruned, however much changes; but there is an end to it. */
START_TEST(test_the_way_back_is_kept)
{
	struct store_options opt = { .dir = dir, .generations = 3, .rows = 20 };
	struct err err = ERR_INIT;
	struct store *s;
	json_t *list;

	ck_assert_int_eq(store_open(&opt, &s, &err), 0);
	must_write(s, "web", 1);
	must_write(s, "web", 2);
	ck_assert_int_eq(write_confirmed(s, "web", 3, 1234567890123, &err), 0);
	for (int weight = 4; write_one(s, "web", weight, &err) == 0; weight++)
		ck_assert_int_lt(weight, 40);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(err_text(&err), "generation 2"));
	err_reset(&err);
	list = store_diff(s, generation, 2, &err);
	ck_assert_int_eq(diff_weight(json_array_get(list, 0), "after"), 2);
	json_decref(list);
	ck_assert_int_eq(store_forget_rollback(s, &err), 0);
	must_write(s, "web", 100);
	list = store_history(s, 0, 100, &err);
	ck_assert_uint_eq(json_array_size(list), 3);
	json_decref(list);
	store_close(s);
}
END_TEST

static int file_pages(const char *suffix)
{
	char *path = mem_printf("%s/" STORE_FILE "%s", dir, suffix);
	struct stat st = { 0 };

	ck_assert_int_eq(stat(path, &st), 0);
	free(path);
	return (int)(st.st_size / 4096);
}

/* A write never moves the log by itself; when it is moved, nothing is lost and it begins anew. */
START_TEST(test_checkpoint)
{
	struct store *s = must_open();
	int weight = 0, database = file_pages(""), log;

	while (store_wants_checkpoint(s) == CHECKPOINT_NONE)
		must_write(s, "web", ++weight);
	ck_assert_int_eq(store_wants_checkpoint(s), CHECKPOINT_DUE);
	while (store_wants_checkpoint(s) == CHECKPOINT_DUE)
		must_write(s, "web", ++weight);
	ck_assert_int_eq(file_pages(""), database);
	log = file_pages("-wal");
	ck_assert_int_ge(log, 9000);
	store_do_checkpoint(s);
	ck_assert_int_eq(store_wants_checkpoint(s), CHECKPOINT_NONE);
	ck_assert_int_gt(file_pages(""), database);
	must_write(s, "web", ++weight);
	ck_assert_int_eq(file_pages("-wal"), log);
	ck_assert_int_eq(stored_weight(s, "web"), weight);
	s = reopened(s);
	ck_assert_int_eq(stored_weight(s, "web"), weight);
	store_close(s);
}
END_TEST

START_TEST(test_one_process)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;

	ck_assert_int_eq(try_open(false, &err), -EBUSY);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	err_fini(&err);
	store_close(s);
}
END_TEST

static void overwrite(const char *file, long offset, const char *bytes, size_t len)
{
	char *path = mem_printf("%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
	free(path);
}

START_TEST(test_damage)
{
	static const char *const kinds[] = { "header", "page" };
	char junk[4096];
	struct err err = ERR_INIT;
	struct store *s = must_open();

	for (int i = 0; i < 100; i++)
		must_write(s, "web", i + 1);
	store_close(s);
	memset(junk, 0xa5, sizeof(junk));
	overwrite(STORE_FILE, strcmp(kinds[_i], "header") == 0 ? 0 : 4096, junk,
		  strcmp(kinds[_i], "header") == 0 ? 100 : sizeof(junk));

	ck_assert_int_eq(try_open(false, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err_text(&err), "fnat.db.damaged-1"));
	err_reset(&err);
	/* A restart must not begin with nothing. */
	ck_assert_int_eq(try_open(false, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err_text(&err), "--new-store"));
	err_reset(&err);
	ck_assert_int_eq(try_open(true, &err), 0);
	ck_assert_int_eq(try_open(false, &err), 0);
	err_fini(&err);
}
END_TEST

START_TEST(test_not_ours)
{
	struct err err = ERR_INIT;
	char *path = mem_printf("%s/" STORE_FILE, dir);
	sqlite3 *db;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, "CREATE TABLE t (x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	free(path);
	ck_assert_int_eq(try_open(false, &err), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(err_text(&err), "not fnat's"));
	err_fini(&err);
}
END_TEST

/* A full disk: the write fails, what was answered stays, and room makes it work again. */
START_TEST(test_full_disk)
{
	struct err err = ERR_INIT;
	struct store *s;
	char *filler, *big;
	int fd, weight = 1;

	if (geteuid() != 0 || mount("tmpfs", dir, "tmpfs", 0, "size=512k") != 0)
		return; /* needs root to mount a small file system */
	s = must_open();
	must_write(s, "web", weight);
	filler = mem_printf("%s/filler", dir);
	big = mem_zalloc(1 << 20);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	while (write(fd, big, 4096) > 0)
		;
	while (write_one(s, "web", weight + 1, &err) == 0)
		weight++;
	ck_assert_ptr_nonnull(strstr(err_text(&err), "make room"));
	ck_assert_int_eq(stored_weight(s, "web"), weight);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	close(fd);
	must_write(s, "web", 100);
	store_close(s);
	s = must_open();
	ck_assert_int_eq(stored_weight(s, "web"), 100);
	store_close(s);
	err_fini(&err);
	ck_assert_int_eq(umount2(dir, MNT_DETACH), 0);
	free(filler);
	free(big);
}
END_TEST

/* Killed while writing: the store has a prefix of the generations, and all that was reported. */
START_TEST(test_sigkill)
{
	int pipefd[2], status, weight = 0, reported = 0;
	struct store *s;
	pid_t pid;

	ck_assert_int_eq(pipe(pipefd), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		s = must_open();
		for (;;) {
			must_write(s, "web", ++weight);
			if (write(pipefd[1], &weight, sizeof(weight)) < 0)
				_exit(1);
		}
	}
	close(pipefd[1]);
	while (reported < 50 + _i * 7)
		ck_assert_int_eq(read(pipefd[0], &reported, sizeof(reported)), sizeof(reported));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	while (read(pipefd[0], &reported, sizeof(reported)) == sizeof(reported))
		;
	close(pipefd[0]);
	s = must_open();
	weight = stored_weight(s, "web");
	ck_assert(weight == reported || weight == reported + 1);
	store_close(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_read_back);
	tcase_add_test(tc, test_revert);
	tcase_add_test(tc, test_diff);
	tcase_add_test(tc, test_history_is_bounded);
	tcase_add_test(tc, test_rollback_is_remembered);
	tcase_add_test(tc, test_rollback_goes_with_its_generation);
	tcase_add_test(tc, test_the_way_back_is_kept);
	tcase_add_test(tc, test_checkpoint);
	tcase_add_test(tc, test_one_process);
	tcase_add_loop_test(tc, test_damage, 0, 2);
	tcase_add_test(tc, test_not_ours);
	tcase_add_test(tc, test_full_disk);
	tcase_add_loop_test(tc, test_sigkill, 0, 5);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
