# SPDX-License-Identifier: GPL-2.0-or-later
"""The data plane: new UDP flows and packets of established ones, through fnat and what it is compared with.

    src (flowgen) ---- lb ---- dst (counts and drops at ingress)

Each contender has three namespaces of its own, so that its ruleset is loaded
once and rounds can take turns. The whole path is worked off on one core, in
the sender's context: the time is that core's time for the packet, sending
included.
"""

import json
import os
import re
import socket
import struct
import threading

import documents
import harness
from control import count, raw_batch
from daemons import Daemon, build_program
from namespaces import LabError, wait_for

VIP, PORT, N_BACKENDS = "192.0.2.10", 53, 10
BACKENDS = ["10.1.0.%d" % (11 + i) for i in range(N_BACKENDS)]
POOL = ["10.1.0.%d" % (50 + i) for i in range(documents.POOL_SIZE)]
FIRST_SOURCE = "198.18.0.1"

TRIES, NEW_FLOWS, ESTABLISHED_FLOWS, PACKETS = 3, 20000, 1000, 30000
UNCOUNTED, COUNTED = "hand-written, backends in a map", "hand-written, in a map whose elements count"
NEW_LIMIT = FLAT_LIMIT = ESTABLISHED_LIMIT = 0.95

# What an operator may have beside fnat's table: established flows go past all of the path but their two rewritings.
FLOWTABLE = ("table inet fast {\n flowtable f { hook ingress priority 0; devices = { client0, lan0 }; }\n"
             " chain forward { type filter hook forward priority 0; ct state established flow add @f; }\n}\n")

# No chain with a hook: the rule only makes conntrack work on the namespace's packets.
CONNTRACK = "table ip hand {\n chain unused { ct state new; }\n}\n"


def _numbered(backends):
    return ", ".join("%d : %s . %d" % (i, a, PORT) for i, a in enumerate(backends))


def hand_written(guard=False):
    """One dnat and one snat rule, with fnat's choice of backend and of local address."""
    pool = ", ".join("%d : %s" % x for x in enumerate(POOL))
    text = ("table ip hand {\n"
            " chain pre { type nat hook prerouting priority dstnat;"
            " ip daddr %s udp dport %d dnat ip to numgen inc mod %d map { %s }; }\n"
            " chain post { type nat hook postrouting priority srcnat;"
            " ct status dnat snat ip to jhash ip saddr . udp sport mod %d map { %s }:1024-65535; }\n"
            % (VIP, PORT, N_BACKENDS, _numbered(BACKENDS), len(POOL), pool))
    if guard:
        text += (" set addresses { type ipv4_addr; elements = { %s, %s }; }\n"
                 " chain forward { type filter hook forward priority filter - 10;"
                 " ct state invalid ip daddr @addresses drop; }\n" % (VIP, ", ".join(POOL)))
    return text + "}\n"


def mapped(counts):
    """The same with the backends in a map like fnat's of slots, whose elements count what they are chosen for, or do not."""
    slots = ", ".join("%s . %d . %d%s : %s . %d" % (VIP, PORT, i, " counter" if counts else "", a, PORT)
                      for i, a in enumerate(BACKENDS))
    return hand_written().replace("table ip hand {\n", (
        "table ip hand {\n map slots { typeof ip daddr . udp dport . numgen inc mod 65536 : ip daddr . udp dport; %s"
        " elements = { %s }; }\n") % ("counter;" if counts else "", slots)).replace(
            "numgen inc mod %d map { %s }" % (N_BACKENDS, _numbered(BACKENDS)),
            "ip daddr . udp dport . numgen inc mod %d map @slots" % N_BACKENDS)


