# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends that may have only so many connections."""

import itertools
import json
import re
import socket
import time
from collections import Counter
from contextlib import suppress

import pytest

from conftest import config, listener, service
from health_testing import events_of
from lab import FLOOD_SOURCE, VIP, find_program, wait_for
from servers import parse_reply
from test_preflight import sysctls
from test_stress import echo_servers

LIMITS = "/v1/services/web/limits"


def limited(lab, limits, more=None, limit="exact", **kw):
    """web over TCP port 9000, with max_connections (or an object) of backends by name."""
    s = service(lab, [listener(VIP, 9000)], port=9000, **kw)
    for name, n in limits.items():
        s["backends"][name].update(n if isinstance(n, dict) else {"max_connections": n})
    for name, fields in (more or {}).items():
        s["backends"][name].update(fields)
    return config(lab, web=dict(s, limit=limit))


def limit_of(d, name):
    return d.api.must("GET", LIMITS).json["backends"][name]


def wait_full(d, name, is_full=True):
    wait_for(lambda: limit_of(d, name)["full"] == is_full, 5, "%s full: %s" % (name, is_full), 0.01)


def wait_open(d, *names):
    """Until the kernel counts for them."""
    wait_for(lambda: all(limit_of(d, n).get("room", 0) is not None for n in names), 5, "gates", 0.01)
    return d


@pytest.fixture(params=["exact", "budget", "fast"])
def limit(request):
    return request.param


class Crowd:
    """Connections that stay, and who has them."""

    def __init__(self, lab):
        self.lab, self.conns = lab, []

    def open(self, n=1, source=None):
        """Who took them, None: refused."""
        took = [self._open(source) for _ in range(n)]
        return took[0] if n == 1 else Counter(took)

    def _open(self, source):
        try:
            s = self.lab.connect("client", VIP, 9000, source=source, timeout=5)
            self.conns.append((s, parse_reply(s.recv(200).decode()).backend))
        except ConnectionRefusedError:
            return None
        return self.conns[-1][1]

    def count(self):
        return Counter(who for _, who in self.conns)

    def leave(self, name, n=None):
        """n of the backend's connections end, or all: with a reset, which conntrack takes for the
        end at once."""
        left = [c for c in self.conns if c[1] == name][:n]
        for c in left:
            c[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            c[0].close()
            self.conns.remove(c)

    def close(self):
        for s, _ in self.conns:
            with suppress(OSError):
                s.close()


@pytest.fixture
def crowd(lab):
    c = Crowd(lab)
    yield c
    c.close()


def test_a_full_backend_gets_no_more(lab, start, crowd, limit):
    """Others take what it would have got; it is in again at 3/4, as in IPVS."""
    d = wait_open(start(limited(lab, {"b1": 8}, limit=limit)), "b1")
    while crowd.count()["b1"] < 8:
        crowd.open()
    wait_full(d, "b1")
    assert crowd.open(12)["b1"] == 0
    crowd.leave("b1", 2)
    wait_for(lambda: limit_of(d, "b1")["connections"] == 6, 5, "two that ended")
    assert limit_of(d, "b1")["full"] and crowd.open(6)["b1"] == 0
    crowd.leave("b1", 1)
    wait_full(d, "b1", False)
    wait_for(lambda: crowd.open() == "b1", 5, "b1 in use again")
    status = limit_of(d, "b1")
    assert status["max_connections"] == 8 and status["min_connections"] == 6, status
    assert status["times_full"] == 1, status


def test_lower_threshold(lab, start, crowd, limit):
    d = wait_open(start(limited(lab, {"b1": {"max_connections": 6, "min_connections": 2}}, limit=limit)), "b1")
    while crowd.count()["b1"] < 6:
        crowd.open()
    wait_full(d, "b1")
    crowd.leave("b1", 4)
    wait_for(lambda: limit_of(d, "b1")["connections"] == 2, 5, "four that ended")
    assert limit_of(d, "b1")["full"]
    crowd.leave("b1", 1)
    wait_full(d, "b1", False)


def test_events_and_metrics_tell(lab, start, crowd, limit):
    d = wait_open(start(limited(lab, {"b1": 2}, names=["b1"], limit=limit)), "b1")
    crowd.open(2)
    wait_full(d, "b1")
    assert "fnat_full_backends 1" in d.api.must("GET", "/metrics").text
    crowd.leave("b1")
    wait_full(d, "b1", False)
    assert "fnat_full_backends 0" in d.api.must("GET", "/metrics").text
    told = [(e["type"], e["backend"], e["connections"], e["max_connections"])
            for e in events_of(d) if e["type"].startswith("backend_")]
    assert told[0] == ("backend_full", "b1", 2, 2) and told[1][0] == "backend_not_full", told
    assert told[1][2] < 2, told
    out = d.ctl("-o", "table", "limits", "show", "web").stdout
    assert "b1" in out and "TIMES FULL" in out


def test_all_full(lab, start, crowd, limit):
    """Then the sorry backend; without one the service refuses."""
    cfg = limited(lab, {"b1": 2, "b2": 2}, {"b3": {"sorry": True}}, limit=limit)
    d = wait_open(start(cfg), "b1", "b2")
    took = crowd.open(4)
    wait_full(d, "b1")
    wait_full(d, "b2")
    wait_for(lambda: crowd.open() == "b3", 5, "the sorry backend")
    assert took["b1"] == took["b2"] == 2
    d.api.must("DELETE", "/v1/services/web/backends/b3")
    assert crowd.open() is None
    crowd.leave("b2")
    wait_for(lambda: crowd.open() == "b2", 5, "b2 in use again")


def test_a_limit_that_comes_refuses_nobody(lab, start, crowd, limit):
    """While what there is is being counted, whoever connects is not answered yet; and it is no failure."""
    d = start(limited(lab, {}, names=["b1", "b2"], limit=limit))
    assert None not in crowd.open(4)
    for n in (50, 40):
        d.api.must("PATCH", "/v1/services/web",
                   {"backends": {b: {"max_connections": n} for b in ("b1", "b2")}})
        assert None not in crowd.open(4)
    wait_open(d, "b1", "b2")
    assert [e for e in events_of(d) if e["type"] == "serving"] == []


def test_a_limit_that_goes(lab, start, crowd, limit):
    d = wait_open(start(limited(lab, {"b1": 2}, names=["b1"], limit=limit)), "b1")
    crowd.open(2)
    wait_full(d, "b1")
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 5})
    wait_for(lambda: crowd.open() == "b1", 5, "room for more")
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": None})
    assert d.api.must("GET", LIMITS).json["backends"] == {}
    wait_for(lambda: crowd.open(5)["b1"] == 5, 5, "room for all")


