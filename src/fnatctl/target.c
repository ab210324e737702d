/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What names may be made of is the daemon's business; here they only need to become one path and
 * no other, whatever is in them.
 */
#include "fnatctl/target.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fnatctl/cli.h"

const char *target_collection(const char *object)
{
	return !strcmp(object, "pool") ? "/v1/pools" : "/v1/services";
}

static char *path_of(const char *collection, const char *name)
{
	char *prefix = mem_printf("%s/", collection), *path = cli_path(prefix, name);

	free(prefix);
	return path;
}

static char *backend_path(const char *name, const char *slash)
{
	char *service = mem_strndup(name, (size_t)(slash - name));
	char *base = path_of("/v1/services", service), *list = mem_printf("%s/backends", base);
	char *path = path_of(list, slash + 1);

	free(list);
	free(base);
	free(service);
	return path;
}

int target_init(struct target *t, const char *object, const char *name)
{
	const char *slash = strchr(name, '/');
	bool is_backend = !strcmp(object, "backend");

	*t = (struct target){ 0 };
	if (!*name || is_backend != (slash && slash != name && slash[1])) {
		cli_error("\"%s\" is not the name of a %s%s", name, object,
			  is_backend ? ": write SERVICE/BACKEND" : "");
		return CLI_USAGE;
	}
	t->what = mem_printf("%s %s", object, name);
	t->name = t->what + strlen(t->what) - strlen(is_backend ? slash + 1 : name);
	t->path = is_backend ? backend_path(name, slash) : path_of(target_collection(object), name);
	return CLI_OK;
}

void target_to_state(struct target *t)
{
	char *path = mem_printf("%s/state", t->path);

	free(t->path);
	t->path = path;
}

void target_fini(struct target *t)
{
	free(t->path);
	free(t->what);
}
