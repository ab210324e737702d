# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks of type http, https and tls against real servers, well and not."""

import contextlib
import os
import time

import pytest

from api_testing import CheckedApi
from conftest import config, listener, service, web
from health_testing import blackholed, check, frozen, patient, timed_out, wait_state
from lab import VIP
from namespaces import wait_for
from probe_servers import Authority, Script, Web, endless, says, silent, tls_block

PORT = 8443
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(scope="module")
def authority(session_lab):
    """An authority, and what it signed."""
    return Authority(session_lab)


@pytest.fixture(scope="module")
def server(session_lab, authority):
    """nginx in b1: 8443 for www.example and its address; 8444 wants a certificate; 8445's own expires soon, 8446's
    has expired; 8447 speaks no HTTP/2; 8090 is plain, 8091 plain HTTP/2."""
    ip = "IP:" + session_lab.backend_addr("b1")
    client = "ssl_client_certificate %s; ssl_verify_client on;" % authority.cert
    cert, key = authority.issue("old.example")
    plain = "listen 8447 ssl; ssl_certificate %s; ssl_certificate_key %s;" % (cert, key)
    s = Web(session_lab, "b1", tls_block(authority, "www.example", 8443, ["DNS:www.example", ip]),
            tls_block(authority, "client.example", 8444, more=client), tls_block(authority, "soon.example", 8445, days=3),
            tls_block(authority, "gone.example", 8446, days=-1), plain, "listen 8091 http2;",
            "listen 8090; listen [::]:8090;")
    yield s
    s.close()


def one(lab, on, type_, **options):
    """A document: b1 alone is asked, on the port."""
    return web(lab, names=["b1"], check=dict(check(type_, port=on), **options))


def expect(start, doc, state, reason):
    served = doc["services"]["web"]
    served["check"] = patient(served["check"], reason)
    d = start(doc)
    wait_state(d, "b1", state, reason)
    return d


def test_http_request(lab, start, server):
    """The request is what is configured."""
    source = "10.1.0.1"
    expect(start, one(lab, 8090, "http", method="PUT", path="/post?a=%20b", host="www.example:81", source=source,
                      headers=["X-Probe: yes", "User-Agent: probe"], payload="some\nbytes", expect="b1 10.1.0.11"),
           "down", "answered 200, expect is not in the body")
    wait_for(lambda: "/post" in server.seen(), 10)
    line = [x for x in server.seen().splitlines() if "/post" in x][0]
    assert line == ("HTTP/1.1 PUT /post?a=%20b host=www.example:81 sni=- x=yes ua=probe from=10.1.0.1 type=- client=- "
                    "body=some\\x0Abytes"), line


@pytest.mark.parametrize("options, state, reason", [
    ({}, "up", "answered 200"),
    ({"path": "/status/404"}, "down", "answered 404"),
    ({"path": "/status/404", "status": ["400-403", 404]}, "up", "answered 404"),
    ({"path": "/status/302"}, "up", "answered 302"),
    ({"status": [204]}, "down", "answered 200"),
    ({"expect": "all is well"}, "up", "answered 200"),
    ({"expect": "All is well"}, "down", "expect is not in the body, 24 bytes: this is b1, all is well"),
    ({"expect_regex": "^this is b[0-9], all"}, "up", "answered 200"),
    ({"expect_regex": "^all"}, "down", "expect_regex is not in the body"),
    ({"method": "HEAD"}, "up", "answered 200"),
    ({"version": "1.0"}, "up", "answered 200"),
    ({"path": "/big"}, "up", "answered 200"),
    ({"path": "/big", "expect": "y"}, "down", "65536 bytes"),
    ({"path": "/slow", "expect": "y"}, "down", "timeout, reading the body, "),
])
def test_http(lab, start, server, options, state, reason):
    expect(start, one(lab, 8090, "http", **options), state, reason)


def test_http6(lab, start, server):
    d = start(config(lab, web=service(lab, [listener("2001:db8:2::10")], names=["b1"], families=(6,),
                                      check=check("http", port=8090))))
    d.wait_log("web/b1-6 unknown -> up .answered 200")
    assert "host=[fd00:1::11]:8090" in server.seen()


