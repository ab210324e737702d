/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server against clients that are slow, greedy, wrong or gone.
 */
#include "http_testing.h"

START_TEST(simple_request)
{
	const char *a;

	start_default();
	a = ask("GET /v1/services/a%2Fb%20c?q=x+y%26&z HTTP/1.1\r\nX-Test: one\r\nx-test:  two "
		"\r\n\r\n");
	assert_has(a, "HTTP/1.1 200 OK\r\n");
	assert_has(a, "ETag: \"17\"\r\n");
	assert_has(a, "Date: ");
	assert_has(a, "GET <v1> <services> <a/b c> q=x y& x=one, two body=0");
	assert_has(ask("GET http://host/v1 HTTP/1.1\r\nHost: host\r\n\r\n"), "GET <v1>");
	assert_has(ask("DELETE /none HTTP/1.1\r\n\r\n"), "HTTP/1.1 204 No Content\r\n");
	assert_has(ask("GET /v1 HTTP/1.0\r\n\r\n"), "Connection: close\r\n");
	assert_has(ask("\r\n\r\nGET /v1 HTTP/1.1\r\n\r\n"), "GET <v1>");
	stop();
}
END_TEST

START_TEST(head_has_no_body)
{
	const char *a;
	int fd;

	start_default();
	fd = dial();
	say(fd, "HEAD /x HTTP/1.1\r\n\r\n");
	a = hear_one(fd, true);
	assert_has(a, "Content-Length: ");
	ck_assert(!strstr(a, "<x>"));
	say(fd, "HEAD /stream HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n");
	assert_has(hear_one(fd, true), "200 OK");
	assert_has(hear_one(fd, false), "<y>");
	close(fd);
	stop();
	ck_assert_int_eq(srv.streams_done, 1);
}
END_TEST

START_TEST(fragmented)
{
	static const char request[] =
		"PUT /v1/services/web?q=1 HTTP/1.1\r\nHost: x\r\nX-Test: abc\r\n"
		"Content-Length: 5\r\n\r\nhello";
	static const char chunked[] = "PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
	int fd;

	start_default();
	fd = dial();
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		ck_assert(say_n(fd, request + i, 1));
	assert_has(hear_one(fd, false), "PUT <v1> <services> <web> q=1 x=abc body=5");
	for (size_t i = 0; i < sizeof(chunked) - 1; i++)
		ck_assert(say_n(fd, chunked + i, 1));
	assert_has(hear_one(fd, false), "PUT <c> q=- x=- body=5");
	close(fd);
	stop();
}
END_TEST

START_TEST(pipelined)
{
	enum { N = 500 };
	char *text = NULL, want[32];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	const char *a;

	start_default();
	for (int i = 0; i < N; i++)
		fprintf(f, "PUT /%s%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
			i % 100 ? "" : "later/", i);
	fclose(f);
	a = ask(text);
	free(text);
	for (int i = 0; i < N; i++) { /* in order */
		if (i % 100)
			snprintf(want, sizeof(want), "<%d>", i);
		else
			snprintf(want, sizeof(want), "later");
		a = strstr(a, want);
		ck_assert_msg(a, "%s is missing", want);
	}
	stop();
}
END_TEST

START_TEST(half_closed_gets_answer)
{
	start_default();
	assert_has(ask("GET /later HTTP/1.1\r\n\r\n"), "later");
	stop();
}
END_TEST

