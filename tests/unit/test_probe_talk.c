/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What servers say in lines of text, and what becomes of it: agents, SMTP.
 */
#include "health/agent_text.h"
#include "health/smtp_text.h"
#include "model_testing.h"

static const struct {
	const char *line;
	size_t n_known;
	struct agent_said said; /* after { 50, AGENT_DOWN, PROBE_ORDER_DRAIN } */
	const char *unknown;
} agents[] = {
	{ "75%", 1, { 75, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "0%", 1, { 0, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "9999%", 1, { AGENT_PERCENT_MAX, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "10000%", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "10000%" },
	{ "%", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "%" },
	{ "-1%", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "-1%" },
	{ "7 5%", 1, { 5, AGENT_DOWN, PROBE_ORDER_DRAIN }, "7" },
	{ "up", 1, { 50, AGENT_UP, PROBE_ORDER_DRAIN }, "" },
	{ "UP, ready\t100%", 3, { 100, AGENT_UP, PROBE_ORDER_READY }, "" },
	{ "maint", 1, { 50, AGENT_DOWN, PROBE_ORDER_MAINT }, "" },
	{ "up drain", 2, { 50, AGENT_UP, PROBE_ORDER_DRAIN }, "" },
	{ "up down", 2, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "fail", 1, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "failed #up 100%", 1, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "stopped#for lunch", 1, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "maxconn:30", 1, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "maxconn:", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "maxconn:" },
	{ "maxconn:x up", 1, { 50, AGENT_UP, PROBE_ORDER_DRAIN }, "maxconn:x" },
	{ "upp ready", 1, { 50, AGENT_DOWN, PROBE_ORDER_READY }, "upp" },
	{ ",, \t", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
	{ "#up", 0, { 50, AGENT_DOWN, PROBE_ORDER_DRAIN }, "" },
};

START_TEST(agent_lines)
{
	struct agent_said said = { 50, AGENT_DOWN, PROBE_ORDER_DRAIN };
	const struct agent_said *want = &agents[_i].said;
	char unknown[PROBE_REASON_BYTES];

	ck_assert_uint_eq(agent_take(&said, agents[_i].line, strlen(agents[_i].line), unknown),
			  agents[_i].n_known);
	ck_assert_int_eq(said.percent, want->percent);
	ck_assert_int_eq(said.state, want->state);
	ck_assert_int_eq(said.order, want->order);
	ck_assert_str_eq(unknown, agents[_i].unknown);
}
END_TEST

/* A conversation: what the server says, "|" where it waits for us; how it ends. */
static const struct {
	const char *server, *client;
	enum smtp_next end;
	const char *reason;
} talks[] = {
	{ "220 mx ESMTP\r\n|250-mx\r\n250-SIZE 1\r\n250 HELP\r\n|221 bye\r\n",
	  "EHLO me\r\nQUIT\r\n", SMTP_WELL, "greeted with: 220 mx ESMTP" },
	{ "220-two\r\n220 lines\r\n|250 mx\r\n|221\r\n", "EHLO me\r\nQUIT\r\n", SMTP_WELL,
	  "greeted with: 220 lines" },
	{ "220 old\n|502 what?\n|250 mx\n|221 bye\n", "EHLO me\r\nHELO me\r\nQUIT\r\n", SMTP_WELL,
	  "greeted with: 220 old" },
	{ "554 go away\r\n", "", SMTP_BAD, "greeted with: 554 go away" },
	{ "421 too many\r\n", "", SMTP_BAD, "greeted with: 421 too many" },
	{ "SSH-2.0-OpenSSH\r\n", "", SMTP_BAD, "greeted with: SSH-2.0-OpenSSH" },
	{ "2200 x\r\n", "", SMTP_BAD, "greeted with: 2200 x" },
	{ "220 mx\r\n|421 later\r\n", "EHLO me\r\n", SMTP_BAD, "EHLO was answered: 421 later" },
	{ "220 mx\r\n|550 no\r\n|550 no\r\n", "EHLO me\r\nHELO me\r\n", SMTP_BAD,
	  "HELO was answered: 550 no" },
	{ "220 mx\r\n|250 mx\r\n|500 ?\r\n", "EHLO me\r\nQUIT\r\n", SMTP_BAD,
	  "QUIT was answered: 500 ?" },
	{ "220 mx\r\n|\r\n", "EHLO me\r\n", SMTP_BAD, "EHLO was answered: " },
};

START_TEST(smtp_talks)
{
	const char *at = talks[_i].server;
	char reason[PROBE_REASON_BYTES] = "", said[200] = "", command[SMTP_COMMAND_BYTES];
	struct smtp_talk t = { 0 };
	enum smtp_next next = SMTP_WAIT;

	for (; *at && next != SMTP_BAD; at += *at == '|') {
		size_t len = smtp_line(at, strlen(at));

		ck_assert_uint_gt(len, 0);
		next = smtp_take(&t, at, len, reason);
		at += len;
		ck_assert_int_eq(next == SMTP_SAY, *at == '|');
		if (next == SMTP_SAY) {
			ck_assert_uint_eq(smtp_command(&t, "me", command), strlen(command));
			strcat(said, command);
		}
	}
	ck_assert_str_eq(at, "");
	ck_assert_int_eq(next, talks[_i].end);
	ck_assert_str_eq(reason, talks[_i].reason);
	ck_assert_str_eq(said, talks[_i].client);
}
END_TEST

START_TEST(smtp_bounds)
{
	char reason[PROBE_REASON_BYTES];
	struct smtp_talk t = { 0 };
	int n = 0;

	ck_assert_uint_eq(smtp_line("220 mx", 6), 0);
	while (smtp_take(&t, "220-again", 9, reason) == SMTP_WAIT)
		n++;
	ck_assert_int_eq(n, SMTP_LINES_MAX);
	t = (struct smtp_talk){ .stage = SMTP_EHLO };
	ck_assert_int_eq(smtp_end(&t, reason), SMTP_BAD);
	ck_assert_str_eq(reason, "closed by the server, waiting for the reply to EHLO");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_talk");
	TCase *tc = tcase_create("probe_talk");

	tcase_add_loop_test(tc, agent_lines, 0, (int)(sizeof(agents) / sizeof(agents[0])));
	tcase_add_loop_test(tc, smtp_talks, 0, (int)(sizeof(talks) / sizeof(talks[0])));
	tcase_add_test(tc, smtp_bounds);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
