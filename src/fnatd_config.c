/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text, the JSON tree and the objects are each several times as large as
 * what comes after them, so each is freed as soon as the next is made.
 */
#include "fnatd_config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "fnatd_process.h"

#define READ_BYTES (1u << 20)

/* The file's bytes, which the caller frees; also from a pipe, whose size nobody knows. */
static int read_fd(int fd, char **text, size_t *len, struct err *err)
{
	size_t cap = READ_BYTES;
	ssize_t n;

	*len = 0;
	*text = mem_alloc(cap);
	while ((n = read(fd, *text + *len, cap - *len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_add(err, ERR_SYSTEM, -errno, NULL, "cannot be read: %s",
				       strerror(errno));
		*len += (size_t)n;
		if (*len > JSON_FILE_MAX_BYTES)
			return err_add(err, ERR_TOO_LARGE, -EFBIG, NULL,
				       "larger than %u MB, which is the limit for a file",
				       JSON_FILE_MAX_BYTES >> 20);
		if (*len == cap)
			*text = mem_realloc(*text, cap *= 2, 1);
	}
	return 0;
}

int fnatd_config_read(const char *path, struct config *out, struct err *err)
{
	int code, fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text;
	size_t len;

	*out = (struct config){ 0 };
	if (fd < 0)
		return err_add(err, ERR_SYSTEM, -errno, NULL, "cannot be opened: %s",
			       strerror(errno));
	code = read_fd(fd, &text, &len, err);
	if (code == 0)
		code = config_parse(text, len, out, err);
	free(text);
	close(fd);
	return code;
}

int fnatd_config_initial(const char *path, struct changes *out, struct err *err)
{
	struct model *empty;
	struct config c;
	int code = fnatd_config_read(path, &c, err);

	if (code < 0)
		return code;
	empty = model_new();
	config_changes(&c, empty, out);
	config_fini(&c);
	code = model_check(empty, out, err);
	model_free(empty);
	return code;
}

/* A log line is short: what a document calls a name must not push the reason out of it. */
#define POINTER_SHOWN 300

void fnatd_config_log(const char *path, const struct err *err)
{
	for (size_t i = 0; i < err->n_problems; i++) {
		const struct problem *p = &err->problems[i];

		if (*p->pointer)
			log_error("config", "%s: %.*s%s: %s", path, POINTER_SHOWN, p->pointer,
				  strlen(p->pointer) > POINTER_SHOWN ? "..." : "", p->message);
		else
			log_error("config", "%s: %s", path, p->message);
	}
	if (err->n_dropped > 0)
		log_error("config", "%s: %zu more problems", path, err->n_dropped);
}

/* One reading of the file, from the thread to the engine's request. */
struct reading {
	const char *path;
	struct engine *engine;
	const struct overlay *overlay;
	struct config config;
	struct err err;
	struct mailbox *read;
};

struct reload {
	struct engine *engine;
	const struct overlay *overlay;
	const char *path;
	struct mailbox *read; /* of struct reading */
	struct event *event;
	pthread_t thread;
	bool is_reading, is_wanted_again;
};

static struct reading *reading_new(struct reload *r)
{
	struct reading *reading = mem_zalloc(sizeof(*reading));

	reading->path = r->path;
	reading->engine = r->engine;
	reading->overlay = r->overlay;
	reading->read = r->read;
	err_init(&reading->err);
	return reading;
}

static void reading_free(struct reading *reading)
{
	config_fini(&reading->config);
	err_fini(&reading->err);
	free(reading);
}

static void *reading_main(void *arg)
{
	struct reading *reading = arg;

	fnatd_config_read(reading->path, &reading->config, &reading->err);
	mailbox_put(reading->read, reading);
	return NULL;
}

static int reading_prepare(const struct model *m, uint64_t generation, void *arg,
			   struct changes *out, struct err *err)
{
	struct reading *reading = arg;

	(void)generation;
	(void)err;
	overlay_config(reading->overlay, &reading->config);
	config_changes(&reading->config, m, out);
	return 0;
}

static void reading_done(const struct engine_result *result, const struct err *err, void *arg)
{
	struct reading *reading = arg;

	if (err)
		fnatd_config_log(reading->path, err);
	if (err)
		log_error("config", "%s: not accepted, everything stays as it is", reading->path);
	else if (!result->is_changed)
		log_info("config", "%s: read again, nothing differs", reading->path);
	engine_preflight(reading->engine); /* an operator is at work, and wants to know */
	process_notify("READY=1");
	reading_free(reading);
}

static void reload_cb(evutil_socket_t fd, short what, void *arg)
{
	static const struct requester self = { .uid = -1, .pid = -1, .what = "SIGHUP" };
	struct reload *r = arg;
	struct reading *reading = mailbox_try_take(r->read);

	(void)fd;
	(void)what;
	if (!reading)
		return;
	pthread_join(r->thread, NULL);
	r->is_reading = false;
	if (err_any(&reading->err)) {
		struct engine_result none = { 0 };

		reading_done(&none, &reading->err, reading);
	} else {
		engine_request(r->engine, &self, ENGINE_LARGE, reading_prepare, reading_done,
			       reading);
	}
	if (r->is_wanted_again)
		reload_start(r);
}

struct reload *reload_new(struct event_base *base, struct engine *e, const struct overlay *overlay,
			  const char *path)
{
	struct reload *r = mem_zalloc(sizeof(*r));

	r->engine = e;
	r->overlay = overlay;
	r->path = path;
	r->read = mailbox_new();
	r->event = event_new(base, mailbox_fd(r->read), EV_READ | EV_PERSIST, reload_cb, r);
	event_add(r->event, NULL);
	return r;
}

void reload_free(struct reload *r)
{
	struct reading *reading;

	if (!r)
		return;
	if (r->is_reading)
		pthread_join(r->thread, NULL);
	while ((reading = mailbox_try_take(r->read)))
		reading_free(reading);
	event_free(r->event);
	mailbox_free(r->read);
	free(r);
}

void reload_start(struct reload *r)
{
	struct reading *reading;
	int code;

	r->is_wanted_again = r->is_reading;
	if (r->is_reading)
		return;
	reading = reading_new(r);
	code = pthread_create(&r->thread, NULL, reading_main, reading);
	if (code != 0) {
		log_error("config", "no thread can be started: %s", strerror(code));
		reading_free(reading);
		process_notify("READY=1");
		return;
	}
	r->is_reading = true;
}