class Path:
    """src, lb and dst of one contender. target: where flowgen sends to."""

    def __init__(self, lab, name, target=VIP):
        self.lab, self.name, self.target = lab, name, target
        self.src, self.lb, self.dst = (name + x for x in ("s", "l", "d"))
        for short in (self.src, self.lb, self.dst):
            lab.add_ns(short, forward=short == self.lb)
        lab.sysctl(self.lb, {"net/netfilter/nf_conntrack_tcp_loose": "0", "net/netfilter/nf_conntrack_acct": "1"})
        lab.link(self.src, "eth0", self.lb, "client0", ["198.51.100.2/24"], ["198.51.100.1/24"])
        lab.link(self.lb, "lan0", self.dst, "eth0", ["10.1.0.1/24"] + [p + "/32" for p in POOL],
                 [b + "/24" for b in BACKENDS])
        self.gateway = self._mac(self.lb, "client0")
        lan, sink = self._mac(self.lb, "lan0"), self._mac(self.dst, "eth0")
        lab.ip(self.lb, ["route add 198.18.0.0/15 via 198.51.100.2", "route add default via 198.51.100.2",
                         "neigh add 198.51.100.2 lladdr %s dev client0 nud permanent" % self._mac(self.src, "eth0")] +
               ["neigh add %s lladdr %s dev lan0 nud permanent" % (b, sink) for b in BACKENDS])
        lab.ip(self.dst, ["neigh add %s lladdr %s dev eth0 nud permanent" % (a, lan) for a in ["10.1.0.1"] + POOL] +
               ["route add default via 10.1.0.1"])
        self.count_and_drop()

    def _mac(self, short, device):
        return json.loads(self.lab.run(short, ["ip", "-j", "link", "show", device]).stdout)[0]["address"]

    def count_and_drop(self):
        self._seen = self._sent = 0
        self.lab.nft_load("table netdev sink { chain in { type filter hook ingress device eth0 priority 0;"
                          " ip protocol udp counter drop; }\n}\n", ns=self.dst)

    def arrived(self):
        """Packets that came out at the other end since the last call."""
        text = self.lab.nft("list", "table", "netdev", "sink", ns=self.dst)
        n = int(re.search(r"counter packets (\d+)", text).group(1))
        since, self._seen = n - self._seen, n
        return since

    def send(self, flows, repeat=1):
        """Nanoseconds of CPU a packet."""
        argv = ["taskset", "-c", str(_core()), build_program("flowgen"), "--device", "eth0", "--to", self.gateway,
                "--source", FIRST_SOURCE, "--destination", self.target, "--port", str(PORT),
                "--flows", str(flows), "--repeat", str(repeat)]
        result = json.loads(self.lab.run(self.src, argv).stdout)
        self._sent += result["packets"]
        return result["cpu_ns"] / result["packets"]

    def check(self):
        """An error when packets were lost: what is not carried costs nothing."""
        lost = self._sent - self.arrived()
        if lost > self._sent // 1000:
            raise LabError("%s: %d of %d packets were lost" % (self.name, lost, self._sent))
        self._sent = 0

    def flush(self):
        self.lab.conntrack_flush(ns=self.lb)

    def establish(self, flows):
        """Packets both ways on each flow, so that conntrack takes them for established."""
        self.flush()
        self.lab.nft("flush", "ruleset", ns=self.dst)
        with _Echo(self.lab, self.dst) as echo:
            self.send_quietly(flows)
            wait_for(lambda: echo.n >= flows * 0.99, 20, "%s: answers to %d flows" % (self.name, flows))
        self.count_and_drop()

    def send_quietly(self, flows):
        """Slowly enough for the echo server's socket buffer."""
        argv = [build_program("flowgen"), "--device", "eth0", "--to", self.gateway, "--source", FIRST_SOURCE,
                "--destination", self.target, "--port", str(PORT), "--flows", str(flows)]
        self.lab.run(self.src, argv)