def test_auto_is_exact_while_that_is_cheap(lab, start, crowd):
    """1,000 connections of a service together; the way there and back is a change like any other."""
    d = wait_open(start(limited(lab, {"b1": 2, "b2": 998}, names=["b1", "b2"], limit="auto")), "b1", "b2")
    assert d.api.must("GET", LIMITS).json["limit"] == "exact"
    assert crowd.open(6)["b1"] == 2
    d.api.must("PATCH", "/v1/services/web/backends/b2", {"max_connections": 999})
    assert d.api.must("GET", LIMITS).json["limit"] == "fast"
    assert "room" not in limit_of(d, "b1")
    wait_full(d, "b1")
    assert crowd.open(6)["b1"] == 0
    d.api.must("PATCH", "/v1/services/web/backends/b2", {"max_connections": 998})
    wait_for(lambda: limit_of(d, "b2").get("room") == 998 - 10, 5, "b2 counted")
    assert crowd.open(6)["b1"] == 0


# --- what the kernel counts

PORT = 5053  # UDP; nothing of the laboratory's own is there
FLOWS = 10000


def by(got):
    """How many connections each backend got."""
    return [got["by"].get(str(i + 1), 0) for i in range(3)]


def flood(lab, first=0, n=FLOWS, window=FLOWS):
    """n flows that begin as fast as can be, `window` of them unanswered at a time."""
    return json.loads(lab.run("client", [
        find_program("udpflood"), "flood", "eth0", "%s:%d" % (VIP, PORT), FLOOD_SOURCE, "60",
        str(first), str(n), str(window)], timeout=120).stdout)


@pytest.fixture
def echo(lab):
    servers = list(echo_servers(lab, PORT))
    yield servers
    for p in servers:
        p.kill()
        p.wait()


def udp_limited(lab, limits, more=None, **kw):
    s = service(lab, [listener(VIP, PORT, "udp")], port=None, **kw)
    for name, n in limits.items():
        s["backends"][name]["max_connections"] = n
    for name, fields in (more or {}).items():
        s["backends"][name].update(fields)
    return config(lab, web=s)


