/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that are run beside the loop: none of it waits, neither for the program to be loaded
 * nor for its end, and when a program has ended or is given up, all processes that it made go with
 * it: those of its process group at once, others (orphans.h) shortly after.
 */
#ifndef FNAT_HEALTH_SPAWN_H
#define FNAT_HEALTH_SPAWN_H

#include <event2/event.h>

#define SPAWN_OUTPUT_BYTES 120

struct spawner;
struct child;

struct child_end {
	int code;           /* an errno: it was not started; 0: it was, and ended ... */
	int status;         /* ... as waitpid(2) tells */
	const char *output; /* the begin of the first line that it wrote; borrowed */
};
/* The child is gone when this returns. */
typedef void child_done_fn(const struct child_end *end, void *arg);

struct spawner *spawner_new(struct event_base *base);
/* Kills what still runs; nobody is told. */
void spawner_free(struct spawner *s);

/*
 * Run path, without a shell, in a process group of its own, with stdin at /dev/null, stdout and
 * stderr taken here, no other file, no ambient capability, and just this environment. argv and
 * envp (ended by NULL) are copied. NULL, and errno, when there is no file descriptor left.
 */
struct child *spawn(struct spawner *s, const char *path, const char *const argv[],
		    const char *const envp[], child_done_fn *done, void *arg);
/* Kill it and its group, at once; done is not called. */
void child_kill(struct child *c);

#endif