class _Echo:
    """Sends each datagram back from the address it was sent to."""

    def __init__(self, lab, ns):
        self.n, self.is_done = 0, False
        self.sock = lab.socket(ns, socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.sock.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.sock.bind(("0.0.0.0", PORT))
        self.sock.settimeout(0.2)
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.is_done:
            try:
                data, control, _, sender = self.sock.recvmsg(2048, 256)
            except socket.timeout:
                continue
            info = control[0][2]
            reply = struct.pack("=i4s4s", 0, info[8:12], b"\0" * 4)  # from ipi_addr
            self.sock.sendmsg([data], [(socket.IPPROTO_IP, 8, reply)], 0, sender)
            self.n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.is_done = True
        self.thread.join()
        self.sock.close()


def _core():
    """The last one this process may use."""
    return max(os.sched_getaffinity(0))


def _document(lab, n_services):
    """The measured service among others."""
    path = lab.path("flows-%d.json" % n_services)
    services = {"s%d" % i: documents.service(i, N_BACKENDS, "wrr", "udp") for i in range(n_services - 1)}
    services["measured"] = {
        "listeners": [{"address": VIP, "protocol": "udp", "port": PORT}], "pool": "lan", "scheduler": "wrr",
        "backends": {"b%d" % i: {"address": a, "port": PORT} for i, a in enumerate(BACKENDS)}}
    with open(path, "w") as f:
        json.dump({"pools": {"lan": {"addresses": POOL}}, "services": services}, f)
    return path


def _through_fnatd(lab, name, n_services):
    path = Path(lab, name)
    daemon = Daemon(lab, path.lb, _document(lab, n_services))
    placements = daemon.connection.get("/v1/services/measured/placements")["placements"]
    if not placements[0]["program"].startswith("rr4-"):
        raise LabError("the measured service has no lane: %r" % placements)
    return path


def _by_hand(lab, name, text, target=VIP):
    path = Path(lab, name, target)
    if text:
        lab.nft_load(text, ns=path.lb)
    return path


def _offloaded(lab):
    """fnat, one service, and the flowtable; None where the kernel has none."""
    path = _through_fnatd(lab, "o", 1)
    return path if lab.nft_load(FLOWTABLE, ns=path.lb, check=False).returncode == 0 else None


def _without(lab, name, omit):
    path = Path(lab, name)
    raw_batch(lab, path.lb, _document(lab, 1), omit=omit)
    return path


def contenders(lab, n_services, is_deep):
    """{name: Path}. Deep: what each part of fnat's program costs."""
    paths = {
        "plain forwarding": _by_hand(lab, "p", None, BACKENDS[0]),
        "conntracked forwarding": _by_hand(lab, "c", CONNTRACK, BACKENDS[0]),
        "hand-written dnat + snat": _by_hand(lab, "h", hand_written()),
        "fnat, 1 service": _through_fnatd(lab, "f", 1),
        "fnat, %s services" % count(n_services): _through_fnatd(lab, "g", n_services),
    }
    if is_deep:
        every = ("guard", "only-syn", "second-try", "inet6")
        paths["hand-written, with fnat's guard"] = _by_hand(lab, "hg", hand_written(guard=True))
        paths[UNCOUNTED] = _by_hand(lab, "hm", mapped(counts=False))
        paths[COUNTED] = _by_hand(lab, "hc", mapped(counts=True))
        for i, rule in enumerate(every):
            paths["fnat without " + rule] = _without(lab, "w%d" % i, [rule])
        paths["fnat without any of these"] = _without(lab, "wa", every)
    return paths


def _report(report, group, result, paths, ratios, unit):
    rates = {name: [1e9 / ns for ns in result[name]] for name in paths}
    for name in paths:
        report.rounds(group, name, rates[name], unit)
        report.rounds(group, name + ", time of a packet", result[name], "ns")
    for above, below, limit in ratios:
        report.ratio(group, "%s / %s" % (above, below), rates[above], rates[below], limit and (">=", limit))


def measure(paths, rounds, once):
    """{name: [ns, ...]}. Of three tries in a row the best counts: what disturbs only ever adds."""
    turns = {name: (lambda p=path: min(once(p) for _ in range(TRIES))) for name, path in paths.items()}
    harness.interleaved(1, turns)
    result = harness.interleaved(rounds, turns)
    for path in paths.values():
        path.check()
    return result


def new_flows(path):
    path.flush()
    return path.send(NEW_FLOWS)


def _established(path):
    return path.send(ESTABLISHED_FLOWS, PACKETS // ESTABLISHED_FLOWS)


def run(report, lab, n_services, rounds, is_deep=False):
    paths = contenders(lab, n_services, is_deep)
    plain, tracked, hand, one, many = list(paths)[:5]
    parts = [(name, hand, None) for name in list(paths)[5:]]
    if is_deep:
        parts.append((COUNTED, UNCOUNTED, None))
    _report(report, "New UDP flows, one core", measure(paths, rounds, new_flows), paths,
            [(one, hand, NEW_LIMIT), (many, hand, NEW_LIMIT), (many, one, FLAT_LIMIT), (one, tracked, None),
             (many, tracked, None), (hand, tracked, None), (one, plain, None)] + parts, "flows/s")
    group, fast, offloaded = ("Packets of %d established UDP flows, one core" % ESTABLISHED_FLOWS,
                              "fnat, 1 service, in a flowtable", _offloaded(lab))
    if offloaded:
        paths[fast] = offloaded
        parts += [(fast, one, None), (fast, tracked, None)]
    else:
        report.skip(group, fast, "the kernel has no flowtables")
    for path in paths.values():
        path.establish(ESTABLISHED_FLOWS)
    _report(report, group, measure(paths, rounds, _established), paths,
            [(one, hand, None), (many, one, FLAT_LIMIT), (one, tracked, ESTABLISHED_LIMIT), (one, plain, None)] + parts,
            "packets/s")
