# SPDX-License-Identifier: GPL-2.0-or-later
"""What is counted is what went through: statistics against what the backends and the kernel saw."""

import itertools
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

import burst
from conftest import config, listener, service
from daemon import is_sanitized
from lab import VIP, VIP2, VIP6, find_program, wait_for

SUMS = ("conns", "inpkts", "outpkts", "inbytes", "outbytes")


def read(sock, n):
    while n > 0:
        part = sock.recv(n)
        assert part
        n -= len(part)


def stats(daemon, query=""):
    return daemon.api.must("GET", "/v1/stats" + query).json


def of(daemon, name="web"):
    return stats(daemon, "?service=" + name)["services"][name]


def add(objects):
    """The sums of some objects with numbers."""
    return {k: sum(o[k] for o in objects) for k in SUMS}


def check_parts(service_numbers):
    """A service has what its listeners have, and what its backends have."""
    whole = {k: service_numbers[k] for k in SUMS}
    assert add(service_numbers["listeners"]) == whole
    assert add(service_numbers["backends"].values()) == whole


class Counter:
    """Bytes and packets between the balancer and the backends, as the backends' kernel has them."""

    def __init__(self, lab):
        self.lab = lab
        for b in lab.backends:
            lab.nft_load("""
                table inet count {
                    counter in { }
                    counter out { }
                    chain in { type filter hook prerouting priority -400;
                               meta l4proto { tcp, udp } iifname eth0 counter name in; }
                    chain out { type filter hook postrouting priority 400;
                                meta l4proto { tcp, udp } oifname eth0 counter name out; }
                }""", ns=b)

    def read(self, b):
        listing = json.loads(self.lab.nft("-j", "list", "counters", "table", "inet", "count", ns=b))
        found = {c["counter"]["name"]: c["counter"] for c in listing["nftables"] if "counter" in c}
        return {"inpkts": found["in"]["packets"], "inbytes": found["in"]["bytes"],
                "outpkts": found["out"]["packets"], "outbytes": found["out"]["bytes"]}

    def close(self):
        for b in self.lab.backends:
            self.lab.nft("delete", "table", "inet", "count", ns=b, check=False)


@pytest.fixture
def counter(lab):
    c = Counter(lab)
    yield c
    c.close()


def everything(lab):
    """TCP and UDP over both families."""
    return config(lab,
                  web=service(lab, [listener(), listener(VIP6)], families=(4, 6)),
                  echo=service(lab, [listener(VIP2, 9000)], port=9000),
                  dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")], port=53,
                              families=(4, 6)))


def backend_sums(numbers, b):
    """Of a backend host, over services and families."""
    parts = [n for s in numbers["services"].values() for name, n in s["backends"].items()
             if name in (b, b + "-6")]
    return {k: sum(p[k] for p in parts) for k in SUMS if k != "conns"}


def talk(lab, n):
    for i in range(n):
        for vip in (VIP, VIP6):
            lab.ask("client", vip)
            lab.udp_ask("client", vip, 53, payload=b"x" * (10 + i))


def equal(lab, daemon, counter):
    """Do the numbers equal what each backend's kernel counted?"""
    numbers = stats(daemon)
    wrong = {b: (backend_sums(numbers, b), counter.read(b)) for b in lab.backends
             if backend_sums(numbers, b) != counter.read(b)}
    if wrong:
        print(wrong)  # beside what pytest says of a test that fails
    return numbers if not wrong else False


def end_all(lab, daemon, counter):
    """Closed first: what a backend sends of a connection that conntrack forgot would be counted there alone."""
    wait_for(lambda: all(s["activeconns"] == 0 for n, s in stats(daemon)["services"].items() if n != "dns") and
             equal(lab, daemon, counter), 10, "closed connections")
    lab.conntrack_flush()


