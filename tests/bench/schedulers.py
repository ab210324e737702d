# SPDX-License-Identifier: GPL-2.0-or-later
"""What each scheduler's program costs a new flow, and what it costs fnatd to follow the load of many services.

A flow's cost is measured as in flows.py; rr is what the others are compared with, and each ratio is of one round.
"""

import json
import socket
import statistics
import struct
import subprocess
import time

import documents
import flows
from daemon import Api, find_program
from daemons import Daemon

PLAIN_LIMIT, STICKY_LIMIT = 1.15, 1.5
REBALANCE_LIMIT = 20
SERVICES, BACKENDS, RATE, STAY_S = 1000, 10, 10000, 5
GROUP, REBALANCE = "Schedulers: CPU time of a new flow", "Rebalancing"

STICKY = {"persistence": {"timeout_s": 300}}
VARIANTS = [
    ("rr", {}), ("wrr", {}), ("random", {}), ("lc", {}), ("wlc", {}), ("sed", {}), ("nq", {}), ("ovf", {}), ("twos", {}),
    ("fo", {}), ("sh", {}), ("mh", {}),
    ("sh", {"hash": {"key": "source_port"}}), ("mh", {"hash": {"key": "five_tuple"}}), ("mh", {"hash": {"prefix4": 24}}),
    ("rr", {"udp_timeout_s": 5}), ("rr", {"count_begun": True}), ("rr", STICKY), ("mh", STICKY),
]


def _name(scheduler, more):
    words = [scheduler]
    for key, value in more.items():
        words += ["%s %s" % item for item in value.items()] if isinstance(value, dict) else ["%s %s" % (key, value)]
    return ", ".join(words).replace("timeout_s 300", "persistence")


def _path(lab, i, scheduler, more):
    path = flows.Path(lab, "v%d" % i)
    config = lab.path("scheduler-%d.json" % i)
    service = dict({
        "listeners": [{"address": flows.VIP, "protocol": "udp", "port": flows.PORT}], "pool": "lan",
        "scheduler": scheduler,
        # ovf: all of them below their weights
        "backends": {"b%d" % k: {"address": a, "port": flows.PORT, "weight": 65535 if scheduler == "ovf" else 1}
                     for k, a in enumerate(flows.BACKENDS)}}, **more)
    with open(config, "w") as f:
        json.dump({"pools": {"lan": {"addresses": flows.POOL}}, "services": {"measured": service}}, f)
    Daemon(lab, path.lb, config)
    return path


def cost(report, lab, rounds):
    paths = {_name(*v): _path(lab, i, *v) for i, v in enumerate(VARIANTS)}
    ns = flows.measure(paths, rounds, flows.new_flows)
    for (scheduler, more), name in zip(VARIANTS, paths):
        report.rounds(GROUP, name, ns[name], "ns")
        if name != "rr":
            limit = STICKY_LIMIT if more == STICKY else PLAIN_LIMIT
            report.ratio(GROUP, name + " / rr", ns[name], ns["rr"], limit=("<=", limit))


class _Load:
    """New flows to all services in turn, RATE a second, from a packet socket."""

    def __init__(self, path, n_services):
        self.sock = path.lab.socket(path.src, socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.bind(("eth0", 0x0800))
        self.gateway = bytes.fromhex(path.gateway.replace(":", ""))
        self.n_services, self.n = n_services, 0

    def _frame(self, i):
        to = socket.inet_aton(documents.listener_address(i % self.n_services))
        source = socket.inet_aton("198.18.%d.%d" % (i // 40000 >> 8 & 255, i // 40000 & 255))
        port = 10000 + i % 40000
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28, 0, 0, 64, 17, 0, source, to)
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xffff) + (total >> 16)
        total = ~((total & 0xffff) + (total >> 16)) & 0xffff
        head = head[:10] + struct.pack("!H", total) + head[12:]
        return (self.gateway + b"\2\0\0\0\0\1" + b"\x08\0" + head +
                struct.pack("!HHHH", port, documents.PORT, 8, 0))

    def run(self, seconds):
        """How many a second it was."""
        begin, first = time.monotonic(), self.n
        while time.monotonic() - begin < seconds:
            for _ in range(RATE // 100):
                self.sock.send(self._frame(self.n))
                self.n += 1
            ahead = (self.n - first) / RATE - (time.monotonic() - begin)
            if ahead > 0:
                time.sleep(ahead)
        return (self.n - first) / (time.monotonic() - begin)


def _moved(daemon):
    for line in Api(daemon.socket).get("/metrics").text.splitlines():
        if line.startswith("fnat_balance_slots_moved_total "):
            return float(line.split()[1])
    raise KeyError("fnat_balance_slots_moved_total")


def _balance(daemon, i):
    return daemon.connection.get("/v1/services/s%d/placements" % i)["balance"]


def _evenness(report, daemon, looks, seconds):
    """As fnatd publishes it: each service's worst backend, off the mean of its backends, at the last look."""
    errors = sorted(_balance(daemon, i)["error_ppm"] / 1e4 for i in range(SERVICES))
    note = "a look each %.1f s; %d connections a backend, of which one is %.0f %%" % (
        seconds / max(looks, 1), RATE * STAY_S / SERVICES / BACKENDS, 100 * SERVICES * BACKENDS / RATE / STAY_S)
    report.add(REBALANCE, "worst backend of a service off its mean, median of the services", statistics.median(errors), "%",
               note=note)
    report.add(REBALANCE, "the same, 95th percentile", errors[len(errors) * 95 // 100], "%")


def rebalance(report, lab, seconds):
    path = flows.Path(lab, "rebalance")
    lab.sysctl(path.lb, {"net/netfilter/nf_conntrack_udp_timeout": STAY_S})
    lab.sysctl(path.lb, {"net/netfilter/nf_conntrack_udp_timeout_stream": STAY_S})
    lab.ip(path.lb, ["route add 10.0.0.0/9 via %s" % flows.BACKENDS[0]])
    # All backends in one: each answers from the address that was asked.
    lab.ip(path.dst, ["route add local 10.0.0.0/9 dev lo"])
    lab.nft("flush", "ruleset", ns=path.dst)
    echo = lab.popen(path.dst, [find_program("udpflood"), "echo", "1", str(documents.BACKEND_PORT)], stdout=subprocess.PIPE)
    echo.stdout.readline()
    config = lab.path("rebalance.json")
    with open(config, "w") as f:
        json.dump({"pools": {"lan": {"addresses": flows.POOL}}, "services": {
            "s%d" % i: documents.service(i, BACKENDS, "wlc", "udp") for i in range(SERVICES)}}, f)
    daemon = Daemon(lab, path.lb, config)
    load = _Load(path, SERVICES)
    load.run(8)  # until as many end as begin
    looks, moved = _balance(daemon, 0)["steps"], _moved(daemon)
    before, start = daemon.cpu_s(), time.monotonic()
    rate = load.run(seconds)
    took = time.monotonic() - start
    share = (daemon.cpu_s() - before) / took * 100
    looks, moved = _balance(daemon, 0)["steps"] - looks, (_moved(daemon) - moved) / took
    report.add(REBALANCE, "share of a core: %d wlc services x %d backends, %d connections/s" % (SERVICES, BACKENDS, RATE),
               share * RATE / rate, "%", limit=("<=", REBALANCE_LIMIT),
               note="measured at %.0f/s, %.0f slots moved a second" % (rate, moved))
    _evenness(report, daemon, looks, took)
    daemon.stop()
