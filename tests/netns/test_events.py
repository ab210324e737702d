# SPDX-License-Identifier: GPL-2.0-or-later
"""GET /v1/events: what happened, to follow, to resume, and without harm to the daemon."""

import json
import socket
import time

import pytest

from conftest import web
from namespaces import wait_for


class Stream:
    """A raw connection to /v1/events; the head and the chunks are taken apart by hand."""

    def __init__(self, path, target="/v1/events", headers="", receive_bytes=None):
        self.sock = socket.socket(socket.AF_UNIX)
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(5)
        self.sock.connect(path)
        self.sock.sendall(("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (target, headers)).encode())
        self.file = self.sock.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = {}
        for line in iter(self.file.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            self.headers[name.lower()] = value.strip()
        self.pending = b""

    def line(self):
        """The next line of the body; None at its end."""
        while b"\n" not in self.pending:
            size = int(self.file.readline() or b"0", 16)
            if size == 0:
                return None
            self.pending += self.file.read(size)
            self.file.read(2)
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def event(self):
        line = self.line()
        return line and json.loads(line)

    def close(self):
        self.file.close()
        self.sock.close()


@pytest.fixture
def follow():
    streams = []

    def fn(*args, **kw):
        streams.append(Stream(*args, **kw))
        return streams[-1]
    yield fn
    for s in streams:
        s.close()


def set_weight(d, weight):
    return d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": weight})


def test_generations(lab, start, follow):
    d = start(web(lab))
    s = follow(d.socket)
    assert s.status == 200 and s.headers["content-type"] == "application/x-ndjson"
    set_weight(d, 5)
    e = s.event()
    assert e["type"] == "generation" and e["generation"] == 2 and e["uid"] == 0
    assert e["what"] == "PATCH /v1/services/web/backends/b1"
    assert e["objects"] == [{"object": "service", "name": "web", "change": "changed"}]
    set_weight(d, 6)
    following = s.event()
    assert following["generation"] == 3 and following["event"] == e["event"] + 1


def test_resume(lab, start, follow):
    d = start(web(lab))
    s = follow(d.socket)
    set_weight(d, 5)
    first = s.event()
    s.close()
    set_weight(d, 6)
    set_weight(d, 7)
    s = follow(d.socket, "/v1/events?since=%d" % first["event"])
    assert [s.event()["generation"], s.event()["generation"]] == [3, 4]
    assert follow(d.socket, "/v1/events?since=x").status == 400


def test_server_sent_events(lab, start, follow):
    d = start(web(lab))
    s = follow(d.socket, headers="Accept: text/event-stream\r\n")
    assert s.headers["content-type"] == "text/event-stream"
    set_weight(d, 5)
    number = s.line()
    assert number.startswith("id: ")
    assert s.line() == "event: generation"
    assert json.loads(s.line().split(": ", 1)[1])["generation"] == 2
    assert s.line() == ""
    set_weight(d, 6)
    s = follow(d.socket, headers="Accept: text/event-stream\r\nLast-Event-ID: %s\r\n"
               % number.split()[1])
    s.line(), s.line()
    assert json.loads(s.line().split(": ", 1)[1])["generation"] == 3


def test_from_before_the_daemon(lab, start, follow):
    """A number of an earlier daemon: the reader learns that it may have missed something."""
    d = start(web(lab))
    set_weight(d, 5)
    s = follow(d.socket, "/v1/events?since=17")
    assert s.event()["type"] == "dropped"
    assert s.line() is None


def test_drift(lab, start, follow):
    d = start(web(lab), "--plain-table", "--verify-interval", "1")
    s = follow(d.socket)
    lab.nft("flush", "map", "inet", "fnat", "services4")
    e = s.event()
    assert e["type"] == "drift" and e["operations"] >= 1


def test_slow_reader_is_dropped_and_harms_nobody(lab, start, follow):
    d = start(web(lab))
    slow = follow(d.socket, receive_bytes=4096)
    d.api.keep = True
    for i in range(5500):  # more than the ring and the socket hold
        started = time.monotonic()
        set_weight(d, 1 + i % 2)
        assert time.monotonic() - started < 2
    last = None
    while True:
        e = slow.event()
        if e is None:
            break
        last = e
    assert last["type"] == "dropped" and "slow" in last["reason"]
    wait_for(lambda: d.api.status()["connections"] <= 2, 5, "the connection to go")
