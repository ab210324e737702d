/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What probes send, and how they take what comes back: DNS, ICMP and gRPC, byte by byte.
 */
#include "health/dns_message.h"
#include "health/grpc_message.h"
#include "health/icmp_message.h"
#include "model_testing.h"

#include <resolv.h>

enum { SOA, A, AAAA, NS, CNAME, MX, TXT, PTR, SRV }; /* as the words of "record" */

static const uint8_t question[] = { 3, 'w', 'w', 'w', 1, 'x', 0, 0, 1, 0, 1 };

START_TEST(query)
{
	const struct check_dns d = { .name = (char *)"www.x.", .record = A };
	static const uint8_t header[] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	uint8_t out[DNS_QUERY_BYTES];

	ck_assert_uint_eq(dns_query(&d, 0x1234, out), sizeof(header) + sizeof(question));
	ck_assert_mem_eq(out, header, sizeof(header));
	ck_assert_mem_eq(out + sizeof(header), question, sizeof(question));
}
END_TEST

START_TEST(names)
{
	uint8_t out[CHECK_DNS_NAME_BYTES];
	char longest[300] = "", label[65];

	ck_assert_uint_eq(check_dns_encode(".", out), 1);
	ck_assert_uint_eq(check_dns_encode("a.b", out), 5);
	ck_assert_uint_eq(check_dns_encode("a.b.", out), 5);
	memset(label, 'a', 64);
	label[64] = '\0';
	ck_assert_uint_eq(check_dns_encode(label, out), 0);
	ck_assert_uint_eq(check_dns_encode(label + 1, out), 65);
	for (int i = 0; i < 4; i++)
		strcat(strcat(longest, label + 1), ".");
	ck_assert_uint_eq(check_dns_encode(longest, out), 0);
	ck_assert_uint_eq(check_dns_encode(longest + 2, out), CHECK_DNS_NAME_BYTES);
}
END_TEST

struct message {
	uint8_t bytes[512];
	size_t n;
};

