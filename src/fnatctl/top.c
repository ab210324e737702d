/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live view of what goes through services and backends. A thread asks, so that keys are obeyed
 * while the daemon takes its time, or does not answer at all; what was shown last stays, with the
 * reason why there is nothing newer. One that comes back is seen with the next question.
 */
#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "fnatctl/commands.h"
#include "fnatctl/text.h"
#include "fnatctl/top_table.h"
#include "fnatctl/view.h"

#define INTERVAL_S_DEFAULT 2
#define TIMEOUT_S          5
/* What is left when it ends: a request that hangs is not waited for. */
#define LAST_WAIT_MS 200

static const char keys[] =
	"q quit  arrows 1-9 n sort  r reverse  b backends  t totals  pgup pgdn scroll";

struct answer {
	json_t *stats; /* NULL: ... */
	char *error;   /* ... for this reason */
};

/* Asks once for each message that comes, whatever it is, until one is the asker itself. */
struct asker {
	pthread_t thread;
	struct client *client;
	const char *path;
	struct mailbox *questions, *answers;
};

struct top {
	struct asker asker;
	struct top_view view;
	const char *what; /* a service, or NULL */
	long interval_s;
	json_t *stats;     /* the last there are */
	char *error;       /* since then; NULL: none */
	time_t stats_time; /* of `stats` */
	struct top_table table;
	bool is_waiting; /* for an answer */
	bool is_ended;
};

/* --- the thread ---------------------------------------------------------------------------- */

static struct answer *ask(struct asker *a)
{
	struct answer *answer = mem_zalloc(sizeof(*answer));
	struct request rq = { .method = "GET", .path = a->path };
	struct err err = ERR_INIT;
	struct reply reply;

	if (client_send(a->client, &rq, &reply, &err) < 0) {
		answer->error = mem_strdup(err_text(&err));
	} else if (reply.status == 200) {
		answer->stats = json_loadb(reply.body, reply.len, 0, NULL);
	} else {
		json_t *problem = json_loadb(reply.body, reply.len, 0, NULL);

		answer->error = mem_strdup(view_string(problem, "detail"));
		json_decref(problem);
	}
	if (!answer->stats && !answer->error)
		answer->error = mem_strdup("an answer that is not JSON");
	reply_fini(&reply);
	err_fini(&err);
	return answer;
}

static void *asker_main(void *arg)
{
	struct asker *a = arg;

	while (mailbox_take(a->questions, -1) != a)
		mailbox_put(a->answers, ask(a));
	return NULL;
}

static void answer_free(struct answer *answer)
{
	if (!answer)
		return;
	json_decref(answer->stats);
	free(answer->error);
	free(answer);
}

static int asker_start(struct asker *a, const struct cli *cli, const char *path)
{
	long timeout_s = cli->timeout_s < TIMEOUT_S ? cli->timeout_s : TIMEOUT_S;

	*a = (struct asker){ .client = client_new(cli->socket_path, timeout_s),
			     .path = path,
			     .questions = mailbox_new(),
			     .answers = mailbox_new() };
	(void)mailbox_fd(a->answers);
	return pthread_create(&a->thread, NULL, asker_main, a);
}

/* False: it hangs, and ends with the process. */
static bool asker_stop(struct asker *a)
{
	struct timespec until;
	struct answer *answer;

	mailbox_put(a->questions, a);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LAST_WAIT_MS * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (pthread_timedjoin_np(a->thread, NULL, &until) != 0)
		return false;
	while ((answer = mailbox_try_take(a->answers)))
		answer_free(answer);
	mailbox_free(a->questions);
	mailbox_free(a->answers);
	client_free(a->client);
	return true;
}

/* --- the screen ---------------------------------------------------------------------------- */

static void put_title(const struct top *t)
{
	char when[32] = "";
	struct tm tm;

	if (t->stats_time && localtime_r(&t->stats_time, &tm))
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	mvprintw(0, 0, "fnat  %s  %s  %s, every %ld s", when, t->what ? t->what : "all services",
		 t->view.is_rate ? "a second" : "in all", t->interval_s);
	clrtoeol();
	if (!t->error)
		return;
	attron(A_REVERSE);
	mvprintw(1, 0, "%.*s", (int)t->view.width, t->error);
	attroff(A_REVERSE);
}

static void put_heading(const struct top *t, int y)
{
	const struct number *numbers = t->view.is_rate ? stats_rates : stats_totals;
	int width = (int)top_name_width(&t->view);
	size_t from, to;

	top_fit(&t->view, &from, &to);
	attron(A_BOLD);
	if (t->view.column == 0)
		attron(A_UNDERLINE);
	mvprintw(y, 0, "SERVICE");
	attroff(A_UNDERLINE);
	for (size_t i = from; i < to; i++) {
		const char *heading = numbers[i].heading + 1;
		int x = width + (int)(i - from + 1) * TOP_CELL - (int)strlen(heading);

		if (t->view.column == i + 1)
			attron(A_UNDERLINE);
		mvprintw(y, x, "%s", heading);
		attroff(A_UNDERLINE);
	}
	attroff(A_BOLD);
}

