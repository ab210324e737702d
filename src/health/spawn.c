/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * posix_spawn() suspends its caller until the program is loaded, which takes as long as a disk or
 * a file server takes. So a thread does it, started when first needed; it has nothing else to
 * do. That a child has ended is seen at its pidfd (5.3), so nobody needs SIGCHLD, and an id that
 * was given to another process is never signalled: the group is killed while its leader is still
 * there to be waited for.
 *
 * Processes that leave the group are orphans.c's. They come when their parents have died of the
 * signal to the group, so they are looked for a little later, and some times.
 *
 * What a program writes is read as it comes, or it would block; one that does not stop writing is
 * cut off.
 */
#include "health/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mailbox.h"
#include "base/mem.h"
#include "health/orphans.h"

#define SWEEPS     4
#define SWEEP_USEC 50000
#define OUTPUT_MAX (256 << 10)

struct spawner {
	struct event_base *base;
	pthread_t thread;
	struct mailbox *requests, *started;
	struct event *started_event;
	struct event *sweep_event;
	unsigned int n_sweeps;  /* that are still to be made */
	struct child *children; /* all that are not freed */
};

struct child {
	struct child *prev, *next;
	struct spawner *spawner;
	child_done_fn *done; /* NULL: nobody waits any more */
	void *arg;

	/* For the thread, until it has come back. */
	char *path, **argv, **envp;
	int output_fd; /* the end for the child */
	pid_t pid;
	int pidfd, code;

	bool is_back;
	struct event *end_event, *output_event;
	int read_fd;
	size_t n_output;
	char output[SPAWN_OUTPUT_BYTES];
};

/* Without a message: the thread ends. */
static char stop_message;

static char **copy_strings(const char *const strings[])
{
	size_t n = 0;
	char **copy;

	while (strings[n])
		n++;
	copy = mem_calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = mem_strdup(strings[i]);
	return copy;
}

static void free_strings(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
}

/* 0 or an errno. */
static int start_process(struct child *c)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int code;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, c->output_fd, 1);
	posix_spawn_file_actions_adddup2(&files, c->output_fd, 2);
	posix_spawn_file_actions_addclosefrom_np(&files, 3);
	code = posix_spawn(&c->pid, c->path, &files, &attr, c->argv, c->envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return code;
}

static void *thread_main(void *arg)
{
	struct spawner *s = arg;
	void *message;

	prctl(PR_SET_NAME, "fnatd-spawn");
	/* A unit may give fnatd capabilities that its programs are not to have. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	while ((message = mailbox_take(s->requests, -1)) != &stop_message) {
		struct child *c = message;

		c->code = start_process(c);
		close(c->output_fd);
		if (c->code == 0)
			c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
		mailbox_put(s->started, c);
	}
	return NULL;
}

static void close_output(struct child *c)
{
	if (c->output_event) {
		event_free(c->output_event);
		c->output_event = NULL;
		close(c->read_fd);
	}
}

static void child_free(struct child *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		c->spawner->children = c->next;
	if (c->next)
		c->next->prev = c->prev;
	close_output(c);
	if (c->end_event)
		event_free(c->end_event);
	if (c->pidfd >= 0)
		close(c->pidfd);
	free(c->path);
	free_strings(c->argv);
	free_strings(c->envp);
	free(c);
}

static void tell(struct child *c, int code, int status)
{
	struct child_end end = { .code = code, .status = status, .output = c->output };

	c->output[strcspn(c->output, "\r\n")] = '\0';
	if (c->done)
		c->done(&end, c->arg);
	child_free(c);
}

/* False: there is no more for now, or ever. */
static bool read_some(struct child *c)
{
	char buf[4096];
	ssize_t n = read(c->read_fd, buf, sizeof(buf));
	size_t used = c->n_output, room;

	if (n <= 0)
		return false;
	c->n_output += (size_t)n;
	if (used < sizeof(c->output) - 1) {
		room = sizeof(c->output) - 1 - used;
		memcpy(c->output + used, buf, (size_t)n < room ? (size_t)n : room);
	}
	return c->n_output < OUTPUT_MAX;
}

static void output_cb(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	errno = 0;
	if (!read_some(c) && errno != EAGAIN && errno != EINTR)
		close_output(c);
}

static void sweep_later(struct spawner *s)
{
	s->n_sweeps = SWEEPS;
	if (!evtimer_pending(s->sweep_event, NULL))
		evtimer_add(s->sweep_event, &(struct timeval){ .tv_usec = SWEEP_USEC });
}

static void sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;

	(void)fd;
	(void)what;
	s->n_sweeps--;
	if (orphans_sweep() > 0)
		s->n_sweeps = SWEEPS;
	if (s->n_sweeps > 0)
		evtimer_add(s->sweep_event, &(struct timeval){ .tv_usec = SWEEP_USEC });
}

