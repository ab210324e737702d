/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line is put together first and written with one write(2), so that lines of different threads
 * never mix and no lock is needed. What came from outside (names, kernel messages) is cleaned, so
 * that it cannot forge a second line or break an object of --log-json. The object is written by
 * hand: an allocation may be what has just failed.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define LOG_MESSAGE_BYTES 2048
/* A message of which every byte is escaped, and what stands around it. */
#define LOG_LINE_BYTES (2 * LOG_MESSAGE_BYTES + 160)

static const struct {
	const char *word;
	int priority; /* sd-daemon(3), syslog(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

static atomic_int current_level = LOG_LEVEL_INFO;
static bool to_journal;
static atomic_bool to_syslog, as_json;
static pthread_once_t once = PTHREAD_ONCE_INIT;

int log_level_parse(const char *word, enum log_level *level)
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(word, levels[i].word) == 0) {
			*level = i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&current_level, level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&current_level, memory_order_relaxed);
}

void log_set_json(bool is_json)
{
	atomic_store_explicit(&as_json, is_json, memory_order_relaxed);
}

void log_to_syslog(const char *ident)
{
	openlog(ident, LOG_PID, LOG_DAEMON);
	atomic_store_explicit(&to_syslog, true, memory_order_release);
}

/* JOURNAL_STREAM holds device and inode of what systemd connected to stderr (systemd.exec(5)). */
static void journal_detect(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (env && sscanf(env, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0)
		to_journal = st.st_dev == dev && st.st_ino == ino;
}

/* Room for what it is given is the caller's business: at most two bytes a byte, and a NUL. */
static void json_escape(char *out, const char *clean)
{
	for (; *clean; clean++) {
		if (*clean == '"' || *clean == '\\')
			*out++ = '\\';
		*out++ = *clean;
	}
	*out = '\0';
}

static void format_json(char line[LOG_LINE_BYTES], const char *level, const char *subsystem,
			const char *message)
{
	char escaped[2 * LOG_MESSAGE_BYTES], date[32] = "";
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	json_escape(escaped, message);
	snprintf(line, LOG_LINE_BYTES,
		 "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"subsystem\":\"%.32s\",\"message\":"
		 "\"%s\"}",
		 date, now.tv_nsec / 1000, level, subsystem, escaped);
}

static void line_write(const char *line, int priority)
{
	char out[LOG_LINE_BYTES + 8];
	int n;

	if (atomic_load_explicit(&to_syslog, memory_order_acquire)) {
		syslog(priority, "%s", line);
		return;
	}
	pthread_once(&once, journal_detect);
	if (to_journal)
		n = snprintf(out, sizeof(out), "<%d>%s\n", priority, line);
	else
		n = snprintf(out, sizeof(out), "%s\n", line);
	while (write(STDERR_FILENO, out, (size_t)n) < 0 && errno == EINTR)
		;
}

static void __attribute__((format(printf, 3, 0)))
message_write(enum log_level level, const char *subsystem, const char *fmt, va_list ap)
{
	char message[LOG_MESSAGE_BYTES], line[LOG_LINE_BYTES];

	if (!log_enabled(level))
		return;
	vsnprintf(message, sizeof(message), fmt, ap);
	utf8_clean(message);
	if (atomic_load_explicit(&as_json, memory_order_relaxed))
		format_json(line, levels[level].word, subsystem, message);
	else
		snprintf(line, sizeof(line), "%s %s: %s", levels[level].word, subsystem, message);
	line_write(line, levels[level].priority);
}

#define DEFINE_LOG(name, level)                                                                    \
	void log_##name(const char *subsystem, const char *fmt, ...)                               \
	{                                                                                          \
		int saved = errno;                                                                 \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		message_write(level, subsystem, fmt, ap);                                          \
		va_end(ap);                                                                        \
		errno = saved;                                                                     \
	}

DEFINE_LOG(error, LOG_LEVEL_ERROR)
DEFINE_LOG(warn, LOG_LEVEL_WARN)
DEFINE_LOG(info, LOG_LEVEL_INFO)
DEFINE_LOG(debug, LOG_LEVEL_DEBUG)
