/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP_BIND_ADDRESS_NO_PORT lets the kernel choose the local port at connect(), per destination:
 * else a source address would have no more than 28,000 connections altogether.
 */
#include "health/probe_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

socklen_t probe_sockaddr(const struct addr *address, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	out->ss_family = address->family;
	if (address->family == AF_INET) {
		memcpy(&in->sin_addr, address->bytes, 4);
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	memcpy(&in6->sin6_addr, address->bytes, 16);
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

struct addr probe_address(const struct sockaddr_storage *name)
{
	struct addr a = { .family = AF_UNSPEC };

	if (name->ss_family == AF_INET)
		memcpy(a.bytes, &((const struct sockaddr_in *)name)->sin_addr, 4);
	else if (name->ss_family == AF_INET6)
		memcpy(a.bytes, &((const struct sockaddr_in6 *)name)->sin6_addr, 16);
	else
		return a;
	a.family = (uint8_t)name->ss_family;
	return a;
}

static int bind_source(int fd, const struct addr *source)
{
	struct sockaddr_storage name;
	socklen_t len = probe_sockaddr(source, 0, &name);
	int one = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, (struct sockaddr *)&name, len);
}

static int close_with(int fd, int code)
{
	if (fd >= 0)
		close(fd);
	errno = code;
	return -1;
}

int probe_socket(const struct probe *p, int type)
{
	int fd = socket(p->target.address.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && p->source.family != AF_UNSPEC && bind_source(fd, &p->source) < 0)
		return close_with(fd, errno);
	return fd;
}

const char *probe_socket_what(int code)
{
	return code == EADDRNOTAVAIL ? "source address" : "socket";
}

bool probe_reconnect(const struct probe *p, int fd)
{
	struct sockaddr_storage name;
	socklen_t len = probe_sockaddr(&p->target.address, p->target.port, &name);

	return connect(fd, (struct sockaddr *)&name, len) == 0 || errno == EINPROGRESS;
}

bool probe_disconnect(int fd)
{
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none)) == 0;
}

int probe_connect(struct probe *p, int type)
{
	struct prober_sockets *sockets = prober_sockets(p->prober);
	int fd = sockets->n_open < sockets->open_max ? probe_socket(p, type)
						     : close_with(-1, EMFILE);
	const char *what = fd >= 0 ? "connect" : probe_socket_what(errno);

	if (fd >= 0 && probe_reconnect(p, fd)) {
		sockets->n_open++;
		return fd;
	}
	close_with(fd, errno);
	probe_done_errno(p, what, errno);
	return -1;
}

int probe_connect_error(int fd)
{
	int code = 0;
	socklen_t len = sizeof(code);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 ? errno : code;
}

bool probe_is_connected(int fd)
{
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	return getpeername(fd, (struct sockaddr *)&name, &len) == 0;
}

void probe_close_reset(int fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

void probe_close(const struct probe *p, int fd)
{
	close(fd);
	prober_sockets(p->prober)->n_open--;
}

void probe_abort(const struct probe *p, int fd)
{
	probe_close_reset(fd);
	prober_sockets(p->prober)->n_open--;
}

bool probe_may_keep(const struct probe *p)
{
	const struct prober_sockets *sockets = prober_sockets(p->prober);

	return sockets->n_open <= sockets->kept_max;
}