def test_exact_while_they_live_and_after(lab, start, counter):
    daemon = start(everything(lab))
    with lab.connect("client", VIP2, 9000) as s:
        s.recv(100)
        talk(lab, 5)
        s.sendall(b"y" * 100000)
        read(s, 100000)
        numbers = wait_for(lambda: equal(lab, daemon, counter), 10, "equal numbers while they live")
        assert numbers["services"]["echo"]["activeconns"] == 1
        assert numbers["services"]["web"]["conns"] == 10
    end_all(lab, daemon, counter)
    numbers = wait_for(lambda: equal(lab, daemon, counter), 10, "equal numbers after they ended")
    for s in numbers["services"].values():
        check_parts(s)
        assert s["activeconns"] == s["inactconns"] == 0
    assert numbers["services"]["web"]["conns"] == 10
    assert numbers["services"]["dns"]["conns"] == 10
    assert numbers["services"]["echo"]["conns"] == 1
    addresses = numbers["pools"]["lan"]["addresses"]
    assert set(addresses) <= set(lab.pool_addrs() + lab.pool_addrs(6))
    assert add(addresses.values()) == add(numbers["services"].values())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_exact_over_a_restart(lab, start, counter, how):
    """Connections that ended before, that live through it, and that begin after it. Killed, the
    daemon may forget what ended since it saved."""
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_events": 1})
    args = {"config": everything(lab), "name": "restarted-%d-%d" % (how, time.monotonic_ns())}
    daemon = start(**args)
    talk(lab, 3)
    end_all(lab, daemon, counter)
    wait_for(lambda: of(daemon)["inactconns"] == 0, 10, "their end")
    if how == signal.SIGKILL:
        daemon.stop()
        daemon = start(**args)
    with lab.connect("client", VIP2, 9000) as s, lab.connect("client", VIP2, 9000) as short:
        s.recv(100), short.recv(100)
        s.sendall(b"y" * 50000)
        read(s, 50000)
        before = stats(daemon)
        daemon.stop(how)
        s.sendall(b"z" * 50000)  # nobody counts
        read(s, 50000)
        daemon = start(**args)
        numbers = wait_for(lambda: equal(lab, daemon, counter), 10, "equal numbers while they live")
        assert numbers["since_ms"] == before["since_ms"]
        assert numbers["unobserved_ms"] > 0
        talk(lab, 2)
    end_all(lab, daemon, counter)
    numbers = wait_for(lambda: equal(lab, daemon, counter), 10, "equal numbers after they ended")
    assert [numbers["services"][s]["conns"] for s in ("web", "dns", "echo")] == [10, 10, 2]
    for s in numbers["services"].values():
        check_parts(s)


def test_what_ended_unseen_is_not_forgotten(lab, start):
    """What was counted of a connection stays when it ends while no daemon runs; no more is invented."""
    daemon = start(everything(lab), name="unseen")
    with lab.connect("client", VIP2, 9000) as s:
        s.recv(100)
        before = add(stats(daemon)["services"].values())
        daemon.stop()
        s.sendall(b"z" * 50000)
    lab.conntrack_flush()
    daemon = start(everything(lab), name="unseen")
    assert add(stats(daemon)["services"].values()) == before
    talk(lab, 1)
    after = add(stats(daemon)["services"].values())
    assert after["conns"] == before["conns"] + 4


def test_a_damaged_file_of_counters(lab, start):
    daemon = start(everything(lab), name="damaged")
    talk(lab, 1)
    assert of(daemon)["conns"] == 2
    daemon.stop()
    with open(lab.path("damaged.state/counters"), "a", encoding="utf-8") as f:
        f.truncate(100)
    daemon = start(everything(lab), name="damaged")
    daemon.wait_log(r"counters start at zero: .*/counters: line \d+")
    assert of(daemon)["conns"] == 2  # those that live


def test_how_connections_fail(lab, start):
    daemon = start(config(lab, none=service(lab, [listener(port=81)], port=81, names=["b1"]),
                          silent=service(lab, [listener(VIP, 54, "udp")], port=54, names=["b1"])))
    with lab.socket("b1", kind=socket.SOCK_DGRAM) as silent:
        silent.bind(("0.0.0.0", 54))
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                lab.connect("client", VIP, 81)
        with pytest.raises(socket.timeout):
            lab.udp_ask("client", VIP, 54, timeout=0.2)
    assert of(daemon, "silent")["inactconns"] == 1
    lab.conntrack_flush()
    silent = wait_for(lambda: of(daemon, "silent")["failed"] and of(daemon, "silent"), 10, "the end")
    assert (silent["failed"], silent["refused"], silent["activeconns"], silent["inactconns"]) == (1, 0, 0, 0)
    none = of(daemon, "none")
    assert (none["conns"], none["refused"], none["failed"]) == (3, 3, 0)
    assert none["backends"]["b1"]["refused"] == none["listeners"][0]["refused"] == 3


def test_zero(lab, start):
    daemon = start(everything(lab))
    talk(lab, 2)
    assert of(daemon)["conns"] == 4
    assert daemon.ctl("stats", "zero", "web").returncode == 0
    web = of(daemon)
    assert add([web]) == dict.fromkeys(SUMS, 0)
    check_parts(web)
    assert of(daemon, "dns")["conns"] == 4
    assert "fnat_service_connections_total{service=\"web\"} 4\n" in daemon.api.get("/metrics").text
    talk(lab, 1)
    assert of(daemon)["conns"] == 2
    daemon.api.must("DELETE", "/v1/stats")
    numbers = stats(daemon)
    assert all(s["conns"] == 0 for s in numbers["services"].values())
    assert all(a["conns"] == 0 for a in numbers["pools"]["lan"]["addresses"].values())