def test_exact_under_a_burst(lab, start, echo):
    """10,000 connections at the same time, and not one more than max_connections."""
    start_ = start(udp_limited(lab, {"b1": 100, "b2": 701}, {"b3": {"sorry": True}}))
    d = wait_open(start_, "b1", "b2")
    got = flood(lab)
    # What they had no room for, the sorry backend got; nothing was refused.
    assert by(got) == [100, 701, FLOWS - 801] and got["answered"] == FLOWS, got
    wait_full(d, "b1")
    wait_full(d, "b2")
    assert limit_of(d, "b1")["overshoot"] == limit_of(d, "b2")["overshoot"] == 0
    wait_for(lambda: limit_of(d, "b1")["room"] is None, 5, "b1 out of use")


@pytest.mark.parametrize("scheduler", ["wrr", "sh", "random", "mh", "wlc"])
def test_exact_with_every_program(lab, start, echo, scheduler):
    d = wait_open(start(udp_limited(lab, {"b1": 37, "b2": 1, "b3": 200}, scheduler=scheduler)),
                  "b1", "b2", "b3")
    got = flood(lab, n=3000)
    assert all(n <= most for n, most in zip(by(got), [37, 1, 200])), got
    assert got["refused"] >= 3000 - 238 and got["lost"] == 0, got
    wait_full(d, "b2")


def test_exact_holds_without_the_daemon(lab, start, echo):
    d = wait_open(start(udp_limited(lab, {"b1": 50, "b2": 60, "b3": 70})), "b1", "b2", "b3")
    d.kill()
    got = flood(lab, n=2000)
    assert by(got) == [50, 60, 70], got
    assert got["answered"] == 180 and got["refused"] == 1820, got


def test_listeners_share_the_limit(lab, start, crowd):
    cfg = limited(lab, {"b1": 4}, names=["b1"])
    cfg["services"]["web"]["listeners"].append(listener(VIP, 9001))
    d = wait_open(start(cfg), "b1")
    crowd.open(3)
    with lab.connect("client", VIP, 9001):
        assert crowd.open() is None
        wait_full(d, "b1")


def gates(lab):
    return sorted(re.findall(r"chain (gate\S+)", lab.nft("list", "table", "inet", "fnat")))


def test_the_trap(lab, start, crowd):
    """Full; others overflow and stay; its own end: it admits again, and never one too many."""
    d = wait_open(start(limited(lab, {"b1": 5})), "b1")
    crowd.open(60)
    assert crowd.count()["b1"] == 5
    wait_full(d, "b1")
    crowd.leave("b1")
    wait_full(d, "b1", False)
    wait_open(d, "b1")
    crowd.open(30)
    assert crowd.count()["b1"] == 5
    # Again, with two of its own that stay: room for three is opened.
    wait_full(d, "b1")
    crowd.leave("b1", 3)
    wait_full(d, "b1", False)
    wait_open(d, "b1")
    assert limit_of(d, "b1")["room"] == 3
    crowd.open(30)
    assert crowd.count()["b1"] == 5
    assert limit_of(d, "b1")["overshoot"] == 0


def test_room_comes_back(lab, start, crowd):
    """A count that began with little room gets the rest, once it has turned somebody away."""
    d = wait_open(start(limited(lab, {"b1": 8})), "b1")
    while crowd.count()["b1"] < 8:
        crowd.open()
    wait_full(d, "b1")
    crowd.leave("b1", 3)
    wait_open(d, "b1")
    assert limit_of(d, "b1")["room"] == 3
    crowd.leave("b1")
    wait_for(lambda: crowd.open(3) and crowd.count()["b1"] == 8, 10, "eight again")


def test_restart_adopts_the_count(lab, again, crowd):
    cfg = limited(lab, {"b1": 6})
    d = wait_open(again("limits", cfg).wait_ready(), "b1")
    crowd.open(9)
    before = gates(lab)
    assert crowd.count()["b1"] == 3
    d.kill()
    crowd.open(3)
    d = wait_open(again("limits", cfg).wait_ready(), "b1")
    assert gates(lab) == before
    crowd.open(30)
    assert crowd.count()["b1"] == 6
    # One that was full, and out of use, when it ended.
    wait_full(d, "b1")
    d.kill()
    d = again("limits", cfg).wait_ready()
    crowd.open(12)
    wait_for(lambda: limit_of(d, "b1")["full"], 5, "b1 counted")
    assert crowd.count()["b1"] == 6


