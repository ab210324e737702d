# SPDX-License-Identifier: GPL-2.0-or-later
"""/v1/connections and /v1/origin with few connections and with as many as the machine allows."""

import json
import re
import subprocess
import time

import harness
from client import Bystander, Connection
from conftest import config, listener, service
from daemon import find_program
from lab import FLOOD_SOURCE, VIP, Fnatd, Lab

PORT, WANTED, PORTS_A_SOURCE = 7000, 1000000, 10000
MEMORY_MB, MORE_MB, ORIGIN_MS = 20, 2, 1.0


def how_many():
    """nf_conntrack_max is the machine's; it is left as it is."""
    with open("/proc/sys/net/netfilter/nf_conntrack_max") as f:
        return min(WANTED, int(f.read()) * 95 // 100)


def flood(lab, first, n):
    sources = (first + n + PORTS_A_SOURCE - 1) // PORTS_A_SOURCE
    out = json.loads(lab.run("client", [
        find_program("udpflood"), "flood", "eth0", "%s:%d" % (VIP, PORT), FLOOD_SOURCE, str(sources), str(first), str(n),
        "500"], timeout=600).stdout)
    if out["answered"] != n:
        raise RuntimeError("not all flows were answered: %r" % out)


def memory_mb(daemon, reset=False):
    """The peak since the last reset."""
    if reset:
        with open("/proc/%d/clear_refs" % daemon.pid, "w") as f:
            f.write("5")
    with open("/proc/%d/status" % daemon.pid) as f:
        return int(re.search(r"VmHWM:\s*(\d+)", f.read()).group(1)) / 1024


def drain(path, target):
    """All of a streamed answer, not kept: (lines, seconds)."""
    begin = time.perf_counter()
    with subprocess.Popen(["curl", "-sS", "--unix-socket", path, "http://fnat" + target], stdout=subprocess.PIPE) as p:
        lines = sum(block.count(b"\n") for block in iter(lambda: p.stdout.read(1 << 16), b""))
        if p.wait() != 0:
            raise RuntimeError("curl failed")
    return lines, time.perf_counter() - begin


def origin(report, group, daemon, sample, n):
    conn, times = Connection(daemon.socket), []
    paths = ["/v1/origin?protocol=udp&local=%(address)s:%(port)d" % c["local"] +
             "&backend=%(address)s:%(port)d" % c["backend"] for c in sample]
    for i in range(n):
        times.append(conn.timed(Connection.encode("GET", paths[i % len(paths)])) * 1000)
    conn.close()
    report.add(group, "origin, p50", harness.percentile(times, 50), "ms", limit=("<=", ORIGIN_MS))
    report.add(group, "origin, p99", harness.percentile(times, 99), "ms")


def sample_of(daemon):
    return [json.loads(line) for line in daemon.api.get("/v1/connections?max=500").text.splitlines()]


def listing(report, group, daemon, n):
    """How many MB fnatd grew by."""
    drain(daemon.socket, "/v1/connections?max=1000")
    quiet = Bystander(daemon.socket, "/v1/status")
    time.sleep(2)
    quiet = [w * 1000 for w in quiet.stop()]
    before, by = memory_mb(daemon, reset=True), Bystander(daemon.socket, "/v1/status")
    lines, seconds = drain(daemon.socket, "/v1/connections")
    waits = [w * 1000 for w in by.stop()]
    if lines != n:
        raise RuntimeError("%d of %d connections were listed" % (lines, n))
    report.add(group, "listed", seconds, "s")
    grown = memory_mb(daemon) - before
    report.add(group, "fnatd grew by", grown, "MB", limit=("<=", MEMORY_MB))
    for name, samples in (("quiet", quiet), ("meanwhile", waits)):
        report.add(group, "another client, %s, p99" % name, harness.percentile(samples, 99), "ms")
        report.add(group, "another client, %s, longest wait" % name, max(samples), "ms")
    begin = time.perf_counter()
    daemon.api.must("GET", "/v1/connections?count=1")
    report.add(group, "counted", time.perf_counter() - begin, "s")
    begin = time.perf_counter()
    daemon.api.must("GET", "/v1/connections?count=1&client=" + FLOOD_SOURCE)
    report.add(group, "those of one client counted (filtered in the kernel)", time.perf_counter() - begin, "s")
    return grown


def run(report, quick):
    n = min(how_many(), 100000) if quick else how_many()
    with Lab(backends=2, clients=1) as lab:
        for i, b in enumerate(lab.backends):
            p = lab.popen(b, [find_program("udpflood"), "echo", str(i + 1), str(PORT)], stdout=subprocess.PIPE)
            p.stdout.readline()
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_udp_timeout": 3600})
        daemon = Fnatd(lab, config(lab, many=service(lab, [listener(VIP, PORT, "udp")], port=None)))
        daemon.api.timeout = 120
        flood(lab, 0, 10)
        origin(report, "connections, 10", daemon, sample_of(daemon), 2000)
        flood(lab, 10, n // 4 - 10)
        quarter = listing(report, "connections, {:,}".format(n // 4), daemon, n // 4)
        flood(lab, n // 4, n - n // 4)
        group = "connections, {:,}".format(n)
        if n < WANTED:
            print("  (nf_conntrack_max of this machine allows no more than {:,})".format(n), flush=True)
        origin(report, group, daemon, sample_of(daemon), 2000)
        grown = listing(report, group, daemon, n)
        report.add(group, "fnatd grew by more than with a quarter of them", max(0, grown - quarter), "MB",
                   limit=("<=", MORE_MB))
        begin = time.perf_counter()
        daemon.api.must("DELETE", "/v1/connections?service=many")
        report.add(group, "deleted", time.perf_counter() - begin, "s")
        daemon.stop()
