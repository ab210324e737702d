# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients see of a backend that fails under 2,000 new connections a second, when only they tell."""

import contextlib
import json
import re
import subprocess
import threading
import time

import pytest

from conftest import web
from health_testing import blackholed, check, wait_state, who_answers
from lab import VIP, find_program
from namespaces import wait_for
from probe_servers import Web

PORT, RATE = 8099, 2000
ALL = ("b1", "b2", "b3")


class Clients:
    """tcpconnect at work; it has begun when this is made."""

    def __init__(self, lab, seconds, timeout_ms):
        self.proc = lab.popen("client", [find_program("tcpconnect"), VIP, "80", str(RATE), str(seconds), str(timeout_ms)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.proc.stdout.readline() == "go\n", self.proc.stderr.read()

    def result(self):
        out, err = self.proc.communicate(timeout=60)
        assert self.proc.returncode == 0, err
        print(out)
        return json.loads(out)


@pytest.fixture
def servers(lab):
    all_ = {b: Web(lab, b, "listen %d backlog=4096;" % PORT) for b in ALL}
    yield all_
    for s in all_.values():
        s.close()


def observing(lab, port=8080, **options):
    return web(lab, port=port, check=dict(check("none", observe="connections", observe_failures=3, inhibit_s=60),
                                          **options))


@pytest.fixture
def conntrack(lab):
    """conntrack(name, value) sets one of its sysctls for the test."""
    before = {}

    def fn(name, value):
        path = "net/netfilter/nf_conntrack_" + name
        before[path] = lab.run("lb", ["cat", "/proc/sys/" + path]).stdout.strip()
        lab.sysctl("lb", {path: value})
    yield fn
    lab.sysctl("lb", before)


@pytest.mark.parametrize("acct", ["1", "0"])
def test_killed(lab, start, servers, conntrack, acct):
    """Resets: out within milliseconds, whether conntrack counts packets or not."""
    conntrack("acct", acct)
    d = start(observing(lab, PORT))
    clients = Clients(lab, 3, 5000)
    for b in ALL:
        wait_state(d, b, "up", "was answered")
    servers["b2"].close()
    wait_state(d, "b2", "down", "3 connections of clients failed, the last was refused")
    r = clients.result()
    assert r["timed_out"] == 0
    assert r["failed"] <= 20  # the server's kernel had answered, and resets what was not accepted yet
    assert 3 <= r["refused"] <= 100  # 150 ms of what comes to one of three


def test_blackholed(lab, start, servers):
    """Silence: out after 2 s; those who were waiting find another backend with their next SYN."""
    d = start(observing(lab, PORT))
    clients = Clients(lab, 4, 9000)
    for b in ALL:
        wait_state(d, b, "up", "was answered")
    with blackholed(lab, "b2"):
        t0 = time.monotonic()
        wait_state(d, "b2", "down", "3 connections of clients failed, the last was not answered")
        took = time.monotonic() - t0
        r = clients.result()
    print("out after %.2f s" % took)
    assert took < 4
    assert r["refused"] == r["failed"] == r["timed_out"] == 0
    assert r["slow"] <= RATE / 3 * 4 and r["slowest_ms"] < 8500


def test_a_few_in_a_row(lab, start):
    """A backend is found with a handful of connections, too, and one lost connection says nothing."""
    d = start(observing(lab))
    who_answers(lab)
    threads = [threading.Thread(target=lambda: who_answers(lab, 1, timeout=8)) for _ in range(9)]
    with blackholed(lab, "b2"):
        for t in threads:
            t.start()
        wait_state(d, "b2", "down", "not answered", 6)
        for t in threads:
            t.join()
    assert d.log().count("-> down") == 1


def health(d, backend):
    return d.api.get("/v1/services/web/health").json["backends"][backend]


@contextlib.contextmanager
def slow(lab, short):
    """The backend does not get the first SYN of each connection, so that clients wait for a second."""
    lab.nft_load("table inet slow { set seen { type ipv4_addr . inet_service; size 1024; flags dynamic; }; "
                 "chain in { type filter hook input priority 0; tcp flags & (syn|ack) == syn jump first; }; "
                 "chain first { ip saddr . tcp sport @seen accept; add @seen { ip saddr . tcp sport }; drop; }; }",
                 ns=short)
    try:
        yield
    finally:
        lab.nft("delete", "table", "inet", "slow", ns=short)


@pytest.mark.parametrize("timestamp", ["1", "0"])
def test_time_to_reply(lab, start, conntrack, timestamp):
    """A backend that is slow to reply is seen, and that is no failure; with the kernel's time of events and without."""
    conntrack("timestamp", timestamp)
    d = start(observing(lab))
    who_answers(lab)
    threads = [threading.Thread(target=lambda: who_answers(lab, 1, timeout=8)) for _ in range(24)]
    with slow(lab, "b2"):
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    wait_for(lambda: [health(d, b)["replies"]["connections"] for b in ALL] == [12] * 3, 5)
    b1, b2 = health(d, "b1")["replies"], health(d, "b2")["replies"]
    assert re.search(r"replies +[\d.]+ ms of late, [\d.]+ ms on average, 12 connections",
                     d.ctl("-o", "table", "health", "web/b1").stdout)
    print(b1, b2)
    assert b1["smoothed_us"] < 300000 < b2["smoothed_us"] < 1500000
    assert b1["exact"] == b2["exact"]
    assert timestamp == "1" or not b1["exact"]
    assert "down" not in d.log()
    d.api.must("PATCH", "/v1/services/web", {"check": {"observe": "off"}})
    who_answers(lab)
    assert health(d, "b1")["replies"]["connections"] == 12
