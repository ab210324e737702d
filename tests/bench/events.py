# SPDX-License-Identifier: GPL-2.0-or-later
"""What the statistics cost: events a second on one core, and the share of a core while nothing and much happens.

Parsing and counting alone is measured by counting.c, with connections to random backends of 10,000 services. The whole
way (netlink, reader, main loop) is the CPU time of fnatd, both threads together, for the ends of many connections.
"""

import itertools
import json
import subprocess
import time

from daemons import build_program
from lab import VIP, Lab
from namespaces import LabError, wait_for

import burst
import documents
import harness

EVENTS_WANTED = (">=", 500000)
SERVICES, BACKENDS = 10000, 10
FLOWS = 100000
RATE = 20000
GROUP = "events"


def _metric(daemon, name):
    """As of now: of the living there is a new listing."""
    daemon.api.must("GET", "/v1/stats?service=flood")
    for line in daemon.api.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


def _document(lab, path):
    """The services of the other parts, and one that udpflood is served by."""
    documents.fnat(path, SERVICES, BACKENDS)
    with open(path) as f:
        document = json.load(f)
    document["pools"] = lab.pool()
    document["services"]["flood"] = {"listeners": [{"address": VIP, "protocol": "udp", "port": burst.PORT}], "pool": "lan",
                                     "backends": lab.backend_set(port=None)}
    with open(path, "w") as f:
        json.dump(document, f)


def _flood(lab, first, n):
    lab.run("client", burst.flood_argv(first, n), timeout=300)


def _counting(report, n):
    rounds = []
    for _ in range(n):
        out = json.loads(subprocess.run([build_program("counting"), str(SERVICES), str(BACKENDS), "2000000"],
                                        stdout=subprocess.PIPE, check=True).stdout)
        rounds.append(out["events"] / out["seconds"])
    report.rounds(GROUP, "understood and counted, 10,000 x 10", rounds, "events/s", limit=EVENTS_WANTED)


def _at_rest(daemon):
    """CPU seconds of fnatd, once it does nothing. To ask for its numbers would begin a listing of the living."""
    values = [0.0]

    def is_at_rest():
        values.append(burst.cpu_s(daemon.pid))
        return values[-1] - values[-2] < 0.001
    wait_for(is_at_rest, 60, "fnatd has counted", 0.3)
    return values[-1]


def _whole_way(report, lab, daemon, n):
    """What the events cost, and apart from that a listing of as many living."""
    counted, listed = [], []
    while len(counted) < n:
        _flood(lab, len(counted) * FLOWS, FLOWS)
        before = _at_rest(daemon)
        seen = _metric(daemon, "fnat_events_total")
        begun = _at_rest(daemon)
        lab.conntrack_flush()
        ended = _at_rest(daemon)
        n_counted = _metric(daemon, "fnat_events_total") - seen
        if n_counted < FLOWS:
            raise LabError("%d of %d events" % (n_counted, FLOWS))
        listed.append(FLOWS / (begun - before))
        counted.append(n_counted / (ended - begun))
    report.rounds(GROUP, "from the kernel to the numbers, CPU time of fnatd", counted, "events/s", limit=EVENTS_WANTED)
    report.rounds(GROUP, "living connections listed, CPU time of fnatd", listed, "connections/s")


def _idle(report, daemon, seconds):
    time.sleep(20)  # until nothing is left to be averaged, and listings are rare
    before = burst.cpu_s(daemon.pid)
    time.sleep(seconds)
    report.add(GROUP, "share of a core while nothing happens", (burst.cpu_s(daemon.pid) - before) / seconds * 100, "%",
               limit=("<=", 0.5), note="a look at the table of connections every 16 s included")


def _busy(report, lab, daemon, seconds):
    """RATE connections a second begin, and as many end."""
    steps, first = seconds * 4, 1000000
    before, start = burst.cpu_s(daemon.pid), time.monotonic()
    for i in range(steps):
        _flood(lab, first + i * RATE // 4, RATE // 4)
        lab.conntrack_flush()
        time.sleep(max(0, start + (i + 1) / 4 - time.monotonic()))
    took = time.monotonic() - start
    share = (burst.cpu_s(daemon.pid) - before) / took * 100
    rate = steps * RATE / 4 / took
    report.add(GROUP, "share of a core at 20,000 connections/s", share * RATE / rate, "%", limit=("<=", 15),
               note="measured at %.0f/s" % rate)


def _slowed(report, lab, fnatd, n):
    """What the traffic pays for its events when fnatd does not even read them. Those who make it take no precedence: what
    forgets flows that are over is a worker of the kernel, and when it does not get to it, they have to do it themselves."""
    lab.sysctl("lb", burst.SHORT_TIMEOUTS)
    with harness.like_everybody():
        servers = [burst.echo_server(lab, b) for b in lab.backends]
        without, beside = zip(*itertools.islice(burst.rounds_of(lab, servers, fnatd), n))
    report.ratio(GROUP, "CPU time of a burst of flows beside a stopped fnatd, to without", beside, without, limit=("<=", 1.1))


def run(report, quick):
    _counting(report, 3 if quick else 7)
    with Lab(backends=2, clients=1) as lab:
        servers = [burst.echo_server(lab, b) for b in lab.backends]
        path = lab.path("events.json")
        _document(lab, path)

        def fnatd():
            return lab.fnatd(None, "--config-readonly", path, timeout=60)
        with fnatd() as daemon:
            _idle(report, daemon, 16 if quick else 48)
            _whole_way(report, lab, daemon, 2 if quick else 5)
            _busy(report, lab, daemon, 5 if quick else 20)
        for server in servers:
            server.kill()
            server.wait()
        _slowed(report, lab, fnatd, 3 if quick else 7)
