# SPDX-License-Identifier: GPL-2.0-or-later
"""What one client may take of the daemon is bounded, and the bounds are options."""

import json
import os
import re
import socket
import subprocess

import pytest

from daemon import find_program
from namespaces import wait_for

GET = b"GET /v1/status HTTP/1.1\r\n\r\n"
UNFINISHED = b"PUT /v1/config HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{"


@pytest.fixture
def connect():
    """connect(path): a raw connection, closed after the test."""
    sockets = []

    def fn(path):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(path)
        sockets.append(s)
        return s
    yield fn
    for s in sockets:
        s.close()


def rest(s):
    """All that comes until the server closes."""
    data = b""
    while True:
        try:
            part = s.recv(1 << 16)
        except ConnectionResetError:
            return data
        if not part:
            return data
        data += part


def is_problem(data, status):
    head, _, body = data.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1.1 %d " % status, head), data
    assert b"\r\ncontent-type: application/problem+json" in head.lower(), data
    value = json.loads(body)
    assert value["status"] == status and value["detail"] and value["title"]


def test_header(start, connect):
    d = start(None, "--max-header", "2000")
    s = connect(d.socket)
    s.sendall(b"GET /v1/status HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 1500))
    assert s.recv(20).startswith(b"HTTP/1.1 200")
    s = connect(d.socket)
    s.sendall(b"GET /v1/status HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 2500))
    is_problem(rest(s), 431)


def test_request_timeout(start, connect):
    """Also for one that sends a byte now and then."""
    d = start(None, "--request-timeout", "0.4")
    s, slow = connect(d.socket), connect(d.socket)
    s.sendall(UNFINISHED)
    slow.settimeout(0.1)
    answer = b""
    for byte in b"GET /v1/status HTTP/1.1\r\nX: y":
        slow.sendall(bytes([byte]))
        try:
            answer = slow.recv(4096)
        except TimeoutError:
            continue
        break
    is_problem(answer, 408)
    is_problem(rest(s), 408)
    assert d.api.get("/v1/status").status == 200


def test_idle_timeout(start, connect):
    """One that asks nothing, one that has asked, one that does not read what it asked for."""
    d = start(None, "--idle-timeout", "0.4")
    fresh, used, unread = connect(d.socket), connect(d.socket), connect(d.socket)
    used.sendall(GET)
    unread.sendall(GET * 2000)
    assert rest(fresh) == b""
    assert rest(used).startswith(b"HTTP/1.1 200")
    wait_for(lambda: d.api.status()["connections"] == 1, 5, "the end of the unread one")


def test_connections(start, connect):
    d = start(None, "--max-connections", "3")
    held = [connect(d.socket) for _ in range(3)]
    for s in held[1:]:
        s.sendall(UNFINISHED)
    assert d.api.get("/v1/status").status == 200  # instead of the idle one
    assert rest(held[0]) == b""
    wait_for(lambda: refused(unfinished(connect(d.socket))), 10, "a refusal")
    held[1].close()
    wait_for(lambda: d.api.get("/v1/status").status == 200, 5, "room")


def unfinished(s):
    s.settimeout(0.5)
    s.sendall(UNFINISHED)
    return s


def refused(s):
    """Not when it was closed as the idle one, nor when it got a place."""
    try:
        data = rest(s)
    except TimeoutError:
        return False
    if not data:
        return False
    is_problem(data, 503)
    assert b"\r\nretry-after:" in data.lower()
    return True


@pytest.mark.parametrize("option, value", [
    ("--max-header", "10"), ("--max-header", "many"), ("--max-connections", "0"),
    ("--request-timeout", "0"), ("--request-timeout", "x"), ("--idle-timeout", "-1"),
    ("--max-body", "1"), ("--idle-timeout", "nan")])
def test_senseless_limits(option, value):
    r = subprocess.run([find_program("fnatd"), option, value], capture_output=True, text=True,
                       check=False)
    assert r.returncode == 2
    assert r.stderr.startswith("fnatd: %s: \"%s\": expected " % (option, value))


def test_open_files_follow_the_hard_limit(start):
    with open("/proc/%d/limits" % start(None, wrapper=["prlimit", "--nofile=256:4000"]).pid,
              encoding="ascii") as f:
        assert re.search(r"Max open files +4000 +4000", f.read())


@pytest.mark.parametrize("n", [10, 24, 63])
def test_too_few_open_files(lab, n):
    """An error that says what is too low, and what to do."""
    r = lab.run("lb", ["prlimit", "--nofile=%d" % n, find_program("fnatd"), "--foreground", "--socket",
                       lab.path("few.sock"), "--state-dir", lab.path("few.state")], check=False)
    assert r.returncode == 1, r
    assert "the limit of open files is %d, and fnatd needs 64: LimitNOFILE=" % n in r.stderr, r.stderr


def test_just_enough_open_files(start):
    assert start(None, wrapper=["prlimit", "--nofile=64"]).api.status()["generation"] >= 0


def test_help_names_every_option():
    here = os.path.dirname(os.path.abspath(__file__))
    text = subprocess.run([find_program("fnatd"), "--help"], capture_output=True, text=True,
                          check=True).stdout
    with open(os.path.join(here, "..", "..", "man", "fnatd.8"), encoding="utf-8") as f:
        manual = f.read()
    for option in re.findall(r"^  --([a-z-]+)", text, re.M):
        assert ".It Fl -%s" % option in manual, option