def test_other_changes_leave_the_count_alone(lab, start, crowd):
    d = wait_open(start(limited(lab, {"b1": 6, "b2": 9}, scheduler="wrr")), "b1", "b2")
    crowd.open(6)
    before = [g for g in gates(lab) if "max6" in g]
    d.api.must("PATCH", "/v1/services/web/backends/b2", {"max_connections": 20})
    d.api.must("PATCH", "/v1/services/web/backends/b3", {"weight": 3})
    d.api.must("PATCH", "/v1/services/web", {"scheduler": "random"})
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 0})
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 5})
    assert [g for g in gates(lab) if "max6" in g] == before
    wait_open(d, "b1", "b2")
    crowd.open(60)
    assert crowd.count()["b1"] == 6


def test_a_lower_limit(lab, start, crowd):
    """What is there stays; nothing is added to it."""
    d = wait_open(start(limited(lab, {"b1": 100}, names=["b1", "b2"])), "b1")
    crowd.open(20)
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 5})
    assert crowd.open(10)["b1"] == 0
    wait_full(d, "b1")
    crowd.leave("b1", 7)
    wait_open(d, "b1")
    crowd.open(20)
    assert crowd.count()["b1"] == 5


def test_a_higher_limit(lab, start, crowd):
    """Of a backend that is not full, and has little room left under the old one."""
    d = wait_open(start(limited(lab, {"b1": 4}, names=["b1"])), "b1")
    crowd.open(3)
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 5})
    wait_for(lambda: crowd.open() and crowd.count()["b1"] == 5, 5, "five")
    assert crowd.open() is None


@pytest.mark.parametrize("limit", ["exact", "budget"])
def test_full_by_another_limit(lab, start, crowd, limit):
    """Nothing changes for the kernel when a backend that is out of use goes on to be so, and nothing else happens."""
    d = start(limited(lab, {"b1": 4}, names=["b1"], limit="fast"))
    crowd.open(4)
    wait_full(d, "b1")
    d.api.must("PATCH", "/v1/services/web", {"limit": limit})
    crowd.leave("b1")
    wait_for(lambda: limit_of(d, "b1")["room"] == 4, 5, "b1 counted")
    assert crowd.open(2)["b1"] == 2


def test_a_table_that_is_flushed(lab, start, crowd):
    d = wait_open(start(limited(lab, {"b1": 4}, names=["b1", "b2"])), "b1")
    crowd.open(6)
    assert crowd.count()["b1"] == 3
    d.api.must("POST", "/v1/flush")
    d.api.must("POST", "/v1/verify")
    wait_for(lambda: limit_of(d, "b1")["room"] == 1, 5, "counted anew")
    crowd.open(20)
    assert crowd.count()["b1"] == 4


@pytest.mark.parametrize("limit", ["exact", "budget"])
def test_a_gate_that_somebody_empties(lab, start, echo, limit):
    """It counts anew, and is open no sooner than those are counted that it has let through."""
    cfg = udp_limited(lab, {"b1": 100}, names=["b1"], limit=limit)
    d = wait_open(start(cfg, "--plain-table", "--verify-interval", "0"), "b1")
    assert by(flood(lab, n=60))[0] == 60
    lab.nft("flush", "chain", "inet", "fnat", gates(lab)[0])
    d.api.must("POST", "/v1/verify")
    living = by(flood(lab, first=FLOWS, n=2000))[0]
    wait_for(lambda: limit_of(d, "b1")["connections"] == 60 + living, 5, "all known")
    assert living <= 40, living
    rounds = itertools.count(2)

    def fill():
        flood(lab, first=next(rounds) * FLOWS, n=200)
        return limit_of(d, "b1")["connections"] == 100
    wait_for(fill, 10, "room for the rest")
    assert limit_of(d, "b1")["overshoot"] == 0


def test_fast_overshoot_is_told(lab, start, echo):
    d = start(dict(udp_limited(lab, {"b1": 50}, names=["b1", "b2"])))
    d.api.must("PATCH", "/v1/services/web", {"limit": "fast"})
    got = flood(lab, n=3000, window=64)
    wait_full(d, "b1")
    status = limit_of(d, "b1")
    over = by(got)[0] - 50
    print("overshoot", over, status)
    assert 0 <= over < 1450, "it was never taken out of use"
    wait_for(lambda: limit_of(d, "b1")["overshoot"] == over, 5, "%d, told" % over)


# --- of a client, and of a service