static void put(struct message *m, const void *bytes, size_t n)
{
	memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

/* An answer to www.x with one record. */
static struct message answer_of(uint8_t rcode, uint8_t type, const void *data, uint8_t len)
{
	const uint8_t header[] = { 0x12, 0x34, 0x81, rcode, 0, 1, 0, type ? 1 : 0, 0, 0, 0, 0 };
	const uint8_t record[] = { 0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, len };
	struct message m = { .n = 0 };

	put(&m, header, sizeof(header));
	put(&m, question, sizeof(question));
	if (type) {
		put(&m, record, sizeof(record));
		put(&m, data, len);
	}
	return m;
}

static const struct {
	struct check_dns d;
	uint8_t rcode, type, len;
	const char *data;
	enum probe_result result;
	const char *reason;
} answers[] = {
	{ { .record = A }, 0, 1, 4, "\12\0\0\1", PROBE_OK, "answered 10.0.0.1" },
	{ { .record = A, .expect = (char *)"10.0.0.1" },
	  0,
	  1,
	  4,
	  "\12\0\0\1",
	  PROBE_OK,
	  "10.0.0.1" },
	{ { .record = A, .expect = (char *)"10.0.0.2" },
	  0,
	  1,
	  4,
	  "\12\0\0\1",
	  PROBE_FAILED,
	  "1 answers, none as expected: 10.0.0.1" },
	{ { .record = A }, 0, 0, 0, "", PROBE_OK, "answered NOERROR" },
	{ { .record = A, .expect = (char *)"10.0.0.1" },
	  0,
	  0,
	  0,
	  "",
	  PROBE_FAILED,
	  "without a record" },
	{ { .record = A, .expect = (char *)"10.0.0.1" },
	  0,
	  5,
	  3,
	  "\1y\0",
	  PROBE_FAILED,
	  "without" },
	{ { .record = AAAA, .expect = (char *)"fd00:0::1" },
	  0,
	  28,
	  16,
	  "\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1",
	  PROBE_OK,
	  "fd00::1" },
	{ { .record = CNAME, .expect = (char *)"Y.X." }, 0, 5, 4, "\1y\300\20", PROBE_OK, "y.x" },
	{ { .record = MX, .expect = (char *)"10 y.x" },
	  0,
	  15,
	  6,
	  "\0\12\1y\300\20",
	  PROBE_OK,
	  "10 y.x" },
	{ { .record = SRV, .expect = (char *)"1 2 80 y" },
	  0,
	  33,
	  9,
	  "\0\1\0\2\0\120\1y\0",
	  PROBE_OK,
	  "" },
	{ { .record = TXT, .expect = (char *)"hello" }, 0, 16, 6, "\5hello", PROBE_OK, "hello" },
	{ { .record = TXT, .expect = (char *)"hello" }, 0, 16, 3, "\5he", PROBE_FAILED, "without" },
	{ { .record = A, .expect = (char *)"10.0.0.1" },
	  0,
	  1,
	  3,
	  "\12\0\0",
	  PROBE_FAILED,
	  "without" },
	{ { .record = A }, 2, 0, 0, "", PROBE_FAILED, "answered SERVFAIL" },
	{ { .record = A }, 3, 0, 0, "", PROBE_FAILED, "answered NXDOMAIN" },
	{ { .record = A, .rcode = CHECK_DNS_NXDOMAIN }, 3, 0, 0, "", PROBE_OK, "NXDOMAIN" },
	{ { .record = A, .rcode = CHECK_DNS_NXDOMAIN }, 5, 0, 0, "", PROBE_FAILED, "REFUSED" },
	{ { .record = A, .rcode = CHECK_DNS_ANY }, 5, 0, 0, "", PROBE_OK, "REFUSED" },
};

START_TEST(judged)
{
	struct message m =
		answer_of(answers[_i].rcode, answers[_i].type, answers[_i].data, answers[_i].len);
	char reason[PROBE_REASON_BYTES];
	enum probe_result result;

	ck_assert(dns_judge(&answers[_i].d, 0x1234, m.bytes, m.n, &result, reason));
	ck_assert_msg(result == answers[_i].result, "%s", reason);
	ck_assert_msg(strstr(reason, answers[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(not_an_answer)
{
	const struct check_dns d = { .record = A };
	struct message m = answer_of(0, 1, "\12\0\0\1", 4);
	char reason[PROBE_REASON_BYTES];
	enum probe_result result;

	ck_assert(!dns_judge(&d, 0x1235, m.bytes, m.n, &result, reason));
	ck_assert(!dns_judge(&d, 0x1234, m.bytes, 11, &result, reason));
	for (size_t len = 12; len < m.n; len++) { /* cut anywhere */
		uint8_t *copy = mem_alloc(len);

		memcpy(copy, m.bytes, len);
		ck_assert(dns_judge(&d, 0x1234, copy, len, &result, reason));
		ck_assert_int_eq(result, PROBE_FAILED);
		free(copy);
	}
	m.bytes[2] = 1; /* a query, ours that came back */
	ck_assert(!dns_judge(&d, 0x1234, m.bytes, m.n, &result, reason));
}
END_TEST

static uint16_t sum_of(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

START_TEST(echo)
{
	static const int families[] = { AF_INET, AF_INET6 };
	const struct icmp_cookie cookie = { 70000, 0x0123456789abcdef };
	uint8_t message[20 + ICMP_MESSAGE_BYTES] = { 0x45 };
	struct icmp_cookie back;

	for (size_t i = 0; i < 2; i++) {
		icmp_request((uint8_t)families[i], &cookie, message + 20);
		ck_assert_uint_eq(sum_of(message + 20, ICMP_MESSAGE_BYTES), 0xffff);
		ck_assert(!icmp_parse(message + 20, ICMP_MESSAGE_BYTES, families[i], false, &back));
		message[20] = families[i] == AF_INET ? 0 : 129;
		ck_assert(icmp_parse(message + 20, ICMP_MESSAGE_BYTES, families[i], false, &back));
		ck_assert(back.index == cookie.index && back.secret == cookie.secret);
		ck_assert(!icmp_parse(message + 20, ICMP_MESSAGE_BYTES - 1, families[i], false,
				      &back));
	}
	message[20] = 0;
	ck_assert(icmp_parse(message, sizeof(message), AF_INET, true, &back));
	message[0] = 0x4f; /* says that the header is longer than all of it */
	ck_assert(!icmp_parse(message, sizeof(message), AF_INET, true, &back));
	ck_assert(!icmp_parse(message, 0, AF_INET, true, &back));
}
END_TEST

START_TEST(grpc_asks)
{
	uint8_t out[GRPC_REQUEST_BYTES];
	char longest[CHECK_GRPC_SERVICE_BYTES + 1];

	ck_assert_uint_eq(grpc_request(NULL, out), 5);
	ck_assert_mem_eq(out, "\0\0\0\0\0", 5);
	ck_assert_uint_eq(grpc_request("a.B", out), 10);
	ck_assert_mem_eq(out, "\0\0\0\0\5\12\3a.B", 10);
	memset(longest, 'x', sizeof(longest));
	longest[CHECK_GRPC_SERVICE_BYTES] = '\0';
	ck_assert_uint_eq(grpc_request(longest, out), GRPC_REQUEST_BYTES);
	ck_assert_mem_eq(out, "\0\0\0\1\2\12\377\1xx", 10);
}
END_TEST

static const struct {
	const char *status, *message, *body;
	size_t n_body;
	long http_status;
	enum probe_result result;
	const char *reason;
} grpc_answers[] = {
	{ "0", "", "\0\0\0\0\2\10\1", 7, 200, PROBE_OK, "SERVING" },
	{ "0", "", "\0\0\0\0\2\10\2", 7, 200, PROBE_FAILED, "NOT_SERVING" },
	{ "0", "", "\0\0\0\0\2\10\3", 7, 200, PROBE_FAILED, "SERVICE_UNKNOWN" },
	{ "0", "", "\0\0\0\0\2\10\7", 7, 200, PROBE_FAILED, "state 7" },
	{ "0", "", "\0\0\0\0\0", 5, 200, PROBE_FAILED, "UNKNOWN" },
	/* Fields that are not known, of each kind, and the state twice. */
	{ "0", "", "\0\0\0\0\10\22\1x\30\200\1\10\1", 13, 200, PROBE_OK, "SERVING" },
	{ "0", "", "\0\0\0\0\22\21\1\2\3\4\5\6\7\10\35\1\2\3\4\10\2\10\1", 23, 200, PROBE_OK,
	  "SERVING" },
	{ "0", "", "\0\0\0\0\1\10", 6, 200, PROBE_FAILED, "no HealthCheckResponse" },
	{ "0", "", "\0\0\0\0\2\22\5", 7, 200, PROBE_FAILED, "no HealthCheckResponse" },
	{ "0", "", "\0\0\0\0\2\13\1", 7, 200, PROBE_FAILED, "no HealthCheckResponse" },
	{ "0", "", "\0\0\0\0\3\10\1", 7, 200, PROBE_FAILED, "another length" },
	{ "0", "", "\1\0\0\0\2\10\1", 7, 200, PROBE_FAILED, "compressed" },
	{ "0", "", "\0\0\0\0", 4, 200, PROBE_FAILED, "without a message" },
	{ "", "", "\0\0\0\0\2\10\1", 7, 200, PROBE_FAILED, "without grpc-status" },
	{ "5", "unknown service", "", 0, 200, PROBE_FAILED, "answered NOT_FOUND: unknown service" },
	{ "12", "", "", 0, 200, PROBE_FAILED, "answered UNIMPLEMENTED" },
	{ "99", "x", "", 0, 200, PROBE_FAILED, "answered 99: x" },
	{ "0", "", "\0\0\0\0\2\10\1", 7, 503, PROBE_FAILED, "answered 503" },
};

START_TEST(grpc_judged)
{
	struct grpc_answer a = { .http_status = grpc_answers[_i].http_status,
				 .body = (const uint8_t *)grpc_answers[_i].body,
				 .n_body = grpc_answers[_i].n_body };
	char reason[PROBE_REASON_BYTES];

	strcpy(a.status, grpc_answers[_i].status);
	strcpy(a.message, grpc_answers[_i].message);
	ck_assert_int_eq(grpc_judge(&a, reason), grpc_answers[_i].result);
	ck_assert_msg(strstr(reason, grpc_answers[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(grpc_headers)
{
	static const char *const lines[] = { "HTTP/2 200 \r\n",
					     "grpc-statusx: 7\r\n",
					     "Grpc-Status:  12 \r\n",
					     "grpc-message:no%20\r\n",
					     "grpc-",
					     "\r\n" };
	struct grpc_answer a = { 0 };
	char longest[300] = "grpc-message:";

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		grpc_header(&a, lines[i], strlen(lines[i]));
	ck_assert_str_eq(a.status, "12");
	ck_assert_str_eq(a.message, "no%20");
	memset(longest + 13, 'x', 200);
	grpc_header(&a, longest, 213);
	ck_assert_uint_eq(strlen(a.message), GRPC_HEADER_BYTES - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("probe_messages");
	TCase *tc = tcase_create("probe_messages");

	tcase_add_test(tc, query);
	tcase_add_test(tc, names);
	tcase_add_loop_test(tc, judged, 0, (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_test(tc, not_an_answer);
	tcase_add_test(tc, echo);
	tcase_add_test(tc, grpc_asks);
	tcase_add_loop_test(tc, grpc_judged, 0,
			    (int)(sizeof(grpc_answers) / sizeof(grpc_answers[0])));
	tcase_add_test(tc, grpc_headers);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
