# SPDX-License-Identifier: GPL-2.0-or-later
"""When backends are asked: many checks of one interval do not fall into step, nor stay in it; one that
is uncertain is asked more often."""

import cmath
import os
import signal
import time

from conftest import config, listener, service, web
from health_testing import check, refuse, wait_state
from lab import VIP
from namespaces import wait_for
from probe_servers import UdpServer

N, INTERVAL_S, PORT = 200, 0.1, 5999


class Recorder(UdpServer):
    """A server that answers at once, and keeps when each of its clients asked last."""

    def __init__(self, lab, short):
        self.asked = {}  # {port: (when, how often)}; each backend is asked from a port of its own
        super().__init__(lab, short, PORT)

    def answer(self, data, peer):
        self.sock.sendto(data, peer)
        self.asked[peer[1]] = (time.monotonic(), self.asked.get(peer[1], (0, 0))[1] + 1)

    def rounds(self):
        """How often each client asked, at least."""
        return min(n for _, n in self.asked.copy().values()) if self.asked else 0

    def step(self):
        """1: all ask at the same time of the interval; near 0: their times are all over it (the mean of unit vectors)."""
        times = [t for t, _ in self.asked.copy().values()]
        return abs(sum(cmath.exp(2j * cmath.pi * t / INTERVAL_S) for t in times)) / len(times)


def start_all(lab, start, recorder):
    """N backends, which all are the recorder; until each was asked."""
    backends = {"x%d" % i: {"address": lab.backend_addr("b3"), "port": 20000 + i} for i in range(N)}
    d = start(config(lab, web=service(lab, [listener(VIP, 53, "udp")], backends=backends, check=dict(
        check("udp", port=PORT, payload="?"), interval_ms=int(1000 * INTERVAL_S), timeout_ms=2000))))
    wait_for(lambda: len(recorder.asked) == N, 20, "all were asked")
    return d


def stall(d):
    """The daemon does not run for so long that every check is due when it goes on."""
    os.kill(d.pid, signal.SIGSTOP)
    time.sleep(3 * INTERVAL_S)  # time has to pass, there is nothing to see
    os.kill(d.pid, signal.SIGCONT)


def test_spread(lab, start):
    """All over the interval soon after the start, and again after all were due at once."""
    with Recorder(lab, "b3") as recorder:
        d = start_all(lab, start, recorder)
        wait_for(lambda: recorder.step() < 0.3, 20, "spread over the interval")
        stall(d)
        wait_for(lambda: recorder.step() > 0.5, 5, "all are asked at once", 0.001)
        wait_for(lambda: recorder.step() < 0.3, 20, "spread over the interval")
        print("after %d rounds: %.2f" % (recorder.rounds(), recorder.step()))


def test_intervals(lab, start):
    """Each has its own: while a backend is up, while that is in question, while it is down."""
    d = start(web(lab, names=["b1"], check=dict(
        check("tcp", fall=4, jitter_percent=0), interval_ms=1000, fast_interval_ms=100, down_interval_ms=600)))

    def times(result):
        """When it was asked for each of them, in ms, oldest first: a result may be late on a busy machine."""
        results = d.api.get("/v1/services/web/health").json["backends"]["b1"]["results"]
        return [r["time_ms"] - r["duration_us"] / 1000 for r in reversed(results) if r["result"] == result]

    def gaps(of):
        return [b - a for a, b in zip(of, of[1:])]

    wait_state(d, "b1", "up")
    up = wait_for(lambda: len(times("ok")) >= 3 and times("ok"), 10, "three good ones")
    allow = refuse(lab, "b1")
    try:
        failed = wait_for(lambda: len(times("failed")) >= 6 and times("failed"), 10, "six bad ones")
    finally:
        allow()
    print("up %s, then %s ms" % (gaps(up), gaps(failed)))
    # Never earlier than that, by these clocks; later when the machine is busy.
    assert min(gaps(up)) >= 990
    assert min(gaps(failed)[:3]) >= 90 and min(gaps(failed)[:3]) < 500
    assert min(gaps(failed)[3:]) >= 590 and min(gaps(failed)[3:]) < 900
