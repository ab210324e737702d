/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control group for each program would hold everything that it makes, but is for those to whom
 * one was delegated, and a hardened unit has /sys/fs/cgroup read-only. This takes no privilege.
 * What it does not do is to find a process that left the group while its parent lives:
 * the parent is in the group, or was found itself, so its time comes.
 *
 * Programs are started by a thread of their own, so the children that /proc lists for the main
 * thread are orphans (seen on 6.18: an orphan is given to the first living thread). A
 * number is safe to signal as long as it is not reaped, and nobody else does that.
 */
#include "health/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define END_TRIES   50
#define END_WAIT_NS 2000000

static bool is_adopting;

static FILE *open_children(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	return fopen(path, "re");
}

void orphans_adopt(void)
{
	FILE *children = getpid() == 1 ? NULL : open_children();

	if (!children)
		return;
	fclose(children);
	is_adopting = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}

/* A program that is a child of this process, ended or not, as long as it is not reaped. */
static bool is_program(pid_t pid)
{
	siginfo_t end;

	return waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* False: it is to be looked at again. */
static bool is_settled(pid_t pid)
{
	pid_t group = getpgid(pid);
	bool is_kept = group > 0 && group != pid && is_program(group);

	if (!is_kept)
		kill(group == pid ? -pid : pid, SIGKILL);
	waitpid(pid, NULL, WNOHANG);
	return is_kept;
}

size_t orphans_sweep(void)
{
	FILE *children = is_adopting ? open_children() : NULL;
	size_t n = 0;
	long pid;

	if (!children)
		return 0;
	while (fscanf(children, "%ld", &pid) == 1)
		n += !is_settled((pid_t)pid);
	fclose(children);
	return n;
}

void orphans_end(void)
{
	for (int i = 0; i < END_TRIES && orphans_sweep() > 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = END_WAIT_NS }, NULL);
}
