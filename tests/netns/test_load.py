# SPDX-License-Identifier: GPL-2.0-or-later
"""Schedulers that go by the connections that backends have."""

import socket
import time
from collections import Counter

import pytest

from conftest import config, listener, service
from lab import VIP, wait_for
from servers import parse_reply

PLACEMENTS = "/v1/services/web/placements"
NAMES = ("b1", "b2", "b3")


def echo(lab, scheduler, **kw):
    return config(lab, web=service(lab, [listener(VIP, 9000)], scheduler, port=9000, **kw))


def balance(d):
    return d.api.must("GET", PLACEMENTS).json["balance"]


class Crowd:
    """Connections that stay, and who has them."""

    def __init__(self, lab, d):
        self.lab, self.d, self.conns = lab, d, []

    def open(self, n, pace=0.02):
        for _ in range(n):
            s = self.lab.connect("client", VIP, 9000, timeout=10)
            self.conns.append((s, parse_reply(s.recv(200).decode()).backend))
            time.sleep(pace)

    def open_slowly(self, n, at_a_time):
        """A few between two looks at the load, however late these are on a busy machine."""
        for _ in range(0, n, at_a_time):
            self.open(at_a_time, 0)
            self.settle(2)

    def count(self):
        c = Counter(who for _, who in self.conns)
        return [c[name] for name in NAMES]

    def leave(self, name):
        for s, who in self.conns:
            if who == name:
                s.close()
        self.conns = [c for c in self.conns if c[1] != name]

    def settle(self, looks=3):
        """Until fnatd has looked at the load since now, and the kernel has what came of it."""
        steps = balance(self.d)["steps"]
        wait_for(lambda: balance(self.d)["steps"] >= steps + looks, 10, "looks at the load", 0.02)

    def close(self):
        for s, _ in self.conns:
            s.close()


@pytest.fixture
def crowd(lab):
    made = []

    def fn(d):
        made.append(Crowd(lab, d))
        return made[-1]
    yield fn
    for c in made:
        c.close()


@pytest.mark.parametrize("scheduler", ["lc", "wlc", "sed"])
def test_even_by_weight(lab, start, crowd, scheduler):
    c = crowd(start(echo(lab, scheduler, weights=[1, 2, 1])))
    c.open(90)
    c.settle()
    c.open_slowly(30, 6)
    c.settle()
    ideal = [40, 40, 40] if scheduler == "lc" else [30, 60, 30]
    assert all(abs(n - i) <= 4 for n, i in zip(c.count(), ideal)), c.count()
    assert balance(c.d)["error_ppm"] < 150_000


def test_a_backend_that_lost_its_connections_catches_up(lab, start, crowd):
    """Round robin would leave it behind."""
    c = crowd(start(echo(lab, "wlc")))
    c.open(90)
    c.leave("b2")
    c.settle()
    assert balance(c.d)["error_ppm"] > 500_000
    c.open(30, 0.05)
    assert c.count()[1] >= 26, c.count()
    wait_for(lambda: balance(c.d)["error_ppm"] < 200_000, 10, "even again", 0.05)
    assert balance(c.d)["slots_moved"] > 0


def test_a_late_backend(lab, start, crowd):
    c = crowd(start(echo(lab, "wlc", names=["b1", "b2"])))
    c.open(60)
    c.d.api.must("PUT", "/v1/services/web/backends/b3",
                 {"address": lab.backend_addr(3), "port": 9000})
    c.settle()
    c.open(30, 0.05)
    assert c.count()[2] >= 26, c.count()


def test_a_late_backend_over_udp(lab, start):
    """A flow that was answered is there for as long as conntrack remembers it, and counts as active at once."""
    d = start(config(lab, web=service(lab, [listener(VIP, 53, "udp")], "wlc", port=None, names=["b1", "b2"])))
    socks = []

    def ask(n):
        """Who gets n new flows."""
        for _ in range(n):
            socks.append(lab.socket("client", kind=socket.SOCK_DGRAM))
            socks[-1].settimeout(5)
            socks[-1].connect((VIP, 53))
            socks[-1].send(b"?")
            yield parse_reply(socks[-1].recv(2048).decode()).backend
            time.sleep(0.05)
    try:
        first = Counter(ask(40))
        assert abs(first["b1"] - first["b2"]) <= 4, first
        d.api.must("PUT", "/v1/services/web/backends/b3", {"address": lab.backend_addr(3)})
        Crowd(lab, d).settle()
        late = Counter(ask(18))
        assert late["b3"] >= 15, late
    finally:
        for s in socks:
            s.close()


def test_overflow(lab, start, crowd):
    """The first has its weight, then the next; what comes faster than a look goes over."""
    c = crowd(start(echo(lab, "ovf", weights=[20, 10, 5])))
    c.open(10, 0.1)
    assert c.count() == [10, 0, 0]
    c.open_slowly(18, 3)
    first, second, third = c.count()
    assert 20 <= first <= 27 and second >= 1 and third == 0, c.count()


def test_twos_and_nq_serve(lab, start, crowd):
    d = start(echo(lab, "twos"))
    c = crowd(d)
    c.open(90)
    assert min(c.count()) >= 18, c.count()
    d.api.must("PATCH", "/v1/services/web", {"scheduler": "nq"})
    c.leave("b3")
    c.settle()
    c.open(3, 0.01)
    assert c.count()[2] >= 1, c.count()
    d.api.must("PATCH", "/v1/services/web", {"scheduler": "rr"})
    assert "balance" not in d.api.must("GET", PLACEMENTS).json
    wait_for(lambda: d.api.must("GET", PLACEMENTS).json["placements"][0]["slots"] == 3, 5, "rr")


def test_the_program_stays(lab, start, crowd):
    """Only slots change: a program costs the kernel more, and begins its turns anew."""
    c = crowd(start(echo(lab, "wlc")))
    before = c.d.api.must("GET", PLACEMENTS).json["placements"]
    c.open(30)
    c.leave("b1")
    c.settle()
    c.open(10)
    c.settle()
    after = c.d.api.must("GET", PLACEMENTS).json["placements"]
    assert balance(c.d)["changes"] > 1
    assert after[0]["program"] == before[0]["program"]
    assert c.d.api.must("POST", "/v1/verify").json["operations"] == 0
