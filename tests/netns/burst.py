# SPDX-License-Identifier: GPL-2.0-or-later
"""Bursts of short UDP flows, and what they cost.

veth hands a packet on in the sender's context, so that the CPU time of who sends and of who answers is that of the
balancer's kernel, too: looking up, translating, forgetting flows that are over, and telling who listens for that. Waiting
for a core is not in it, so that a busy machine changes it little.
"""

import itertools
import json
import os
import signal
import subprocess

from lab import FLOOD_SOURCE, VIP, find_program

PORT = 7
# A flow is over so soon that most end, and are told, while others begin: bursts last longer. Who answers later than that
# finds the flow gone, as happens on a busy machine.
SHORT_TIMEOUTS = {"net/netfilter/nf_conntrack_udp_timeout": 1, "net/netfilter/nf_conntrack_udp_timeout_stream": 1}
BURST_S, LATE_PART = 3, 0.05
FLOWS_TRIED, FLOWS_MIN, FLOWS_MAX = 20000, 50000, 400000


def echo_server(lab, b):
    p = lab.popen(b, [find_program("udpflood"), "echo", b[1:], str(PORT)], stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    return p


def flood_argv(first, n):
    """n flows from number first on; prints what became of them."""
    return [find_program("udpflood"), "flood", "eth0", "%s:%d" % (VIP, PORT), FLOOD_SOURCE, "60", str(first), str(n), "500"]


def cpu_s(pid):
    """CPU time of a process, all threads, in seconds: exact, from its schedstat."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task), encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1e9


def _burst(lab, servers, first, n):
    """Its CPU seconds, and how long it took."""
    lab.conntrack_flush()
    before = sum(cpu_s(s.pid) for s in servers)
    out = json.loads(lab.run("client", flood_argv(first, n), timeout=300).stdout)
    assert out["sent"] == n and out["answered"] >= n * (1 - LATE_PART), out
    return out["cpu_seconds"] + sum(cpu_s(s.pid) for s in servers) - before, out["seconds"]


def rounds_of(lab, servers, fnatd):
    """Endless pairs of CPU seconds of a burst: without fnatd, and beside one that does not read. fnatd(): starts one that
    serves PORT."""
    with fnatd():  # the table is there, and stays
        _, seconds = _burst(lab, servers, 0, FLOWS_TRIED)
    n = int(min(max(FLOWS_TRIED * BURST_S / seconds, FLOWS_MIN), FLOWS_MAX))
    for i in itertools.count():
        found = {}
        for is_there in ((False, True), (True, False))[i % 2]:
            first = (1 + 2 * i + is_there) * n
            if not is_there:
                found[is_there] = _burst(lab, servers, first, n)[0]
                continue
            with fnatd() as daemon:
                daemon.proc.send_signal(signal.SIGSTOP)
                try:
                    found[is_there] = _burst(lab, servers, first, n)[0]
                finally:
                    daemon.proc.send_signal(signal.SIGCONT)
        yield found[False], found[True]