static const struct {
	const char *request;
	int status;
} wrong[] = {
	{ "hello\r\n\r\n", 400 },
	{ "\x16\x03\x01\x02", 400 }, /* TLS */
	{ "GET\r\n\r\n", 400 },
	{ "GET nowhere HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n: x\r\n\r\n", 400 },
	{ "GET /%zz HTTP/1.1\r\n\r\n", 400 },
	{ "GET /%00 HTTP/1.1\r\n\r\n", 400 },
	{ "GET /?a=%0 HTTP/1.1\r\n\r\n", 400 },
	{ "GET /1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g/h HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/2.0\r\n\r\n", 505 },
	{ "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400 },
	{ "PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400 },
	{ "PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	  400 },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501 },
	{ "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400 },
	{ "PUT / HTTP/1.1\r\nExpect: a miracle\r\nContent-Length: 1\r\n\r\n", 417 },
	{ "BREW /pot HTTP/1.1\r\n\r\n", 501 },
	{ "get / HTTP/1.1\r\n\r\n", 400 },
	{ "G /pot HTTP/1.1\r\n\r\n", 501 },
	{ "GETX / HTTP/1.1\r\n\r\n", 501 },
};

START_TEST(wrong_requests)
{
	start_default();
	assert_problem(ask(wrong[_i].request), wrong[_i].status);
	assert_others_served();
	stop();
}
END_TEST

START_TEST(odd_methods_reach_the_handler)
{
	start_default();
	assert_has(ask("OPTIONS * HTTP/1.1\r\n\r\n"), "OPTIONS q=");
	assert_has(ask("CONNECT host:80 HTTP/1.1\r\n\r\n"), "HTTP/1.1 400 ");
	assert_has(ask("GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"), "200 OK");
	stop();
}
END_TEST

static const char *ask_large(const char *head, size_t filler)
{
	char *block = mem_alloc(filler);
	int fd = dial();

	memset(block, 'a', filler);
	say(fd, head);
	say_n(fd, block, filler); /* may be cut short */
	free(block);
	return hear_all(fd);
}

START_TEST(too_large)
{
	start((struct http_limits){ .body_max_bytes = 1000000, .headers_max_bytes = 20000 });
	assert_problem(ask_large("GET / HTTP/1.1\r\nX: ", 30000), 431);
	assert_problem(ask_large("GET / HTTP/1.1\r\nX: ", 3000000), 431);
	assert_problem(ask_large("GET /", 3000000), 414);
	assert_problem(ask_large("PUT / HTTP/1.1\r\nContent-Length: 1000001\r\n\r\n", 1000001),
		       413);
	assert_problem(ask_large("PUT / HTTP/1.1\r\nContent-Length: 5000000\r\n\r\n", 5000000),
		       413);
	assert_problem(
		ask_large("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nf4241\r\n", 1000001),
		413);
	assert_problem(
		ask("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000001\r\n\r\n"),
		413);
	assert_has(
		ask_large("PUT / HTTP/1.1\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n",
			  1000000),
		"body=1000000");
	stop();
}
END_TEST

START_TEST(too_many_fields)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	fprintf(f, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "a:\r\n");
	fprintf(f, "\r\n");
	fclose(f);
	start_default();
	assert_problem(ask(text), 431);
	free(text);
	stop();
}
END_TEST

START_TEST(expect_continue)
{
	int fd;

	start_default();
	fd = dial();
	say(fd, "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
	assert_has(hear_one(fd, true), "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "abc");
	assert_has(hear_one(fd, false), "body=3");
	close(fd);
	stop();
}
END_TEST

START_TEST(stalled_and_idle_clients)
{
	enum { N = 300 };
	int fds[N];

	start((struct http_limits){ .request_timeout_ms = 60000 });
	for (int i = 0; i < N; i++) {
		fds[i] = dial();
		if (i % 3 == 1)
			say(fds[i], "PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
		else if (i % 3 == 2)
			say(fds[i], "GET / HTT");
	}
	assert_others_served();
	for (int i = 0; i < N; i++)
		close(fds[i]);
	assert_others_served();
	stop();
}
END_TEST

/* A deadline for the whole request: to send a byte now and then does not help. */
START_TEST(dripping_client_is_cut)
{
	double before = now_ms();
	int fd;

	start((struct http_limits){ .request_timeout_ms = 300 });
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\nX: ");
	for (int i = 0; i < 1000; i++) {
		struct pollfd p = { fd, POLLIN, 0 };

		if (poll(&p, 1, 20) > 0 || !say_n(fd, "y", 1))
			break;
	}
	assert_problem(hear_all(fd), 408);
	ck_assert_double_lt(now_ms() - before, 5000);
	stop();
}
END_TEST

START_TEST(idle_client_is_closed)
{
	int fd;

	start((struct http_limits){ .idle_timeout_ms = 200 });
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\n\r\n");
	assert_has(hear_one(fd, false), "200 OK");
	ck_assert_str_eq(hear_all(fd), "");
	stop();
}
END_TEST

START_TEST(never_reads_its_answer)
{
	static const char gets[] = "GET /stream HTTP/1.1\r\n\r\nGET /stream HTTP/1.1\r\n\r\n";
	int fd, many;

	start((struct http_limits){ .idle_timeout_ms = 1000 });
	fd = dial();
	say(fd, gets);
	many = dial();
	/* Pipelines for ever and reads nothing: is held up, then cut; does not grow the server. */
	while (say_n(many, gets, sizeof(gets) - 1))
		;
	assert_others_served();
	while (__atomic_load_n(&srv.streams_done, __ATOMIC_RELAXED) < 2)
		usleep(10000);
	ck_assert_uint_lt(srv.high_water, 300000);
	close(fd);
	close(many);
	stop();
}
END_TEST

START_TEST(leaves_before_the_answer)
{
	int fd;

	start_default();
	fd = dial();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	usleep(20000);
	close(fd);
	for (int i = 0; i < 500; i++) {
		fd = dial();
		say(fd, "GET /now HTTP/1.1\r\n\r\n");
		close(fd);
	}
	for (int i = 0; i < 50; i++) {
		fd = dial();
		say(fd, "GET /later HTTP/1.1\r\n\r\n");
		close(fd);
	}
	fd = dial();
	say(fd, "PUT / HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
	close(fd);
	assert_others_served();
	assert_has(ask("GET /release HTTP/1.1\r\n\r\n"), "HTTP/1.1 200");
	assert_has(ask("GET /later HTTP/1.1\r\n\r\n"), "later"); /* the others' are over, too */
	stop();
}
END_TEST

START_TEST(leaves_a_stream)
{
	int fd;

	start_default();
	fd = dial();
	say(fd, "GET /quiet HTTP/1.1\r\n\r\n");
	assert_has(hear_one(fd, true), "Transfer-Encoding: chunked\r\n");
	close(fd);
	while (!__atomic_load_n(&srv.streams_done, __ATOMIC_RELAXED))
		usleep(1000);
	fd = dial(); /* and one that is there when the server stops */
	say(fd, "GET /quiet HTTP/1.1\r\n\r\n");
	hear_one(fd, true);
	stop();
	ck_assert_int_eq(srv.streams_done, 2);
	close(fd);
}
END_TEST

START_TEST(large_stream)
{
	const char *a;
	size_t n = 0;

	start_default();
	for (a = ask("GET /stream HTTP/1.1\r\n\r\n"); *a; a++)
		n += *a == 'x';
	ck_assert_uint_ge(n, STREAM_BYTES);
	ck_assert_str_eq(a - 5, "0\r\n\r\n");
	a = ask("GET /stream HTTP/1.0\r\n\r\n");
	assert_has(a, "Connection: close");
	a = strstr(a, "\r\n\r\n") + 4;
	ck_assert_uint_eq(strspn(a, "x"), strlen(a));
	ck_assert_uint_lt(srv.high_water, 300000);
	stop();
}
END_TEST

START_TEST(connection_limit)
{
	int fds[10], busy[10];

	start((struct http_limits){ .connections_max = 10 });
	for (int i = 0; i < 10; i++) {
		fds[i] = dial();
		say(fds[i], "GET / HTTP/1.1\r\n\r\n");
		hear_one(fds[i], false);
	}
	assert_has(ask("GET /eleven HTTP/1.1\r\n\r\n"), "<eleven>"); /* the idlest made room */
	ck_assert_str_eq(hear_all(fds[0]), "");
	for (int i = 1; i < 10; i++)
		close(fds[i]);
	for (int i = 0; i < 10; i++) {
		busy[i] = dial();
		say(busy[i], "GET /quiet HTTP/1.1\r\n\r\n");
		hear_one(busy[i], true);
	}
	assert_problem(ask("GET / HTTP/1.1\r\n\r\n"), 503);
	close(busy[0]);
	while (!__atomic_load_n(&srv.streams_done, __ATOMIC_RELAXED))
		usleep(1000);
	assert_has(ask("GET /free HTTP/1.1\r\n\r\n"), "<free>");
	for (int i = 1; i < 10; i++)
		close(busy[i]);
	stop();
}
END_TEST

START_TEST(memory_of_bodies_is_bounded)
{
	enum { N = 8, LEN = 900000 };
	char *block = mem_zalloc(LEN);
	int fds[N], refused = 0;

	start((struct http_limits){ .body_max_bytes = 1000000 });
	for (int i = 0; i < N; i++) {
		struct pollfd p;

		fds[i] = dial();
		say(fds[i], "PUT / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n");
		say_n(fds[i], block, LEN);
		p = (struct pollfd){ fds[i], POLLIN, 0 };
		refused += poll(&p, 1, 100) > 0;
	}
	ck_assert_int_ge(refused, 1);
	ck_assert_int_le(refused, N - 3);
	assert_problem(hear_all(fds[N - 1]), 503);
	assert_has(ask("PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"), "body=3");
	for (int i = 0; i < N - 1; i++)
		close(fds[i]);
	assert_has(
		ask_large("PUT / HTTP/1.1\r\nConnection: close\r\nContent-Length: 900000\r\n\r\n",
			  LEN),
		"body=900000");
	free(block);
	stop();
}
END_TEST

START_TEST(socket_file)
{
	struct err err = ERR_INIT;
	struct event_base *base = event_base_new();
	struct http_server *other = http_new(base, &(struct http_limits){ 0 }, handle, NULL);
	struct stat st;
	int fd;

	start_default();
	ck_assert_int_eq(stat(srv.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_lt(http_listen_unix(other, srv.path, 0600, (gid_t)-1, &err), 0);
	ck_assert_int_eq(err.kind, ERR_CONFLICT);
	assert_others_served();
	stop();
	err_reset(&err);
	fd = socket(AF_UNIX, SOCK_STREAM, 0); /* what a killed daemon leaves */
	bind(fd, (struct sockaddr *)&(struct sockaddr_un){ AF_UNIX, "/tmp/fnat-test-stale" },
	     sizeof(struct sockaddr_un));
	close(fd);
	ck_assert_int_eq(http_listen_unix(other, "/tmp/fnat-test-stale", 0660, getgid(), &err), 0);
	ck_assert_int_eq(stat("/tmp/fnat-test-stale", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	http_free(other);
	ck_assert_int_lt(access("/tmp/fnat-test-stale", F_OK), 0);
	other = http_new(base, &(struct http_limits){ 0 }, handle, NULL);
	ck_assert_int_lt(http_listen_unix(other, "/dev/null", 0660, (gid_t)-1, &err), 0);
	ck_assert_int_lt(http_listen_unix(other, "/nonexistent/x", 0660, (gid_t)-1, &err), 0);
	err_fini(&err);
	http_free(other);
	event_base_free(base);
}
END_TEST

START_TEST(answers_are_sent_before_the_end)
{
	char *block = mem_zalloc(100000);
	const char *a;
	int fd;

	start_default();
	fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	hear_one(fd, true);
	stop();
	a = hear_all(fd); /* what was given to the connection */
	ck_assert_uint_gt(strlen(a), STREAM_PIECE);
	free(block);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http");
	TCase *t = tcase_create("http");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, simple_request);
	tcase_add_test(t, head_has_no_body);
	tcase_add_test(t, fragmented);
	tcase_add_test(t, pipelined);
	tcase_add_test(t, half_closed_gets_answer);
	tcase_add_loop_test(t, wrong_requests, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(t, odd_methods_reach_the_handler);
	tcase_add_test(t, too_large);
	tcase_add_test(t, too_many_fields);
	tcase_add_test(t, expect_continue);
	tcase_add_test(t, stalled_and_idle_clients);
	tcase_add_test(t, dripping_client_is_cut);
	tcase_add_test(t, idle_client_is_closed);
	tcase_add_test(t, never_reads_its_answer);
	tcase_add_test(t, leaves_before_the_answer);
	tcase_add_test(t, leaves_a_stream);
	tcase_add_test(t, large_stream);
	tcase_add_test(t, connection_limit);
	tcase_add_test(t, memory_of_bodies_is_bounded);
	tcase_add_test(t, socket_file);
	tcase_add_test(t, answers_are_sent_before_the_end);
	suite_add_tcase(s, t);
	return run_suite(s);
}
