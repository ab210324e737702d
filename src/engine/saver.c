/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written beside the old one, then renamed: whoever is killed meanwhile leaves a whole file. */
#include "engine/saver.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"

struct job {
	bool is_last;
	struct saved saved;
};

struct saver {
	pthread_t thread;
	struct mailbox *jobs;
	char *path, *beside;
	bool has_failed; /* and that was logged */
};

static int write_beside(const struct saver *s, const struct saved *saved)
{
	FILE *f = fopen(s->beside, "we");
	int code = 0;

	if (!f)
		return -errno;
	saved_write(saved, f);
	if (fflush(f) != 0 || ferror(f) || fdatasync(fileno(f)) < 0)
		code = -errno;
	if (fclose(f) != 0 && code == 0)
		code = -errno;
	return code;
}

static void write_file(struct saver *s, const struct saved *saved)
{
	int code = write_beside(s, saved);

	if (code == 0 && rename(s->beside, s->path) < 0)
		code = -errno;
	if (code < 0 && !s->has_failed)
		log_warn("stats", "%s: %s; counters will not outlive fnatd", s->path,
			 strerror(-code));
	s->has_failed = code < 0;
}

static void *saver_main(void *arg)
{
	struct saver *s = arg;
	bool is_last = false;

	while (!is_last) {
		struct job *job = mailbox_take(s->jobs, -1);

		is_last = job->is_last;
		if (!is_last)
			write_file(s, &job->saved);
		saved_fini(&job->saved);
		free(job);
	}
	return NULL;
}

static void saver_close(struct saver *s)
{
	mailbox_free(s->jobs);
	free(s->path);
	free(s->beside);
	free(s);
}

struct saver *saver_new(const char *path)
{
	struct saver *s = mem_zalloc(sizeof(*s));
	int code;

	s->jobs = mailbox_new();
	s->path = mem_strdup(path);
	s->beside = mem_printf("%s.new", path);
	code = pthread_create(&s->thread, NULL, saver_main, s);
	if (code != 0) {
		log_warn("stats", "no thread can be started: %s", strerror(code));
		saver_close(s);
		return NULL;
	}
	pthread_setname_np(s->thread, "saver");
	return s;
}

static void give(struct saver *s, struct job job)
{
	struct job *message = mem_alloc(sizeof(*message));

	*message = job;
	mailbox_put(s->jobs, message);
}

void saver_free(struct saver *s)
{
	if (!s)
		return;
	give(s, (struct job){ .is_last = true });
	pthread_join(s->thread, NULL);
	saver_close(s);
}

void saver_write(struct saver *s, struct saved *saved)
{
	give(s, (struct job){ .saved = *saved });
	*saved = (struct saved){ 0 };
}

int saver_read(const char *path, struct saved *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	int code;

	*out = (struct saved){ 0 };
	if (!f)
		return errno == ENOENT ? -ENOENT
				       : err_add(err, ERR_SYSTEM, -errno, NULL, "%s: %s", path,
						 strerror(errno));
	code = saved_read(out, f, err);
	fclose(f);
	return code;
}
