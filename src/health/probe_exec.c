/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec: a program of the administrator's judges. What it is told is in its environment, not put
 * together to a command line. A program that is not there says nothing of the backend.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "health/probe_types.h"
#include "health/spawn.h"
#include "model/check_exec.h"

#define ENVIRONMENT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct exec {
	struct probe probe;
	struct child *child;
};

static void exit_judge(struct probe *p, int code, const char *output)
{
	const struct check_exec *options = p->check->options;
	const char *colon = *output ? ": " : "";

	if (options->has_dynamic_weight && code >= 2) {
		p->outcome.weight = code - 2;
		probe_done(p, PROBE_OK, "weight %d%s%s", code - 2, colon, output);
	} else if (code == 0) {
		probe_done(p, PROBE_OK, "exit status 0%s%s", colon, output);
	} else {
		probe_done(p, PROBE_FAILED, "exit status %d%s%s", code, colon, output);
	}
}

static void exec_done(const struct child_end *end, void *arg)
{
	struct exec *e = arg;
	struct probe *p = &e->probe;
	const struct check_exec *options = p->check->options;

	e->child = NULL;
	if (end->code)
		probe_done(p, PROBE_UNDONE, "program %.40s in %.40s: %s", options->program,
			   prober_programs(p->prober), strerror(end->code));
	else if (WIFEXITED(end->status))
		exit_judge(p, WEXITSTATUS(end->status), end->output);
	else
		probe_done(p, PROBE_FAILED, "killed by signal %d", WTERMSIG(end->status));
}

static void run(struct exec *e)
{
	const struct probe *p = &e->probe;
	const struct check_exec *options = p->check->options;
	const char *argv[CHECK_EXEC_ARGS_MAX + 2] = { options->program };
	char *path = mem_printf("%s/%s", prober_programs(p->prober), options->program);
	char address[ADDR_STRLEN];
	char *variables[] = {
		mem_printf("FNAT_SERVICE=%s", p->target.service),
		mem_printf("FNAT_BACKEND=%s", p->target.backend),
		mem_printf("FNAT_ADDRESS=%s", addr_format(&p->target.address, address)),
		mem_printf("FNAT_PORT=%u", p->target.port),
		mem_printf("FNAT_TIMEOUT_MS=%u", p->check->timeout_ms),
	};
	const char *envp[] = { ENVIRONMENT_PATH, variables[0], variables[1], variables[2],
			       variables[3],     variables[4], NULL };

	for (size_t i = 0; i < options->args.n; i++)
		argv[i + 1] = options->args.items[i];
	e->child = spawn(probe_shared(p), path, argv, envp, exec_done, e);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		free(variables[i]);
	free(path);
}

static void exec_start(struct probe *p)
{
	struct exec *e = (struct exec *)p;

	if (!prober_programs(p->prober)) {
		probe_done(p, PROBE_UNDONE, "fnatd was started with --programs none");
		return;
	}
	p->stage = "running";
	run(e);
	if (!e->child)
		probe_done_errno(p, "pipe", errno);
}

static void exec_cancel(struct probe *p)
{
	struct exec *e = (struct exec *)p;

	child_kill(e->child);
	e->child = NULL;
}

static void *exec_open(struct prober *r)
{
	return spawner_new(prober_base(r));
}

static void exec_close(void *shared)
{
	spawner_free(shared);
}

const struct probe_type probe_exec = {
	.name = "exec",
	.bytes = sizeof(struct exec),
	.start = exec_start,
	.cancel = exec_cancel,
	.open = exec_open,
	.close = exec_close,
};