@pytest.mark.parametrize("options, state, reason", [
    ({}, "up", "answered 200"),
    ({"version": "2", "expect": "this is b1"}, "up", "answered 200"),
    ({"version": "2", "port": 8447}, "down", "answered 200, but not over HTTP/2"),
    ({"verify": "full"}, "up", "answered 200"),
    ({"verify": "full", "sni": "www.example"}, "up", "answered 200"),
    ({"verify": "full", "host": "www.example:1"}, "up", "answered 200"),
    ({"verify": "full", "sni": "other.example"}, "down", "in the TLS handshake: SSL: no alternative certificate"),
    ({"verify": "chain", "sni": "other.example"}, "up", "answered 200"),
    ({"verify": "full", "ca": None}, "down", "in the TLS handshake: SSL certificate problem"),
    ({"port": 8444}, "down", "answered 400"),
    ({"port": 8444, "certificate": "client.pem", "key": "client.key"}, "up", "answered 200"),
    ({"port": 8444, "certificate": "both.pem"}, "up", "answered 200"),
    ({"port": 8446, "verify": "chain"}, "down", "certificate has expired"),
    ({"port": 8090}, "down", "in the TLS handshake: "),
    ({"path": "/slow"}, "down", "timeout, reading the body, "),
])
def test_https(lab, start, server, authority, options, state, reason):
    cert, key = authority.issue("client")
    if "certificate" in options:
        with open(authority.path("both.pem"), "w", encoding="ascii") as f:
            f.write(open(cert, encoding="ascii").read() + open(key, encoding="ascii").read())
        options = dict(options, certificate=authority.path(options["certificate"]))
    if "key" in options:
        options = dict(options, key=authority.path(options["key"]))
    if options.get("verify"):
        options = dict({"ca": authority.cert}, **options)
    options = {k: v for k, v in options.items() if v is not None}
    expect(start, one(lab, PORT, "https", **options), state, reason)


def test_sni(lab, start, server):
    """What the server is told: sni, else the name in host, else nothing."""
    for options, seen in (({}, "host=10.1.0.11:8443 sni=- "), ({"host": "h.example:9"}, "host=h.example:9 sni=h.example "),
                          ({"host": "10.9.9.9"}, "host=10.9.9.9 sni=- "),
                          ({"sni": "s.example", "host": "h2.example"}, "host=h2.example sni=s.example "),
                          ({"sni": "s.example", "version": "2"}, "HTTP/2.0 GET / host=s.example:8443 sni=s.example ")):
        d = expect(start, one(lab, PORT, "https", **options), "up", "answered 200")
        wait_for(lambda want=seen: want in server.seen(), 10, seen)
        d.kill()


def test_plain_http2(lab, start, server):
    expect(start, one(lab, 8091, "http", version="2"), "up", "answered 200").kill()
    expect(start, one(lab, 8090, "http", version="2"), "down",
           "timeout, |waiting for the answer|reading the headers|connecting")


@pytest.mark.parametrize("options, state, reason", [
    ({}, "up", "handshake done, certificate until 20"),
    ({"expiry_days": 0}, "up", "handshake done, "),
    ({"port": 8444}, "up", "handshake done, certificate until 20"),
    ({"verify": "full", "sni": "www.example"}, "up", "handshake done"),
    ({"verify": "full", "sni": "other.example"}, "down", "no alternative certificate"),
    ({"port": 8090}, "down", "in the TLS handshake: "),
    ({"port": 9999}, "down", "connect: Connection refused"),
])
def test_tls(lab, start, server, authority, options, state, reason):
    if "verify" in options:
        options = dict(options, ca=authority.cert)
    expect(start, one(lab, PORT, "tls", **options), state, reason)


