/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings are read from /proc/sys at each question: they are few, and a value remembered is a
 * value that lies after the administrator has mended it.
 */
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int sysctl_read(const char *path, long *value)
{
	char name[SYSCTL_NAME_BYTES + 16], text[64], *end;
	ssize_t len;
	int fd, error;
	long v;

	if (snprintf(name, sizeof(name), "/proc/sys/%s", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, text, sizeof(text) - 1);
	error = errno;
	close(fd);
	if (len < 0)
		return -error;
	text[len] = '\0';
	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text)
		return -EINVAL;
	*value = v;
	return 0;
}

int sysctl_read_interface(const char *family, const char *ifname, const char *leaf, long *value)
{
	char path[SYSCTL_NAME_BYTES];

	if (snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, ifname, leaf) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	return sysctl_read(path, value);
}

const char *sysctl_name(const char *path, char buf[SYSCTL_NAME_BYTES])
{
	size_t i;

	for (i = 0; i < SYSCTL_NAME_BYTES - 1 && path[i]; i++)
		buf[i] = path[i] == '/' ? '.' : path[i] == '.' ? '/' : path[i];
	buf[i] = '\0';
	return buf;
}
