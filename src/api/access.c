/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's mode lets writers in and nobody else. When there are readers as
 * well, one mode cannot tell the two apart: then everybody may connect, and each
 * request is decided here.
 */
#include "api/access.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

static int group_find(const char *name, const char *what, gid_t *out, struct err *err)
{
	const struct group *group = getgrnam(name);

	*out = group ? group->gr_gid : ACCESS_NOBODY;
	if (group || strcmp(name, ACCESS_GROUP_DEFAULT) == 0)
		return 0;
	return err_add(err, ERR_INVALID, -ENOENT, NULL,
		       "%s %s: there is no such group; make it with: groupadd --system %s", what,
		       name, name);
}

int access_init(struct access_rule *a, const char *writers, const char *readers, struct err *err)
{
	int rc = group_find(writers ? writers : ACCESS_GROUP_DEFAULT, "--group", &a->writers, err);

	a->readers = ACCESS_NOBODY;
	if (rc == 0 && readers)
		rc = group_find(readers, "--read-group", &a->readers, err);
	return rc;
}

mode_t access_socket_mode(const struct access_rule *a)
{
	return a->readers == ACCESS_NOBODY ? 0660 : 0666;
}

bool access_is_allowed(const struct access_rule *a, const struct http_request *req, bool is_write)
{
	long uid, pid;

	http_peer(req, &uid, &pid);
	if (uid == 0 || uid == (long)geteuid())
		return true;
	if (http_peer_is_member(req, a->writers))
		return true;
	return !is_write && http_peer_is_member(req, a->readers);
}