def test_of_each_client(lab, start, crowd):
    """Over the listeners of the service; others are not concerned."""
    cfg = config(lab, web=service(lab, [listener(VIP, 9000), listener(VIP, 9001)], port=9000,
                                  max_connections_per_client=3, persistence={}))
    start(cfg)
    a, b = lab.client_addr(1), lab.client_addr(2)
    assert crowd.open(2, a)[None] == 0
    with lab.connect("client", VIP, 9001, source=a):
        assert crowd.open(source=a) is None
        assert crowd.open(4, b)[None] == 1
    wait_for(lambda: crowd.open(source=a), 5, "room after one has ended")
    assert crowd.open(source=a) is None


@pytest.mark.parametrize("more", [{}, {"persistence": {}}])
def test_of_a_service(lab, start, echo, more):
    """Under a burst, over both families' listeners, also without the daemon and over a restart."""
    cfg = config(lab, web=service(lab, [listener(VIP, PORT, "udp"), listener(VIP, PORT + 1, "udp")],
                                  port=PORT, max_connections=250, **more))
    d = start(cfg)
    d.kill()
    got = flood(lab, n=2000)
    assert got["answered"] == 250 and got["refused"] == 1750, got
    start(cfg)
    got = flood(lab, FLOWS, n=100)
    assert got["answered"] == 0 and got["refused"] == 100, got


def test_a_service_without_backends_keeps_its_count(lab, start, crowd):
    cfg = limited(lab, {}, max_connections=3)
    d = start(cfg)
    crowd.open(3)
    for weight in (0, 1):
        for b in lab.backends:
            d.api.must("PATCH", "/v1/services/web/backends/" + b, {"weight": weight})
    assert crowd.open() is None
    crowd.leave("b1")
    wait_for(crowd.open, 5, "room after one has ended")


def test_gates_rest_without_events(lab, start, echo):
    """Nothing tells then how many have ended; the gate is made anew now and then, and not for each that it refused."""
    with sysctls(lab, net__netfilter__nf_conntrack_events=0):
        d = wait_open(start(udp_limited(lab, {"b1": 300}, names=["b1"])), "b1")
        until, n = time.monotonic() + 10, 0
        while time.monotonic() < until:
            n += by(flood(lab, n=400))[0]
            lab.run("lb", ["conntrack", "-D", "-p", "udp"], check=False)
        epochs = [int(g.split("-e")[1]) for g in gates(lab) if "-e" in g]
    assert n > 600 and max(epochs, default=0) <= 3, (n, epochs)


# --- how many met a limit

def overflowed(d):
    return d.api.must("GET", "/v1/stats?service=web").json["services"]["web"]["overflowed"]


def test_overflowed_is_exact(lab, again, echo):
    """Each connection that met a limit once, however many gates it tried; without the daemon, over a
    restart, and when all go to the sorry backend; not one of the others."""
    cfg = udp_limited(lab, {"b1": 100, "b2": 701}, {"b3": {"sorry": True}})
    d = wait_open(again("overflow", cfg).wait_ready(), "b1", "b2")
    d.kill()
    # In turn, 200 find room; from then on b1 is full, which is the first choice of half of them, and
    # of 501 others each finds room at b2, until that is full as well.
    got = flood(lab, n=3000, window=64)
    assert by(got) == [100, 701, 3000 - 801], got
    d = again("overflow", cfg).wait_ready()
    first = overflowed(d)
    assert 3000 - 801 < first < 3000 - 200, first
    wait_for(lambda: limit_of(d, "b1")["full"] and limit_of(d, "b2")["full"], 5, "both full")
    wait_for(lambda: "-full" in lab.nft("list", "map", "inet", "fnat", "services4"), 5, "its program")
    first = overflowed(d)
    got = flood(lab, FLOWS, n=1000)
    assert by(got) == [0, 0, 1000] and overflowed(d) == first + 1000
    assert d.api.must("GET", "/metrics").text.count("fnat_service_overflowed_total{service=\"web\"} %d\n"
                                                    % (first + 1000)) == 1
    assert ["web", str(first + 1000)] in [[f[0], f[-1]] for f in map(
        str.split, d.ctl("-o", "table", "stats").stdout.splitlines())]
    d.kill()
    flood(lab, 2 * FLOWS, n=500)
    d = again("overflow", cfg).wait_ready()
    assert overflowed(d) == first + 1500
    d.api.must("DELETE", "/v1/stats?service=web")
    assert overflowed(d) == 0


def test_overflowed_one_gate(lab, start, echo):
    """Where the first choice is the only one: those that the gate turned away, and no others."""
    d = wait_open(start(udp_limited(lab, {"b1": 300}, names=["b1"])), "b1")
    d.kill()
    got = flood(lab, n=1000)
    assert got["answered"] == 300 and got["refused"] == 700, got
    d = start(udp_limited(lab, {"b1": 300}, names=["b1"]))
    assert overflowed(d) == 700