def test_a_removed_backend_counts_for_its_service(lab, start):
    daemon = start(config(lab, echo=service(lab, [listener(VIP2, 9000)], port=9000)))
    with lab.connect("client", VIP2, 9000) as s:
        name = s.recv(100).decode().split()[0]
        before = of(daemon, "echo")
        daemon.api.must("DELETE", "/v1/services/echo/backends/" + name)
        s.sendall(b"y" * 5000)
        read(s, 5000)
    lab.conntrack_flush()
    after = wait_for(lambda: of(daemon, "echo")["inactconns"] == 0 and of(daemon, "echo"), 10, "the end")
    assert after["conns"] == 1
    assert after["inbytes"] >= before["inbytes"] + 5000
    assert name not in after["backends"]


def test_filters(lab, start):
    daemon = start(everything(lab))
    talk(lab, 1)
    some = stats(daemon, "?service=web&backend=b1")
    assert list(some["services"]) == ["web"] and list(some["services"]["web"]["backends"]) == ["b1"]
    assert some["pools"] == {}
    some = stats(daemon, "?pool=lan")
    assert some["services"] == {} and some["pools"]["lan"]["addresses"]
    for query, status in (("service=no", 404), ("service=web&backend=no", 404), ("pool=no", 404),
                          ("backend=b1", 400), ("what=1", 400)):
        assert daemon.api.get("/v1/stats?" + query).status == status, query


def test_foreign_connections_cost_nothing(lab, start):
    """Connections without both translations do not reach fnatd; those of other services do not count."""
    daemon = start(everything(lab))
    lab.nft_load("""
        table inet other {
            chain pre { type nat hook prerouting priority -50; udp dport 7000 dnat ip to 10.1.0.11:53; }
            chain post { type nat hook postrouting priority 50; udp dport 5300 masquerade; }
        }""")
    with lab.socket("client", kind=socket.SOCK_DGRAM) as s:
        for port in range(100):
            s.sendto(b"?", ("198.51.100.1", 7000 if port % 2 else 7001))
    lab.conntrack_flush()
    assert metric(daemon, "fnat_events_total") == 0
    talk(lab, 1)
    lab.conntrack_flush()
    wait_for(lambda: metric(daemon, "fnat_events_total") == 4, 10, "events")


@pytest.fixture
def echoing(lab):
    """Servers for udpflood, one a backend."""
    servers = [burst.echo_server(lab, b) for b in lab.backends]
    yield servers
    for p in servers:
        p.kill()


@pytest.fixture
def flooded(lab, start, echoing):
    """fn(*options): fnatd with a service for udpflood, which has its servers."""
    return lambda *options: start(config(lab, flood=service(lab, [listener(VIP, burst.PORT, "udp")], port=None)), *options)


def metric(daemon, name):
    """As of now: all that was told has been read."""
    stats(daemon)
    return float(re.search("^%s (.*)$" % name, daemon.api.get("/metrics").text, re.M).group(1))


def test_loss_is_shown_and_repaired(lab, flooded):
    """A buffer for 800 events and 5000 that come: the others are lost, which is shown; totals do not
    fall, and what begins after is counted."""
    daemon = flooded("--event-buffer", "1")
    lab.run("client", burst.flood_argv(0, 5000), timeout=120)
    before = of(daemon, "flood")
    assert before["conns"] == before["inpkts"] == before["outpkts"] == 5000
    daemon.proc.send_signal(signal.SIGSTOP)
    try:
        lab.conntrack_flush()
    finally:
        daemon.proc.send_signal(signal.SIGCONT)
    lost = wait_for(lambda: metric(daemon, "fnat_events_lost_total"), 10, "events lost")
    assert metric(daemon, "fnat_events_total") + lost == 5000 and lost > 3000
    daemon.wait_log(r"conntrack events were lost: .*--event-buffer")
    after = wait_for(lambda: not of(daemon, "flood")["activeconns"] and of(daemon, "flood"), 10, "a listing")
    assert {k: after[k] for k in SUMS} == {k: before[k] for k in SUMS}
    check_parts(after)
    lab.run("client", burst.flood_argv(5000, 500), timeout=120)
    again = of(daemon, "flood")
    assert again["conns"] == 5500 and again["activeconns"] == 500