@pytest.mark.parametrize("type_", ["tls", "https"])
def test_expiry_is_a_warning(lab, start, server, type_):
    """Not a failure: clients may not care, and all backends may have the same certificate."""
    d = expect(start, one(lab, 8445, type_), "up", "")
    d.wait_log("web/b1: the certificate expires in 2 days, 20")
    assert "expires in 2 days" in d.api.get("/v1/services/web/health").json["backends"]["b1"]["warning"]
    d.api.must("PATCH", "/v1/services/web", {"check": {"port": 8446}})
    d.wait_log("web/b1: the certificate has expired, 20")
    d.api.must("PATCH", "/v1/services/web", {"check": {"port": 8443}})
    wait_for(lambda: "warning" not in d.api.get("/v1/services/web/health").json["backends"]["b1"], 10)


def test_files(lab, start, server, authority):
    """A file that is not there, or is none, says nothing of the backend, and stops nothing."""
    fifo = lab.path("fifo.pem")
    os.mkfifo(fifo)
    with open(lab.path("rubbish.pem"), "w", encoding="ascii") as f:
        f.write("rubbish\n")
    d = expect(start, one(lab, PORT, "https"), "up", "answered 200")

    def results():
        return d.api.get("/v1/services/web/health").json["backends"]["b1"]["results"]

    for ca, reason in (("/nonexistent.pem", "No such file"), (fifo, "not a regular file"),
                       ("/dev/zero", "not a regular file"), (lab.path("rubbish.pem"), "in the TLS handshake: ")):
        d.api.must("PATCH", "/v1/services/web", {"check": {"verify": "full", "ca": ca}})
        wait_for(lambda want=reason: results() and results()[0]["result"] == "undone" and want in results()[0]["reason"],
                 10, reason)
    cert, _ = authority.issue("someone")
    d.api.must("PATCH", "/v1/services/web", {"check": {"ca": authority.cert, "certificate": cert, "key": cert}})
    wait_for(lambda: results()[0]["result"] == "undone", 10)
    assert "b1 up ->" not in d.log()
    d.api.must("PATCH", "/v1/services/web", {"check": {"certificate": None, "key": None}})
    wait_for(lambda: results()[0]["result"] == "ok", 10)


@pytest.mark.parametrize("type_, port", [("http", 8090), ("https", 8443), ("tls", 8443)])
def test_stopped_frozen_blackholed(lab, start, authority, type_, port):
    """Each is found, with its reason, and so is the end of it."""
    cert, key = authority.issue("www.example")
    block = ("listen 8543 ssl; ssl_certificate %s; ssl_certificate_key %s;" % (cert, key), "listen 8190;")
    port = 8190 if type_ == "http" else 8543
    s = Web(lab, "b2", *block)
    d = start(web(lab, names=["b2"], check=check(type_, port=port)))
    wait_state(d, "b2", "up")
    with frozen(s.proc):
        wait_state(d, "b2", "down", "timeout, waiting for the answer" if type_ == "http" else
                   "timeout, in the TLS handshake")
    d.wait_log("web/b2 going_up -> up", 20)
    with blackholed(lab, "b2"):
        d.wait_log("web/b2 .*-> down .timeout, connecting, ", 20)
    wait_for(lambda: d.log().count("web/b2 going_up -> up") == 2, 20)
    s.close()
    d.wait_log("web/b2 .*-> down .connect: Connection refused", 20)


@pytest.mark.parametrize("act, state, reason", [
    (says(OK), "up", "answered 200"),
    (says(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"), "down", "reading the body: "),
    (says(b"HTTP/1.1 200 OK\r\nX: y\r\n"), "down", "the headers are not complete"),
    (says(b""), "down", "Empty reply"),
    (says(b"220 mail.example ESMTP\r\n"), "down", "HTTP/0.9"),
    (says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok"), "down", "reading the "),
    (says(b"HTTP/1.1 100 Continue\r\n\r\n" + OK), "up", "answered 200"),
    (says(b"HTTP/1.1 200 \x1b[31m\x00\xff\r\n\r\n"), "down|up", ""),
    (endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096), "up", "answered 200"),
    (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100), "down", "the headers are longer than 65536 bytes"),
    (endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096), "down", "the headers are longer than 65536 bytes"),
    (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), "down", "the headers are longer|timeout"),
    (endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 4096), "down", "reading the "),
    (silent, "down", timed_out("waiting for the answer")),
])
def test_wrong_answers(lab, start, act, state, reason):
    with Script(lab, "b1", 8600, act):
        d = start(one(lab, 8600, "http", **patient({}, reason)))
        wait_state(d, "b1", "(%s)" % state, "(%s)" % reason)
        assert d.api.status()["generation"] == 1


