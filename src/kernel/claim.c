/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two daemons that repair each other's table cut every service once a second. The kernel keeps the
 * second one from an owned table; a plain one has nothing to lock. A name in the abstract namespace
 * of Unix sockets is as far-reaching as a table is, in a network namespace, needs no directory that
 * both use, and goes with the process, however it ends. Anybody may bind such a name, so whoever
 * has it is asked for: SO_PEERCRED tells who listens.
 */
#include "kernel/claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static socklen_t name_of(const char *table, struct sockaddr_un *out)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1 +
	       (socklen_t)snprintf(out->sun_path + 1, sizeof(out->sun_path) - 1, "fnat/table/%s",
				   table);
}

static int conflict(const char *table, pid_t pid, struct err *err)
{
	return err_add(
		err, ERR_CONFLICT, -EBUSY, NULL,
		"table inet %s: in use by another fnatd, process %d; stop it, or choose another "
		"--table",
		table, (int)pid);
}

/* The name is taken: by somebody that counts? */
static int look_at_holder(const char *table, const struct sockaddr_un *name, socklen_t len,
			  struct err *err)
{
	struct ucred who = { 0 };
	socklen_t size = sizeof(who);
	int fd = open_socket(), code = 0;

	if (fd < 0)
		return err_add(err, ERR_SYSTEM, -errno, NULL, "socket: %s", strerror(errno));
	if (connect(fd, (const void *)name, len) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
	    (who.uid == 0 || who.uid == geteuid()))
		code = conflict(table, who.pid, err);
	else
		log_warn("nft",
			 "table %s: a process of user %u, no fnatd, has the name that keeps a "
			 "second fnatd away",
			 table, (unsigned int)who.uid);
	close(fd);
	return code;
}

int claim_take(const char *table, int *fd, struct err *err)
{
	struct sockaddr_un name;
	socklen_t len = name_of(table, &name);
	int code = 0;

	*fd = open_socket();
	if (*fd < 0)
		return err_add(err, ERR_SYSTEM, -errno, NULL, "socket: %s", strerror(errno));
	if (bind(*fd, (void *)&name, len) == 0 && listen(*fd, SOMAXCONN) == 0)
		return 0;
	if (errno == EADDRINUSE)
		code = look_at_holder(table, &name, len, err);
	else
		code = err_add(err, ERR_SYSTEM, -errno, NULL, "table inet %s: bind: %s", table,
			       strerror(errno));
	close(*fd);
	*fd = -1;
	return code;
}