def listing_cpu_s(daemon):
    """CPU seconds of the thread that lists."""
    tasks = "/proc/%d/task/" % daemon.pid
    for task in os.listdir(tasks):
        with open(tasks + task + "/comm", encoding="ascii") as comm, open(tasks + task + "/schedstat", encoding="ascii") as f:
            if comm.read() == "census\n":
                return int(f.read().split()[0]) / 1e9
    raise AssertionError("no such thread")


@contextmanager
def asking_for_numbers(daemon):
    """All the time: on a slow machine a listing is fresh for a while, and the next one begins only after it."""
    is_over = threading.Event()

    def ask():
        while not is_over.is_set():
            of(daemon, "flood")
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        is_over.set()
        asking.join()


def test_loss_while_a_listing_goes_on(lab, flooded):
    """Ends of connections that the listing has just had are lost: the next listing shows it, and the totals stay exact."""
    n = 60000
    daemon = flooded("--event-buffer", "1", "--stats-interval", "0")
    for i in range(3):
        lab.run("client", burst.flood_argv(i * n, n), timeout=120)
        assert of(daemon, "flood")["conns"] == (i + 1) * n
        with asking_for_numbers(daemon):
            before = listing_cpu_s(daemon)
            wait_for(lambda b=before: listing_cpu_s(daemon) > b + 0.01, 20, "a listing", 0.001)
            daemon.proc.send_signal(signal.SIGSTOP)
            try:
                lab.conntrack_flush()
                if i == 0:
                    time.sleep(2.5)  # a listing that takes so long is not made anew for ten times as long, but after a loss
            finally:
                daemon.proc.send_signal(signal.SIGCONT)
        wait_for(lambda: not of(daemon, "flood")["activeconns"], 20, "a listing of nothing")
    assert metric(daemon, "fnat_events_lost_total") > 0
    assert of(daemon, "flood")["conns"] == 3 * n


def test_reliable_delivery_loses_nothing(lab, flooded):
    """The same, but the kernel has to keep what does not fit: nothing is lost, and nothing is said to be."""
    daemon = flooded("--event-buffer", "1", "--event-reliable")
    lab.run("client", burst.flood_argv(0, 5000), timeout=120)
    daemon.proc.send_signal(signal.SIGSTOP)
    try:
        lab.conntrack_flush()
    finally:
        daemon.proc.send_signal(signal.SIGCONT)
    wait_for(lambda: metric(daemon, "fnat_events_total") == 5000, 30, "all events")
    assert metric(daemon, "fnat_event_overruns_total") > 0
    assert metric(daemon, "fnat_events_lost_total") == 0
    numbers = of(daemon, "flood")
    assert numbers["conns"] == numbers["inpkts"] == numbers["outpkts"] == 5000
    check_parts(numbers)


NETLINK_NETFILTER, SOL_NETLINK = 12, 270
NETLINK_ADD_MEMBERSHIP, NETLINK_BROADCAST_ERROR = 1, 4
NFNLGRP_CONNTRACK_DESTROY = 3


