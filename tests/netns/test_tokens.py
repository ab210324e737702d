# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends that may have only so many connections, of which fnatd issues tokens ("limit": "budget")."""

import itertools
import random
import signal
import threading

import pytest

from lab import wait_for
from test_thresholds import (FLOWS, LIMITS, by, crowd, echo, flood, gates, limit_of, limited,  # noqa: F401
                             udp_limited, wait_full, wait_open)


def budget(lab, limits, more=None, **kw):
    return udp_limited(lab, limits, more, limit="budget", **kw)


def living(lab, name):
    """What the kernel has of UDP connections to a backend."""
    return len(lab.conntrack("-p", "udp", "--reply-src", lab.backend_set([name], 1)[name]["address"]))


def end(lab, name):
    """The connections of a backend end."""
    lab.run("lb", ["conntrack", "-D", "-p", "udp", "--reply-src", lab.backend_set([name], 1)[name]["address"]],
            check=False)


def room(d, name):
    return limit_of(d, name)["room"] or 0


def counting(lab):
    """The gates that admit, by name."""
    return {g for g in gates(lab) if "-max" in g}


def wait_renewed(lab, d, name, old):
    """Until gates with new tokens stand in the place of the old ones: a daemon that starts adopts these, and goes by
    what their names say until it has counted."""
    wait_for(lambda: counting(lab) and not counting(lab) & old and room(d, name) > 900, 20, "new tokens")


def test_a_burst(lab, start, echo):  # noqa: F811
    """10,000 connections at the same time, and not one more than max_connections."""
    d = wait_open(start(budget(lab, {"b1": 100, "b2": 701}, {"b3": {"sorry": True}})), "b1", "b2")
    assert d.api.must("GET", LIMITS).json["limit"] == "budget"
    assert [g.split("-max")[1] for g in gates(lab) if "-max" in g] == ["100-tokens96-room4-e1", "701-tokens680-room21-e1"]
    got = flood(lab)
    assert by(got) == [100, 701, FLOWS - 801] and got["answered"] == FLOWS, got
    wait_full(d, "b1")
    wait_full(d, "b2")
    assert limit_of(d, "b1")["overshoot"] == limit_of(d, "b2")["overshoot"] == 0


def test_a_burst_while_others_end(lab, start, echo):  # noqa: F811
    """More get in for those that end, and never more than may live."""
    d = wait_open(start(budget(lab, {"b1": 300, "b2": 1000}, {"b3": {"sorry": True}})), "b1", "b2")
    is_over = threading.Event()

    def end_some():
        while not is_over.is_set():
            end(lab, "b2")
    ender = threading.Thread(target=end_some)
    ender.start()
    took = []

    def go_on():
        took.append(by(flood(lab, first=len(took) * FLOWS))[1])
        assert living(lab, "b1") <= 300 and living(lab, "b2") <= 1000
        return sum(took) > 1500
    try:
        wait_for(go_on, 60, "more for those that ended")
    finally:
        is_over.set()
        ender.join()
    assert living(lab, "b1") <= 300 and living(lab, "b2") <= 1000
    assert limit_of(d, "b1")["overshoot"] == limit_of(d, "b2")["overshoot"] == 0


def test_each_moment(lab, start, crowd):  # noqa: F811
    """Connections that come and go, counted by who has them: never one too many, and always some more."""
    d = wait_open(start(limited(lab, {"b1": 100}, names=["b1"], limit="budget")), "b1")
    n, most = 0, 0

    def go_on():
        nonlocal n, most
        for _ in range(40):
            n += crowd.open() is not None
            most = max(most, crowd.count()["b1"])
            assert most <= 100
        crowd.leave("b1", random.randrange(45))
        return n > 600
    wait_for(go_on, 60, "600 connections", 0)
    assert most > 50
    assert limit_of(d, "b1")["overshoot"] == 0