/* Its processes may not outlive it: the group is there as long as nobody waited for it. */
static void end_cb(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	int status = 0;

	(void)fd;
	(void)what;
	kill(-c->pid, SIGKILL);
	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	sweep_later(c->spawner);
	while (c->output_event && read_some(c) && c->n_output < SPAWN_OUTPUT_BYTES)
		;
	tell(c, 0, status);
}

static void child_started(struct child *c)
{
	c->is_back = true;
	if (c->code == 0 && c->pidfd < 0) { /* no file descriptor left */
		kill(-c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->code = EMFILE;
	}
	if (c->code) {
		tell(c, c->code, 0);
		return;
	}
	if (!c->done)
		kill(-c->pid, SIGKILL);
	c->end_event = event_new(c->spawner->base, c->pidfd, EV_READ | EV_PERSIST, end_cb, c);
	event_add(c->end_event, NULL);
}

static void started_cb(evutil_socket_t fd, short what, void *arg)
{
	struct spawner *s = arg;
	struct child *c;

	(void)fd;
	(void)what;
	while ((c = mailbox_try_take(s->started)))
		child_started(c);
}

struct spawner *spawner_new(struct event_base *base)
{
	struct spawner *s = mem_zalloc(sizeof(*s));
	sigset_t all, before;
	int code;

	s->base = base;
	s->requests = mailbox_new();
	s->started = mailbox_new();
	s->started_event =
		event_new(base, mailbox_fd(s->started), EV_READ | EV_PERSIST, started_cb, s);
	event_add(s->started_event, NULL);
	s->sweep_event = evtimer_new(base, sweep_cb, s);
	orphans_adopt();
	sigfillset(&all); /* signals are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&s->thread, NULL, thread_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code == 0)
		return s;
	event_free(s->started_event);
	event_free(s->sweep_event);
	mailbox_free(s->requests);
	mailbox_free(s->started);
	free(s);
	errno = code;
	return NULL;
}

void spawner_free(struct spawner *s)
{
	struct child *c;

	if (!s)
		return;
	mailbox_put(s->requests, &stop_message);
	pthread_join(s->thread, NULL);
	while ((c = mailbox_try_take(s->started)))
		c->is_back = c->code == 0;
	while ((c = s->children)) {
		if (c->is_back)
			kill(-c->pid, SIGKILL);
		child_free(c);
	}
	orphans_end();
	event_free(s->started_event);
	event_free(s->sweep_event);
	mailbox_free(s->requests);
	mailbox_free(s->started);
	free(s);
}

struct child *spawn(struct spawner *s, const char *path, const char *const argv[],
		    const char *const envp[], child_done_fn *done, void *arg)
{
	struct child *c = mem_zalloc(sizeof(*c));
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0) {
		free(c);
		return NULL;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	c->spawner = s;
	c->path = mem_strdup(path);
	c->argv = copy_strings(argv);
	c->envp = copy_strings(envp);
	c->done = done;
	c->arg = arg;
	c->pidfd = -1;
	c->read_fd = ends[0];
	c->output_fd = ends[1];
	c->output_event = event_new(s->base, c->read_fd, EV_READ | EV_PERSIST, output_cb, c);
	event_add(c->output_event, NULL);
	c->next = s->children;
	if (c->next)
		c->next->prev = c;
	s->children = c;
	mailbox_put(s->requests, c);
	return c;
}

void child_kill(struct child *c)
{
	c->done = NULL;
	if (c->is_back)
		kill(-c->pid, SIGKILL);
}
