# SPDX-License-Identifier: GPL-2.0-or-later
"""What health checks cost fnatd: 10,000 backends asked every second, a type at a time; and what clients see of a
backend that fails under 2,000 new connections a second when only their connections tell.

On a machine that is too busy to ask all of them, the cost of those that were asked is scaled to 10,000 a second.
"""

import json
import os
import socket
import subprocess
import threading
import time

import harness
from daemon import find_program
from daemons import build_program
from namespaces import wait_for

N = 10000
SECONDS = 10
LIMITS = {"tcp": 60, "icmp": 15, "udp": 15}  # percent of a core
PORT, FIRST = 7001, "10.8.0.1"

IP_PKTINFO = 8  # linux/in.h
_TICKS = os.sysconf("SC_CLK_TCK")


def _cpu_s(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mib(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def _serve_tcp(listener, stop):
    while not stop.is_set():
        try:
            listener.accept()[0].close()
        except OSError:
            pass


def _serve_udp(sock, stop):
    """Answers from the address that was asked."""
    while not stop.is_set():
        try:
            data, anc, _, peer = sock.recvmsg(64, 64)
            sock.sendmsg([data], [(socket.IPPROTO_IP, IP_PKTINFO, b"\0\0\0\0" + anc[0][2][8:12] + b"\0\0\0\0")],
                         0, peer)
        except OSError:
            pass


def _servers(lab, short, stop):
    tcp = lab.socket(short, kind=socket.SOCK_STREAM)
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    tcp.bind(("0.0.0.0", PORT))
    tcp.listen(4096)
    udp = lab.socket(short, kind=socket.SOCK_DGRAM)
    udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind(("0.0.0.0", PORT))
    for s, serve in ((tcp, _serve_tcp), (udp, _serve_udp)):
        s.settimeout(0.5)
        threading.Thread(target=serve, args=(s, stop), daemon=True).start()
    return tcp, udp


def _document(lab, kind):
    services = {}
    for i in range(10):
        backends = {"b%d" % k: {"address": "10.8.%d.%d" % (i * 4 + k // 250, 1 + k % 250), "port": PORT}
                    for k in range(N // 10)}
        services["s%d" % i] = {
            "listeners": [{"address": "192.0.2.%d" % (100 + i), "protocol": "tcp", "port": 80}], "pool": "lan",
            "scheduler": "random", "backends": backends,
            "check": {"type": kind, "interval_ms": 1000, "timeout_ms": 900}}
    return {"pools": lab.pool(), "services": services}


def _totals(api):
    services = [api.get("/v1/services/s%d/health" % i).json["backends"] for i in range(10)]
    return (sum(b["ok"] for s in services for b in s.values()), sum(b["failed"] for s in services for b in s.values()),
            sum(b["undone"] for s in services for b in s.values()))


def run(report, lab, short, quick):
    """lab: with namespaces lb and `short`, whose address is the way to 10.8.0.0/16."""
    stop = threading.Event()
    lab.sysctl("lb", {"net/ipv4/ping_group_range": "0 2147483647", "net/ipv4/neigh/default/gc_thresh3": "32768"})
    lab.run("lb", ["ip", "route", "replace", "10.8.0.0/16", "via", lab.backend_addr(short)])
    lab.run(short, ["ip", "route", "replace", "local", "10.8.0.0/16", "dev", "lo"])
    sockets = _servers(lab, short, stop)
    try:
        for kind in ("tcp", "icmp", "udp"):
            _one(report, lab, kind, 1 if quick else 3)
    finally:
        stop.set()
        for s in sockets:
            s.close()


def _cost(lab, kind):
    """CPU time of fnatd for a check (us), how many it made a second, what else it is to say."""
    with lab.fnatd(_document(lab, kind)) as d:
        wait_for(lambda: _totals(d.api)[0] >= N, 60, "a result of all backends", 0.5)
        before, read = _totals(d.api), time.monotonic()
        cpu, begin = _cpu_s(d.proc.pid), time.monotonic()
        time.sleep(SECONDS)
        cpu = (_cpu_s(d.proc.pid) - cpu) / (time.monotonic() - begin)
        after = _totals(d.api)
        rate = (sum(after) - sum(before)) / (time.monotonic() - read)
        return cpu / rate * 1e6, rate, after[1] - before[1], after[2] - before[2], _rss_mib(d.proc.pid)


def _floor(lab, kind):
    """CPU time of a program that only asks, as often, in us an answer; with the same rules and events."""
    with lab.fnatd(_document(lab, "none")):
        r = json.loads(lab.run("lb", [build_program("asking"), kind, FIRST, str(PORT), str(N), str(SECONDS)]).stdout)
    return r["cpu_s"] / r["answered"] * 1e6


def _one(report, lab, kind, rounds):
    made = harness.interleaved(rounds, {"fnatd": lambda: _cost(lab, kind), "floor": lambda: _floor(lab, kind)})
    costs, rates, failed, undone, memory = zip(*made["fnatd"])
    percent = [us * N / 1e4 for us in costs]
    report.add("checks", "%s: %d backends a second, CPU" % (kind, N), harness.median(percent), "% of a core", percent,
               ("<=", LIMITS[kind]), "%.0f checks a second, %d failed, %d undone" % (
                   harness.median(rates), sum(failed), sum(undone)))
    report.ratio("checks", "%s: the same, to a program that only asks" % kind, costs, made["floor"], None,
                 "%.1f us a check" % harness.median(made["floor"]))
    report.add("checks", "%s: memory" % kind, max(memory), "MiB", None, ("<=", 100))


RATE = 2000
# Clients' connections under each way to fail: what of them is refused or never made, at most.
FAILED_MAX = {"killed": 100, "silent": 0}


def failover(report, lab, quick):
    """lab: with three backends."""
    for b in lab.backends:
        lab.nginx(b, (8080,))
    for how in FAILED_MAX:
        _failover(report, lab, how, 1 if quick else 3)


def _failover(report, lab, how, rounds):
    rule = "tcp dport 8080 reject with tcp reset" if how == "killed" else "drop"
    doc = {"pools": lab.pool(), "services": {"web": {
        "listeners": [{"address": "192.0.2.10", "protocol": "tcp", "port": 80}], "pool": "lan", "scheduler": "rr",
        "backends": lab.backend_set(port=8080),
        "check": {"type": "none", "observe": "connections", "observe_failures": 3, "inhibit_s": 60}}}}
    failed, slow, slowest = [], [], []
    for _ in range(rounds):
        with lab.fnatd(doc) as d:
            p = lab.popen("client", [find_program("tcpconnect"), "192.0.2.10", "80", str(RATE), "4", "10000"],
                          stdout=subprocess.PIPE, text=True)
            p.stdout.readline()
            lab.nft_load("table inet fail { chain in { type filter hook input priority 0; %s; }; }" % rule, ns="b2")
            try:
                d.wait_log("web/b2 .*-> down", 20)
                r = json.loads(p.communicate(timeout=60)[0])
            finally:
                lab.nft("delete", "table", "inet", "fail", ns="b2")
        failed.append(r["refused"] + r["timed_out"] + r["failed"])
        slow.append(r["slow"])
        slowest.append(r["slowest_ms"])
    report.add("checks", "one of 3 backends %s, %d connections/s: failed" % (how, RATE), harness.median(failed),
               "of %d" % (4 * RATE), failed, ("<=", FAILED_MAX[how]),
               "%d later than 0.5 s, the last %.1f s" % (harness.median(slow), harness.median(slowest) / 1000))
