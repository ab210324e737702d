/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent stays until the ruleset is committed and the socket answers, so `fnatd && fnatctl
 * status` works and an init script sees the true exit status. Until then the child's
 * errors go to the terminal, whose stderr it shares.
 */
#include "fnatd_process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* sd_listen_fds(3) */
#define LISTEN_FDS_START 3
/* Sockets of netlink, mailboxes of threads, the store, its own socket, some clients. */
#define FILES_MIN 64u

#define KEPT_FD (STDERR_FILENO + 1)

static void __attribute__((noreturn)) parent_wait(pid_t child, int fd)
{
	char ready;
	ssize_t n;
	int status;

	do {
		n = read(fd, &ready, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

int process_daemonize(void)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0 || (child = fork()) < 0) {
		log_error("fnatd", "cannot become a daemon: %s", strerror(errno));
		exit(EXIT_FAILURE);
	}
	if (child > 0) {
		close(fds[1]);
		parent_wait(child, fds[0]);
	}
	setsid();
	/* Nothing of whoever started it stays open, except for the standard three and the pipe. */
	if (fds[1] != KEPT_FD && dup3(fds[1], KEPT_FD, O_CLOEXEC) < 0)
		log_warn("fnatd", "dup3: %s", strerror(errno));
	close_range(KEPT_FD + 1, ~0u, 0);
	return KEPT_FD;
}

char *process_absolute(const char *path)
{
	char dir[PATH_MAX];

	if (!path || *path == '/' || !getcwd(dir, sizeof(dir)))
		return path ? mem_strdup(path) : NULL;
	return mem_printf("%s/%s", dir, path);
}

static void leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct stat st;

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode)) {
		log_to_syslog("fnatd");
		dup2(null, STDERR_FILENO);
	}
	close(null);
	if (chdir("/") < 0)
		log_warn("fnatd", "chdir /: %s", strerror(errno));
}

void process_ready(int fd)
{
	process_notify("READY=1");
	if (fd < 0)
		return;
	leave_terminal();
	if (write(fd, "R", 1) < 0)
		log_warn("fnatd", "the process that started this one has gone");
	close(fd);
}

void process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	socklen_t len;
	int fd;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (*path == '@') /* abstract, see unix(7) */
		to.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (void *)&to, len) < 0)
		log_warn("fnatd", "NOTIFY_SOCKET %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* With the time by which Type=notify-reload (systemd 253) knows that this answers its own SIGHUP.
 */
void process_notify_reloading(void)
{
	char text[64];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)clock_mono_us());
	process_notify(text);
}

uint64_t process_watchdog_us(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *us = getenv("WATCHDOG_USEC");

	if (!us || *us == '-' || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

int process_make_parents(const char *path, struct err *err)
{
	char *dir = mem_strdup(path);
	int code = 0;

	for (char *p = dir + 1; code == 0 && *dir && (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(dir, 0755) < 0 && errno != EEXIST)
			code = err_add(err, ERR_SYSTEM, -errno, NULL,
				       "%s: cannot make directory %s: %s", path, dir,
				       strerror(errno));
		*p = '/';
	}
	free(dir);
	return code;
}

int process_check_socket(const char *path, struct err *err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, code = 0;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_add(err, ERR_SYSTEM, -errno, NULL, "socket: %s", strerror(errno));
	if (connect(fd, (void *)&to, sizeof(to)) == 0 || errno == EAGAIN)
		code = err_add(
			err, ERR_CONFLICT, -EADDRINUSE, NULL,
			"%s: another fnatd answers there; stop it, or choose another --socket",
			path);
	close(fd);
	return code;
}

int process_activated_socket(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != getpid() || strtol(n, NULL, 10) < 1)
		return 0;
	fcntl(LISTEN_FDS_START, F_SETFD, FD_CLOEXEC);
	return LISTEN_FDS_START;
}

int process_check_files(struct err *err)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_MIN)
		return 0;
	return err_add(err, ERR_SYSTEM, -EMFILE, NULL,
		       "the limit of open files is %llu, and fnatd needs %u: LimitNOFILE= of the "
		       "unit, or `ulimit -Hn 65536`",
		       (unsigned long long)files.rlim_cur, FILES_MIN);
}

void process_raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn("fnatd", "setrlimit: %s", strerror(errno));
}