def test_what_is_told_again_counts_once(lab, flooded):
    """Somebody else's listener wants reliable delivery and does not read: the kernel tries again and
    again, and tells fnatd each time."""
    daemon = flooded()
    lab.run("client", burst.flood_argv(0, 3000), timeout=120)
    with lab.socket("lb", socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as other:
        other.setsockopt(SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        other.bind((0, 0))
        other.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_CONNTRACK_DESTROY)
        lab.conntrack_flush()
        wait_for(lambda: metric(daemon, "fnat_events_duplicate_total") >= 100, 10, "events that come again")
    wait_for(lambda: int(lab.run("lb", "cat /proc/sys/net/netfilter/nf_conntrack_count").stdout) == 0, 10,
             "what waited is gone")
    numbers = of(daemon, "flood")
    assert numbers["conns"] == numbers["inpkts"] == numbers["outpkts"] == 3000
    check_parts(numbers)
    assert metric(daemon, "fnat_events_total") > 3000


FLOWS = 200000


@pytest.mark.slow
def test_a_burst_while_the_daemon_is_stopped(lab, flooded):
    """Nothing is lost."""
    daemon = flooded()
    proc = lab.popen("client", burst.flood_argv(0, FLOWS), stdout=subprocess.PIPE)
    wait_for(lambda: int(lab.run("lb", "cat /proc/sys/net/netfilter/nf_conntrack_count").stdout) > FLOWS / 10, 60,
             "a part of the burst")
    daemon.proc.send_signal(signal.SIGSTOP)
    try:
        time.sleep(5)  # that is the test: it does not read for so long
        out = json.loads(proc.communicate(timeout=300)[0])
        lab.conntrack_flush()  # all of them end now, and nobody reads
    finally:
        daemon.proc.send_signal(signal.SIGCONT)
    assert out["answered"] == out["sent"] == FLOWS
    numbers = wait_for(lambda: of(daemon, "flood")["activeconns"] == 0 and of(daemon, "flood"), 60, "the end")
    assert metric(daemon, "fnat_events_lost_total") == 0
    assert [numbers[k] for k in ("conns", "inpkts", "outpkts", "failed")] == [FLOWS, FLOWS, FLOWS, 0]
    check_parts(numbers)
    assert {name[1:]: b["outpkts"] for name, b in numbers["backends"].items()} == out["by"]


@pytest.mark.slow
@pytest.mark.skipif(is_sanitized(), reason="the kernel's work beside an fnatd that is stopped: no sanitizer sees any of it")
def test_a_burst_costs_what_it_does_without_the_daemon(lab, flooded, echoing):
    """Events for one who does not read do not slow down what makes them. CPU time of who sends and answers; as many rounds
    as it takes, up to a number, until their median says so: on a busy machine a round can be off by a third. That errs
    towards passing; `make bench` has rounds of a fixed number."""
    lab.sysctl("lb", burst.SHORT_TIMEOUTS)
    ratios = []
    for without, beside in itertools.islice(burst.rounds_of(lab, echoing, flooded), 15):
        ratios.append(beside / without)
        if len(ratios) >= 3 and statistics.median(ratios) <= 1.1:
            break
    print("\nCPU time of a burst beside an fnatd that is stopped, to without: %s" % ", ".join("%.2f" % r for r in ratios))
    assert statistics.median(ratios) <= 1.1


def test_who_asks_all_the_time_shares_listings(lab, start):
    """The metrics, and limits: connections are not listed for each."""
    d = start(config(lab, web=service(lab, [listener(VIP, 80)], max_connections=100)))

    def listings():
        return int(re.search(r"^fnat_listings_total (\d+)$", d.api.must("GET", "/metrics").text, re.M)[1])
    for path in ("/metrics", "/v1/services/web/limits"):
        before = listings()
        for _ in range(100):
            d.api.must("GET", path)
        assert listings() - before <= 50


def test_overflowed_of_many_services(lab, start):
    """More counters than are taken in one round of the main loop: each finds its service."""
    ports = range(20000, 22500)
    daemon = start(config(lab, **{"s%d" % p: service(lab, [listener(VIP, p, "udp")], names=["b1"], max_connections_per_client=1)
                                  for p in ports}))
    for _ in range(2):
        with lab.socket("client", kind=socket.SOCK_DGRAM) as s:
            for p in ports:
                s.sendto(b"?", (VIP, p))
    numbers = stats(daemon)["services"]
    assert len(numbers) == len(ports) and {s["overflowed"] for s in numbers.values()} == {1}


def test_fnatctl(lab, start):
    daemon = start(everything(lab))
    talk(lab, 1)
    table = daemon.ctl("stats", "web", "-o", "table").stdout.splitlines()
    assert table[0].split() == ["SERVICE", "CONNS", "INPKTS", "OUTPKTS", "INBYTES", "OUTBYTES", "ACTIVE",
                                "INACT", "REFUSED", "TIMED-OUT", "FAILED", "PERSIST", "OVERFLOWED"]
    assert re.match(r"web +2 ", table[1]) and len(table) == 2 + 6
    rates = daemon.ctl("stats", "-o", "table", "--rate").stdout.splitlines()
    assert rates[0].split()[1:6] == ["CPS", "INPPS", "OUTPPS", "INBPS", "OUTBPS"]
    assert json.loads(daemon.ctl("stats").stdout)["services"]["web"]["conns"] == 2
    r = daemon.ctl("stats", "we")
    assert (r.returncode, r.stderr) == (1, "fnatctl: service \"we\": no such service\n")
    assert daemon.ctl("stats", "--watch", "0").returncode == 2
    proc = lab.popen("lb", [find_program("fnatctl"), "--socket", daemon.socket, "stats", "--watch", "1"], stdout=subprocess.PIPE)
    assert [json.loads(proc.stdout.readline())["services"]["web"]["conns"] for _ in range(2)] == [2, 2]
    proc.kill()


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_promtool(lab, start):
    daemon = start(everything(lab))
    talk(lab, 1)
    stats(daemon)  # the metrics may be a little older than that
    text = daemon.api.get("/metrics").text
    assert "fnat_backend_connections_total{service=\"web\",backend=\"b1\"}" in text
    r = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert (r.returncode, r.stdout) == (0, "")
