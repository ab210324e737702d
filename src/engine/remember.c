/* SPDX-License-Identifier: GPL-2.0-or-later */
/* By another name first, so that who is killed meanwhile leaves the old one whole. */
#include "engine/remember.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

json_t *remember_read(const char *path, const char *subsystem, const char *lost)
{
	json_error_t error;
	json_t *value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!value && json_error_code(&error) != json_error_cannot_open_file)
		log_warn(subsystem, "%s: line %d: %s: %s", path, error.line, error.text, lost);
	return value;
}

/* In file mode there is no store that would have made it. */
static void make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? mem_strndup(path, (size_t)(slash - path)) : NULL;

	if (dir && *dir)
		(void)mkdir(dir, 0700); /* or it is there; if not, that shows */
	free(dir);
}

void remember_write(const char *path, const char *subsystem, const json_t *value)
{
	char *fresh = mem_printf("%s.new", path);

	make_directory(path);
	if (json_dump_file(value, fresh, JSON_COMPACT) < 0 || rename(fresh, path) < 0)
		log_warn(subsystem, "%s: %s", fresh, strerror(errno));
	free(fresh);
}
