/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file gets its mode and group between bind() and listen(): nobody can
 * connect before listen(), so there is no moment with wider access. The mode is
 * set on the unbound socket, from which unix_bind() takes it (with the umask).
 */
#include "api/http_listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define BACKLOG 1024

static int fail(struct err *err, const char *path, const char *what)
{
	int code = -errno;

	return err_add(err, ERR_SYSTEM, code, NULL, "socket %s: %s: %s", path, what,
		       strerror(-code));
}

/* A socket file that nobody listens on is left over from a daemon that was killed. */
static int remove_stale(const struct sockaddr_un *sun, struct err *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : fail(err, sun->sun_path, "stat");
	if (!S_ISSOCK(st.st_mode))
		return err_add(err, ERR_CONFLICT, -EEXIST, NULL,
			       "socket %s: there is a file of that name which is not a socket",
			       sun->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, sun->sun_path, "socket");
	rc = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0 ? errno : 0;
	close(fd);
	if (rc == 0 || rc == EAGAIN) /* EAGAIN: its backlog is full, so it lives */
		return err_add(err, ERR_CONFLICT, -EADDRINUSE, NULL,
			       "socket %s: another daemon answers there", sun->sun_path);
	if (unlink(sun->sun_path) < 0 && errno != ENOENT)
		return fail(err, sun->sun_path, "unlink");
	return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *sun, mode_t mode, gid_t gid,
			   struct unix_listener *out, struct err *err)
{
	const char *path = sun->sun_path;
	struct stat st;

	if (fchmod(fd, mode) < 0)
		return fail(err, path, "fchmod");
	if (bind(fd, (const struct sockaddr *)sun, sizeof(*sun)) < 0)
		return fail(err, path, "bind");
	if (lstat(path, &st) < 0)
		return fail(err, path, "stat");
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->path = mem_strdup(path);
	if (gid != (gid_t)-1 && chown(path, (uid_t)-1, gid) < 0)
		return fail(err, path, "chown");
	if (chmod(path, mode) < 0)
		return fail(err, path, "chmod");
	if (listen(fd, BACKLOG) < 0)
		return fail(err, path, "listen");
	return 0;
}

int unix_listener_open(const char *path, mode_t mode, gid_t gid, struct unix_listener *out,
		       struct err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int rc;

	*out = (struct unix_listener){ .fd = -1 };
	if (strlen(path) >= sizeof(sun.sun_path))
		return err_add(err, ERR_SYSTEM, -ENAMETOOLONG, NULL,
			       "socket %s: the path is longer than %zu bytes", path,
			       sizeof(sun.sun_path) - 1);
	strcpy(sun.sun_path, path);
	rc = remove_stale(&sun, err);
	if (rc)
		return rc;
	out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return fail(err, path, "socket");
	rc = bind_and_listen(out->fd, &sun, mode, gid, out, err);
	if (rc) {
		close(out->fd);
		out->fd = -1;
		unix_listener_remove(out);
	}
	return rc;
}

void unix_listener_remove(struct unix_listener *l)
{
	struct stat st;

	if (l->path && lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(l->path);
	free(l->path);
	l->path = NULL;
}