static void put_row(const struct top *t, int y, const struct top_row *row)
{
	int width = (int)top_name_width(&t->view);
	char buf[TOP_NUMBER_BYTES];
	size_t from, to;

	top_fit(&t->view, &from, &to);
	mvprintw(y, 0, "%.*s", width > 0 ? width - 1 : 0, row->name);
	for (size_t i = from; i < to; i++)
		mvprintw(y, width + (int)(i - from) * TOP_CELL, "%*s", TOP_CELL,
			 top_number(row->numbers[i], buf));
}

/* Title, error, heading, rows, keys. */
static void draw(struct top *t)
{
	int height, width;

	getmaxyx(stdscr, height, width);
	t->view.width = (unsigned int)width;
	t->view.n = height > 4 ? (unsigned int)height - 4 : 0;
	top_table_fini(&t->table);
	top_table_fill(&t->table, t->stats, &t->view);
	(void)top_view_key(&t->view, KEY_RESIZE, t->table.n); /* what is on top is there yet */
	erase();
	put_title(t);
	put_heading(t, 2);
	for (size_t i = 0; i < t->view.n && t->view.first + i < t->table.n; i++)
		put_row(t, 3 + (int)i, &t->table.rows[t->view.first + i]);
	if (t->stats && t->table.n == 0)
		mvprintw(3, 0, "there are no services");
	attron(A_REVERSE);
	mvprintw(height - 1, 0, "%-*.*s", width - 1, width - 1, keys);
	attroff(A_REVERSE);
	refresh();
}

/* --- what happens -------------------------------------------------------------------------- */

static void take_answers(struct top *t)
{
	struct answer *answer;

	while ((answer = mailbox_try_take(t->asker.answers))) {
		t->is_waiting = false;
		free(t->error);
		t->error = answer->error ? text_safe(answer->error) : NULL;
		if (answer->stats) {
			json_decref(t->stats);
			t->stats = json_incref(answer->stats);
			t->stats_time = time(NULL);
		}
		answer_free(answer);
	}
}

static void take_keys(struct top *t)
{
	int key;

	while ((key = getch()) != ERR) {
		if (key == 'q' || key == 'Q' || key == 3 /* ^C */)
			t->is_ended = true;
		else
			(void)top_view_key(&t->view, key, t->table.n);
	}
}

static void watch(struct top *t)
{
	long next_ms = (long)clock_mono_ms();

	while (!t->is_ended) {
		struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
					{ .fd = mailbox_fd(t->asker.answers), .events = POLLIN } };
		long wait_ms = next_ms - (long)clock_mono_ms();

		if (wait_ms <= 0 && !t->is_waiting) {
			mailbox_put(t->asker.questions, &t->view);
			t->is_waiting = true;
			next_ms = (long)clock_mono_ms() + t->interval_s * 1000;
		}
		draw(t);
		/* A signal is a change of the window's size. */
		if (poll(fds, 2, wait_ms > 0 ? (int)wait_ms : 1000) < 0 && errno != EINTR)
			break;
		if (fds[0].revents & (POLLHUP | POLLERR))
			t->is_ended = true;
		take_answers(t);
		take_keys(t);
	}
}

static bool screen_begin(void)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return false;
	set_term(screen);
	raw(); /* ^C is a key, so that the terminal is put in order */
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	(void)curs_set(0);
	return true;
}

/* A first answer before the screen is taken, so that an error stays to be read. */
static int check_first(struct cli *cli, const char *path, struct top *t)
{
	int ret = cli_get(cli, path, &t->stats);

	t->stats_time = time(NULL);
	return ret;
}

int run_top(struct cli *cli, char *const args[], size_t n)
{
	char *name = n ? client_escape(args[0]) : NULL;
	char *path = mem_printf("/v1/stats%s%s", name ? "?service=" : "", name ? name : "");
	struct top t = { .what = n ? args[0] : NULL,
			 .interval_s = cli->watch_s ? cli->watch_s : INTERVAL_S_DEFAULT,
			 .view = { .is_rate = true, .has_backends = true, .column = 1 } };
	int ret = CLI_REFUSED;

	if (!cli->is_terminal || !isatty(STDIN_FILENO))
		cli_error("top needs a terminal; \"fnatctl stats --rate --watch 2\" does not");
	else
		ret = check_first(cli, path, &t);
	if (ret == CLI_OK && (asker_start(&t.asker, cli, path) != 0 || !screen_begin())) {
		cli_error("the terminal (TERM=%s) cannot do that", getenv("TERM"));
		ret = CLI_REFUSED;
	} else if (ret == CLI_OK) {
		watch(&t);
		endwin();
	}
	if (t.asker.client && !asker_stop(&t.asker))
		_exit(ret); /* the thread uses what would be freed */
	top_table_fini(&t.table);
	json_decref(t.stats);
	free(t.error);
	free(path);
	free(name);
	return ret;
}
