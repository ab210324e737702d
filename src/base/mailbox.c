/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ring under a mutex that is held for a few instructions. The eventfd is written when the first
 * message comes and read when the last one goes, so a sender that is faster than the receiver costs
 * no system call, and the same mailbox may be polled and waited on. One that nobody ever polls has
 * no eventfd and costs no such calls.
 *
 * It is written after the mutex is released: the receiver wakes at once, and would otherwise go
 * back to sleep on the mutex, which doubles the time from one thread to the other. So it may be
 * readable when another has taken the message meanwhile; whoever then finds nothing reads it.
 */
#include "base/mailbox.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

struct mailbox {
	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	void **ring;
	size_t first, n, cap;
	int fd;
};

struct mailbox *mailbox_new(void)
{
	struct mailbox *mb = mem_zalloc(sizeof(*mb));
	pthread_condattr_t attr;

	pthread_mutex_init(&mb->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mb->arrived, &attr);
	pthread_condattr_destroy(&attr);
	mb->fd = -1;
	return mb;
}

void mailbox_free(struct mailbox *mb)
{
	if (!mb)
		return;
	if (mb->fd >= 0)
		close(mb->fd);
	pthread_cond_destroy(&mb->arrived);
	pthread_mutex_destroy(&mb->mutex);
	free(mb->ring);
	free(mb);
}

static void ring_grow(struct mailbox *mb)
{
	size_t cap = mb->cap ? 2 * mb->cap : 16;
	void **ring = mem_calloc(cap, sizeof(*ring));

	for (size_t i = 0; i < mb->n; i++)
		ring[i] = mb->ring[(mb->first + i) % mb->cap];
	free(mb->ring);
	mb->ring = ring;
	mb->cap = cap;
	mb->first = 0;
}

static void fd_set_readable(int fd)
{
	uint64_t value = 1;
	ssize_t n = fd >= 0 ? write(fd, &value, sizeof(value)) : (ssize_t)sizeof(value);

	assert(n == sizeof(value)); /* as many as never read: the counter has 64 bits */
}

static void fd_clear(int fd)
{
	uint64_t value;
	ssize_t n = fd >= 0 ? read(fd, &value, sizeof(value)) : (ssize_t)sizeof(value);

	assert(n == sizeof(value) || errno == EAGAIN); /* its sender has not come to writing it */
}

void mailbox_put(struct mailbox *mb, void *message)
{
	int fd;

	assert(message);
	pthread_mutex_lock(&mb->mutex);
	if (mb->n == mb->cap)
		ring_grow(mb);
	mb->ring[(mb->first + mb->n++) % mb->cap] = message;
	fd = mb->n == 1 ? mb->fd : -1;
	pthread_mutex_unlock(&mb->mutex);
	fd_set_readable(fd);
	pthread_cond_signal(&mb->arrived); /* now, so that who wakes finds the mutex free */
}

/* With the mutex held. */
static void *take_locked(struct mailbox *mb)
{
	void *message;

	if (mb->n == 0) {
		fd_clear(mb->fd);
		return NULL;
	}
	message = mb->ring[mb->first];
	mb->first = (mb->first + 1) % mb->cap;
	if (--mb->n == 0)
		fd_clear(mb->fd);
	return message;
}

void *mailbox_try_take(struct mailbox *mb)
{
	void *message;

	pthread_mutex_lock(&mb->mutex);
	message = take_locked(mb);
	pthread_mutex_unlock(&mb->mutex);
	return message;
}

static struct timespec deadline(int timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

void *mailbox_take(struct mailbox *mb, int timeout_ms)
{
	struct timespec until = deadline(timeout_ms < 0 ? 0 : timeout_ms);
	void *message;
	int rc = 0;

	pthread_mutex_lock(&mb->mutex);
	while (!(message = take_locked(mb)) && rc == 0) {
		if (timeout_ms < 0)
			rc = pthread_cond_wait(&mb->arrived, &mb->mutex);
		else
			rc = pthread_cond_timedwait(&mb->arrived, &mb->mutex, &until);
	}
	pthread_mutex_unlock(&mb->mutex);
	return message;
}

int mailbox_fd(struct mailbox *mb)
{
	pthread_mutex_lock(&mb->mutex);
	if (mb->fd < 0) {
		mb->fd = eventfd(mb->n > 0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (mb->fd < 0) {
			/* As with memory: a daemon without file descriptors cannot go on. */
			log_error("mailbox", "eventfd: %s", strerror(errno));
			abort();
		}
	}
	pthread_mutex_unlock(&mb->mutex);
	return mb->fd;
}