def test_overflowed_of_a_backend(lab, again, crowd):
    """What its gates turned away, the same number everywhere: over a restart, and not twice; until set to zero."""
    cfg = limited(lab, {"b1": 8}, {"b2": {"sorry": True}}, names=["b1", "b2"])

    def run():
        return wait_open(again("overflow", cfg).wait_ready(), "b1")

    def number():
        s = d.api.must("GET", "/v1/stats?service=web").json["services"]["web"]["backends"]
        n = s["b1"]["overflowed"]
        assert limit_of(d, "b1")["overflowed"] == n and s["b2"]["overflowed"] == 0
        assert ["web/b1", str(n)] in [[f[0], f[-1]] for f in map(
            str.split, d.ctl("-o", "table", "stats").stdout.splitlines())]
        return n
    d = run()
    d.kill()
    assert crowd.open(13) == {"b1": 8, "b2": 5}
    crowd.leave("b1", 1)
    d = run()
    n = wait_for(number, 5, "those that were turned away")
    assert n >= 5 and n % 5 == 0  # each of them as often as it came there
    d.stop()
    d = run()
    assert [g for g in gates(lab) if g.endswith("-e1")]
    wait_for(lambda: limit_of(d, "b1")["connections"] == 7, 5, "all known")
    time.sleep(1)  # looks at the same gate
    assert number() == n
    crowd.leave("b1", 3)
    wait_for(lambda: [g for g in gates(lab) if g.endswith("-e2")], 5, "another gate")
    assert number() == n
    d.stop()
    d = run()
    assert number() == n
    d.api.must("DELETE", "/v1/stats?service=web")
    assert number() == 0
    metric = "fnat_backend_overflowed_total{service=\"web\",backend=\"b1\"} %d\n"
    assert metric % n in d.api.must("GET", "/metrics").text


def test_overflowed_all_full(lab, start, crowd, limit):
    """Refused, since nobody has room; each attempt to connect is one."""
    d = wait_open(start(limited(lab, {"b1": 2}, names=["b1"], limit=limit)), "b1")
    crowd.open(2)
    wait_full(d, "b1")
    wait_for(lambda: "full-own" in lab.nft("list", "map", "inet", "fnat", "services4"), 5, "its program")
    before = overflowed(d)
    assert crowd.open(7)[None] == 7
    # That it is counted no longer does not lose what was.
    crowd.leave("b1")
    wait_full(d, "b1", False)
    wait_for(lambda: overflowed(d) == before + 7, 5, "7 counted")
    wait_for(lambda: "full-own" not in lab.nft("list", "map", "inet", "fnat", "services4"), 5, "open")
    assert crowd.open() == "b1" and overflowed(d) == before + 7


def test_overflowed_until_its_end(lab, start, crowd):
    """Nobody asks before the kernel's counter goes, with the end of what was full."""
    d = start(limited(lab, {"b1": 4}, {"b3": {"sorry": True}}, names=["b1", "b3"], limit="fast"))
    crowd.open(4)
    wait_full(d, "b1")
    wait_for(lambda: crowd.open() == "b3", 5, "the sorry backend")
    crowd.open(9)
    crowd.leave("b1")
    wait_full(d, "b1", False)
    wait_for(lambda: "overflowed" not in lab.nft("list", "table", "inet", "fnat"), 8, "the counter gone")
    assert overflowed(d) == crowd.count()["b3"] == 10


def test_overflowed_of_a_service(lab, start, echo, crowd):
    """max_connections, and that of a client."""
    d = start(config(lab, web=service(lab, [listener(VIP, PORT, "udp")], port=PORT, max_connections=250)))
    flood(lab, n=1000)
    assert overflowed(d) == 750
    d.api.must("PUT", "/v1/config", config(
        lab, web=service(lab, [listener(VIP, 9000)], port=9000, max_connections_per_client=3)))
    assert crowd.open(5, lab.client_addr(1))[None] == 2 and crowd.open(3, lab.client_addr(2))[None] == 0
    assert overflowed(d) == 752


def test_overflowed_counts_nobody_else(lab, start, crowd):
    """What a limit does not meet is not counted: other services have no such rule."""
    d = start(config(lab, web=service(lab, [listener(VIP, 9000)], port=9000)))
    crowd.open(20)
    assert overflowed(d) == 0
    assert "counter" not in lab.nft("list", "table", "inet", "fnat")