def test_new_tokens(lab, start, echo):  # noqa: F811
    """What ended may come again, without the backend ever being out of use."""
    d = wait_open(start(budget(lab, {"b1": 1000}, names=["b1"])), "b1")
    assert room(d, "b1") == 1000
    assert by(flood(lab, n=900))[0] == 900
    end(lab, "b1")
    wait_for(lambda: room(d, "b1") == 900, 5, "new tokens")  # 69 were left, and two reserves of 31 may be in use
    assert limit_of(d, "b1")["times_full"] == 0
    assert by(flood(lab, first=FLOWS))[0] >= 900
    assert 900 <= living(lab, "b1") <= 1000


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_without_the_daemon(lab, again, echo, how):  # noqa: F811
    """The tokens that there are, and then the reserve: as many at a time, of those that come then."""
    cfg = budget(lab, {"b1": 1000}, names=["b1"])
    d = wait_open(again("tokens", cfg).wait_ready(), "b1")
    old = counting(lab)
    d.proc.send_signal(how)
    got = flood(lab, n=3000)
    assert by(got)[0] == 1000 and got["refused"] == 2000, got
    end(lab, "b1")
    # Those that it refused meanwhile have no entries, so the kernel's count is that of the reserve.
    for i in range(2):
        assert by(flood(lab, first=(i + 1) * FLOWS, n=500))[0] <= 31
        assert living(lab, "b1") <= 31
    end(lab, "b1")
    if how == signal.SIGSTOP:
        d.proc.send_signal(signal.SIGCONT)
    else:
        d = again("tokens", cfg).wait_ready()
    wait_renewed(lab, d, "b1", old)
    assert by(flood(lab, first=3 * FLOWS))[0] > 900
    assert living(lab, "b1") <= 1000


def test_a_restart_goes_on(lab, again, echo):  # noqa: F811
    """The tokens that were used before it are, and no others."""
    cfg = budget(lab, {"b1": 1000}, names=["b1"])
    d = wait_open(again("tokens", cfg).wait_ready(), "b1")
    flood(lab, n=600)
    before = gates(lab)
    d.kill()
    flood(lab, first=FLOWS, n=100)
    d = wait_open(again("tokens", cfg).wait_ready(), "b1")
    assert gates(lab) == before
    flood(lab, first=2 * FLOWS)
    assert living(lab, "b1") == 1000
    d.kill()
    old = counting(lab)
    end(lab, "b1")
    d = again("tokens", cfg).wait_ready()
    wait_renewed(lab, d, "b1", old)
    flood(lab, first=3 * FLOWS)
    assert 900 < living(lab, "b1") <= 1000


def test_another_limit(lab, start, echo):  # noqa: F811
    d = wait_open(start(budget(lab, {"b1": 400}, names=["b1"])), "b1")
    flood(lab)
    assert living(lab, "b1") == 400
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 2000})
    wait_for(lambda: room(d, "b1") > 1000, 5, "room for more")
    flood(lab, first=FLOWS)
    assert 1400 < living(lab, "b1") <= 2000
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 300})
    before = living(lab, "b1")
    flood(lab, first=2 * FLOWS, n=500)
    assert living(lab, "b1") == before
    end(lab, "b1")
    rounds = itertools.count(3)

    def fill():
        flood(lab, first=next(rounds) * FLOWS, n=500)
        assert living(lab, "b1") <= 300
        return living(lab, "b1") > 250
    wait_for(fill, 20, "room for 300")


def test_another_way(lab, start, echo):  # noqa: F811
    """From exact and fast to budget, and back: what lives then counts."""
    d = wait_open(start(budget(lab, {"b1": 500}, names=["b1"])), "b1")
    flood(lab, n=100)
    for limit in ["exact", "budget", "fast", "budget"]:
        d.api.must("PATCH", "/v1/services/web", {"limit": limit})
        if limit == "fast":
            continue
        wait_for(lambda: room(d, "b1") == 400, 5, "counted anew")
        wait_for(lambda: ("tokens" in "".join(gates(lab))) == (limit == "budget"), 5, "the other gate gone")
    flood(lab, first=FLOWS)
    assert living(lab, "b1") == 500


def test_what_was_there_before(lab, start, echo):  # noqa: F811
    """Connections that began before the backend had a limit count."""
    d = start(budget(lab, {}, names=["b1"]))
    flood(lab, n=250)
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"max_connections": 300})
    wait_open(d, "b1")
    assert room(d, "b1") == 50
    flood(lab, first=FLOWS)
    assert living(lab, "b1") == 300