def test_nobody_waits_for_another(lab, start):
    """40 backends that hang in each way, asked all the time: others are asked in time, and the API answers."""
    ways = {8601: silent, 8602: endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 16384),
            8603: endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000)}
    with contextlib.ExitStack() as stack:
        for port, act in ways.items():
            stack.enter_context(Script(lab, "b1", port, act))
        # So much time because all tests may run at once; that it is not needed is what "ok" says below.
        services = {"web": service(lab, names=["b2"], check=check("http", port=8080, timeout_ms=5000))}
        for i, (type_, port) in enumerate([("http", 8601), ("https", 8601), ("tls", 8601), ("http", 8602),
                                           ("https", 8602), ("http", 8603)]):
            services["x%d" % i] = service(lab, [listener(port=100 + i)], check=check(type_, port=port, fall=1))
            services["x%d" % i]["backends"] = {"b%d" % n: {"address": "10.1.0.11", "port": 20000 + n} for n in range(10)}
        d = start(config(lab, **services))
        wait_state(d, "b2", "up")
        for i in (0, 1, 2, 4, 5):
            d.wait_log("x%d/b9 unknown -> down" % i)
        took = []
        for _ in range(50):
            t0 = time.monotonic()
            b = d.api.get("/v1/services/web/health").json["backends"]["b2"]
            took.append(time.monotonic() - t0)
            assert b["state"] == "up" and b.get("failed", 0) == 0, b
            time.sleep(0.02)
        took.sort()
        print("ms for an answer of the API: median %.1f, worst %.1f" % (1e3 * took[25], 1e3 * took[-1]))
        assert took[25] < 1
        n = d.api.get("/v1/services/web/health").json["backends"]["b2"]["ok"]
        assert n > 5
        fds = len(os.listdir("/proc/%d/fd" % d.proc.pid))
        assert fds < 200, fds


def test_connections_are_closed(lab, start, server):
    """A check leaves neither a descriptor nor a connection in TIME_WAIT behind."""
    def waiting():
        return set(lab.run("lb", ["ss", "-Htan", "state", "time-wait", "dport", "=", ":8443"]).stdout.splitlines())

    before = waiting()  # of daemons that were killed
    d = start(one(lab, PORT, "https", interval_ms=10))
    wait_state(d, "b1", "up")
    wait_for(lambda: d.api.get("/v1/services/web/health").json["backends"]["b1"]["ok"] > 30, 20)
    assert len(os.listdir("/proc/%d/fd" % d.proc.pid)) < 60
    assert waiting() <= before


def test_no_proxy_of_the_environment(lab, start, server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://10.1.0.99:1")
    monkeypatch.setenv("ALL_PROXY", "socks5://x:1")
    expect(start, one(lab, 8090, "http"), "up", "answered 200")


def test_refused_by_the_api(lab, start):
    d = start(web(lab, names=["b1"]))
    r = d.api.patch("/v1/services/web", {"check": {"type": "https", "path": "x", "version": "2"}})
    assert r.status in (400, 422) and "begins with /" in r.text and "/services/web/check/path" in r.text, r.text
    assert lab.ask("client", VIP).backend == "b1"


@pytest.mark.parametrize("options", [
    {"type": "http", "path": "*", "method": "OPTIONS", "status": [200, "300-399", 404], "headers": ["A: b"]},
    {"type": "https", "verify": "full", "sni": "a.example", "ca": "/ca.pem", "version": "2", "expect_regex": "^a"},
    {"type": "tls", "certificate": "/c.pem", "expiry_days": 0},
])
def test_is_what_openapi_says(lab, start, options):
    api = CheckedApi(start(web(lab, names=["b1"])).socket)
    api.must("PATCH", "/v1/services/web", {"check": options})
    got = api.must("GET", "/v1/services/web").json["check"]
    assert {k: got[k] for k in options} == options
