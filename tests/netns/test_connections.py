# SPDX-License-Identifier: GPL-2.0-or-later
"""/v1/connections and fnatctl connections: what conntrack has of services, of any number, to look at and to delete."""

import json
import re
import subprocess
import time

import pytest

from api_testing import problem
from conftest import config, listener, service
from ctl_testing import OK, on_terminal, refused
from daemon import is_sanitized
from lab import FLOOD_SOURCE, VIP, VIP2, VIP6, find_program
from namespaces import wait_for
from openapi import CheckedApi
from test_events import Stream

TIMESTAMP = "net/netfilter/nf_conntrack_timestamp"
MANY = 100000
MANY_PORT = 7000


def end(address, port):
    return {"address": address, "port": port}


def text_of(e):
    return ("[%s]:%d" if ":" in e["address"] else "%s:%d") % (e["address"], e["port"])


@pytest.fixture
def daemon(lab, start):
    both = {"families": (4, 6)}
    return start(config(
        lab, echo=service(lab, [listener(VIP, 80), listener(VIP6, 80)], port=9000, **both),
        dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")], port=53, **both)))


@pytest.fixture
def api(daemon):
    return CheckedApi(daemon.socket)


class Clients:
    """Open connections: three over TCP/IPv4 from different clients, one over TCP/IPv6, UDP over both."""

    def __init__(self, lab):
        self.lab = lab
        self.tcp = [lab.connect("client", VIP, 80, lab.client_addr(i)) for i in range(3)]
        self.tcp.append(lab.connect("client", VIP6, 80, lab.client_addr(1, 6)))
        for s in self.tcp:
            assert s.recv(200)
        self.udp = [lab.udp_ask("client", vip, 53, (lab.client_addr(5, f), 41000))
                    for vip, f in ((VIP, 4), (VIP6, 6))]

    def close(self):
        for s in self.tcp:
            s.close()


@pytest.fixture
def clients(lab, daemon):
    c = Clients(lab)
    yield c
    c.close()


def connections(api, query=""):
    return [json.loads(line) for line in api.must("GET", "/v1/connections" + query).text.splitlines()]


def seen_by_conntrack(lab):
    """(protocol, client, virtual, backend, local) of each translated entry, from `conntrack -L`."""
    found = set()
    for line in lab.conntrack():
        protocol = line.split()[0]
        f = re.findall(r"src=(\S+) dst=(\S+) sport=(\d+) dport=(\d+)", line)
        (c, v, cp, vp), (b, loc, bp, lp) = f
        if c != loc and v != b:
            found.add((protocol, c, int(cp), v, int(vp), b, int(bp), loc, int(lp)))
    return found


def as_tuple(c):
    ends = [c[k] for k in ("client", "virtual", "backend", "local")]
    return (c["protocol"],) + tuple(x for e in ends for x in (e["address"], e["port"]))


# -- what is listed


def test_it_is_what_conntrack_has(lab, api, clients):
    found = connections(api)
    assert {as_tuple(c) for c in found} == seen_by_conntrack(lab)
    assert len(found) == 6
    for c in found:
        assert c["service"] == ("echo" if c["protocol"] == "tcp" else "dns")
        assert c["state"] == ("established" if c["protocol"] == "tcp" else "replied")
        n = int(c["backend"]["address"].rsplit(":" if ":" in c["backend"]["address"] else ".")[-1]) - 10
        assert c["backend"]["name"] == "b%d%s" % (n, "-6" if ":" in c["backend"]["address"] else "")
        assert c["inpkts"] > 0 and c["outbytes"] > c["outpkts"] > 0


def test_without_accounting(lab, start):
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_acct": 0})
    try:
        d = start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
        lab.udp_ask("client", VIP, 53)
        (c,) = connections(CheckedApi(d.socket))
        assert c["inpkts"] is c["outpkts"] is c["inbytes"] is c["outbytes"] is None
    finally:
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_acct": 1})


@pytest.mark.parametrize("query,n", [
    ("service=echo", 4), ("service=dns", 2), ("protocol=tcp", 4), ("protocol=udp", 2), ("protocol=sctp", 0),
    ("client=198.51.100.2", 1), ("client=198.51.100.2-198.51.100.3", 2), ("client=198.51.100.0/24", 4),
    ("client=2001:db8:c::/64", 2), ("client=2001:db8:c::3", 1), ("client=203.0.113.0/24", 0),
    ("virtual=" + VIP, 4), ("virtual=%s:53" % VIP, 1), ("virtual=" + VIP6, 2), ("virtual=[%s]:80" % VIP6, 1),
    ("virtual=%s&protocol=udp" % VIP6, 1), ("virtual=%s:53&client=198.51.100.7" % VIP, 1),
    ("virtual=%s&client=2001:db8:c::3" % VIP, 0), ("virtual=%s:53&protocol=tcp" % VIP, 0),
    ("state=established", 4), ("state=replied,established", 6), ("state=unreplied", 0), ("state=time_wait", 0),
    ("service=echo&client=198.51.100.2&state=established&protocol=tcp&virtual=%s:80" % VIP, 1),
])
def test_conditions(api, clients, query, n):
    assert len(connections(api, "?" + query)) == n
    assert api.must("GET", "/v1/connections?count=1&" + query).json == {"connections": n}


def test_conditions_on_the_backends_side(api, clients):
    """Each of the connections is found by its backend's name and address, and by its local address."""
    found = connections(api)
    for c in found:
        for query in ("backend=" + c["backend"]["name"], "backend=" + c["backend"]["address"],
                      "backend=" + text_of(c["backend"]), "local=" + c["local"]["address"],
                      "local=" + text_of(c["local"])):
            some = connections(api, "?" + query)
            assert c in some
            assert len(some) == len([o for o in found if query in (
                "backend=" + o["backend"]["name"], "backend=" + o["backend"]["address"],
                "backend=" + text_of(o["backend"]), "local=" + o["local"]["address"],
                "local=" + text_of(o["local"]))])


def test_max(api, clients):
    assert [len(connections(api, "?max=%d" % n)) for n in (1, 4, 6, 7)] == [1, 4, 6, 6]
    assert api.must("GET", "/v1/connections?max=2&count=1").json == {"connections": 2}


def test_states_of_tcp(lab, api, clients):
    clients.tcp[0].close()
    wait_for(lambda: len(connections(api, "?state=time_wait,fin_wait,close_wait,last_ack")) == 1, 5, "a closing one")
    assert len(connections(api, "?state=established")) == 3


def test_unreplied(lab, start):
    d = start(config(lab, void=service(lab, [listener(VIP, 1234, "udp")], port=1234)))
    lab.nft_load("""table inet silent { chain c { type filter hook forward priority 0
        udp sport 1234 drop
        icmp type destination-unreachable drop
    }
    }""")
    with lab.socket("client", kind=2) as s:
        s.sendto(b"?", (VIP, 1234))
        (c,) = wait_for(lambda: connections(d.api), 5, "the connection")
    assert c["state"] == "unreplied" and c["outpkts"] == 0
    assert len(connections(d.api, "?state=unreplied")) == 1 and not connections(d.api, "?state=replied")


def test_others_are_not_listed_and_not_deleted(lab, api, clients):
    """Untranslated connections, and those that somebody else translates in the same way."""
    lab.nft_load("""table ip other {
        chain pre { type nat hook prerouting priority -101; ip daddr %s udp dport 5300 dnat to 10.1.0.11; }
        chain post { type nat hook postrouting priority 99; ct original ip daddr %s snat to 10.1.0.1; }
    }""" % (VIP2, VIP2))
    assert lab.udp_ask("client", VIP2, 5300).backend == "b1"
    with lab.connect("lb", "10.1.0.11", 9000) as s:
        assert s.recv(100)
        assert len(connections(api)) == 6
        assert api.must("DELETE", "/v1/connections?all=1").json == {"deleted": 6}
        s.sendall(b"still")
        assert s.recv(100) == b"still"
    assert len([line for line in lab.conntrack("-d", VIP2)]) == 1


def test_backend_that_was_removed(api, clients):
    was = connections(api, "?service=echo&backend=b1")
    assert len(was) == 1
    api.must("DELETE", "/v1/services/echo/backends/b1")
    problem(api.get("/v1/connections?service=echo&backend=b1"), 404, message='backend "b1": no such backend')
    (now,) = connections(api, "?backend=" + text_of(was[0]["backend"]))
    assert now == dict(was[0], backend=dict(was[0]["backend"], name=None))
    assert api.must("DELETE", "/v1/connections?service=echo&backend=10.1.0.11").json == {"deleted": 1}


def test_service_that_was_removed(api, clients):
    api.must("DELETE", "/v1/services/echo")
    assert {c["service"] for c in connections(api)} == {"dns"}
    problem(api.get("/v1/connections?service=echo"), 404)


def test_age(lab, api, clients):
    refusal = problem(api.get("/v1/connections?min_age_s=0"), 409)
    assert "sysctl -w net.netfilter.nf_conntrack_timestamp=1" in refusal.json["detail"]
    assert {c["age_s"] for c in connections(api)} == {None}
    lab.sysctl("lb", {TIMESTAMP: 1})
    try:
        lab.udp_ask("client", VIP, 53, (lab.client_addr(9), 41009))
        began = time.monotonic()
        (c,) = connections(api, "?max_age_s=20")
        assert c["client"]["address"] == lab.client_addr(9) and c["age_s"] in (0, 1)
        assert connections(api, "?min_age_s=60") == []
        (old,) = wait_for(lambda: connections(api, "?min_age_s=2"), 10, "one of two seconds")
        assert 2 <= old["age_s"] <= time.monotonic() - began + 1
    finally:
        lab.sysctl("lb", {TIMESTAMP: 0})


@pytest.mark.parametrize("query,message", [
    ("service=nobody", 'service "nobody": no such service'),
    ("service=", "expected a service's name"), ("backend=", "expected a backend's name"),
    ("protocol=icmp", "expected tcp, udp or sctp"), ("client=1.2.3", "expected an address"),
    ("client=198.51.100.7/24", "without host bits"), ("virtual=10.0.0.1:0", "expected ADDRESS or ADDRESS:PORT"),
    ("virtual=2001:db8::1:99999", "expected ADDRESS"), ("local=x", "expected ADDRESS"),
    ("state=", "expected states"), ("state=established,", "expected states"), ("state=ESTABLISHED", "expected states"),
    ("min_age_s=-1", "whole number of seconds"), ("max_age_s=1.5", "whole number of seconds"),
    ("max=0", "expected a whole number"), ("count=yes", "expected 1 or 0"), ("clinet=1.2.3.4", "not known here"),
])
def test_mistakes(api, query, message):
    problem(api.get("/v1/connections?" + query), 404 if query == "service=nobody" else 400, message=message)


def test_head(api, clients):
    r = api.request("HEAD", "/v1/connections")
    assert (r.status, r.body) == (200, b"")
    assert len(connections(api)) == 6


# -- deleting


def test_delete(lab, api, clients):
    problem(api.delete("/v1/connections"), 400, message="which connections")
    problem(api.delete("/v1/connections?all=0"), 400, message="which connections")
    problem(api.delete("/v1/connections?all=1&service=dns"), 400, message="no condition")
    assert len(connections(api)) == 6
    assert api.must("DELETE", "/v1/connections?client=198.51.100.2").json == {"deleted": 1}
    assert len(connections(api)) == 5
    for s in clients.tcp[1:]:
        s.sendall(b"still there")
        assert s.recv(100) == b"still there"
    assert api.must("DELETE", "/v1/connections?service=dns").json == {"deleted": 2}
    assert api.must("DELETE", "/v1/connections?service=dns").json == {"deleted": 0}
    assert api.must("DELETE", "/v1/connections?all=1").json == {"deleted": 3}
    assert seen_by_conntrack(lab) == set()


def test_who_deleted_is_in_the_log(daemon, clients):
    daemon.api.must("DELETE", "/v1/connections?service=dns")
    daemon.wait_log(r"uid 0 pid \d+: DELETE /v1/connections\?service=dns -> 2 connections deleted")


# -- many, and clients that are slow


def flood(lab, first, n):
    """n connections over UDP."""
    out = json.loads(lab.run("client", [
        find_program("udpflood"), "flood", "eth0", "%s:%d" % (VIP, MANY_PORT), FLOOD_SOURCE, "60", str(first), str(n),
        "500"], timeout=120).stdout)
    assert out["answered"] == n, out


@pytest.fixture
def many(lab, start):
    """A daemon with a service for many connections over UDP."""
    servers = [lab.popen(b, [find_program("udpflood"), "echo", "1", str(MANY_PORT)], stdout=subprocess.PIPE)
               for b in lab.backends]
    for p in servers:
        assert p.stdout.readline() == b"ready\n"
    d = start(config(lab, many=service(lab, [listener(VIP, MANY_PORT, "udp")], port=None)))
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_udp_timeout": 600})
    try:
        yield d
    finally:
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_udp_timeout": 30})
        for p in servers:
            p.kill()


def peak_mb(daemon, reset=False):
    """The most memory the daemon ever had, or has had since the last reset."""
    if reset:
        with open("/proc/%d/clear_refs" % daemon.pid, "w") as f:
            f.write("5")
    with open("/proc/%d/status" % daemon.pid) as f:
        return int(re.search(r"VmHWM:\s*(\d+)", f.read()).group(1)) / 1024


def list_all(daemon, n):
    """They are n, each once. How many MB the daemon's peak grew by it."""
    before = peak_mb(daemon, reset=True)
    seen = {tuple(sorted(c["client"].items())) for c in connections(daemon.api)}
    assert len(seen) == n
    assert daemon.api.must("GET", "/v1/connections?count=1").json == {"connections": n}
    return peak_mb(daemon) - before


@pytest.mark.slow
def test_many_are_listed_in_little_memory(lab, many):
    """Nothing of the answer stays in the daemon: with four times as many it grows by no more."""
    flood(lab, 0, MANY // 4)
    connections(many.api, "?max=1000")
    quarter = list_all(many, MANY // 4)
    flood(lab, MANY // 4, MANY - MANY // 4)
    grown = list_all(many, MANY)
    print("grown by %.1f MB with %d, by %.1f MB with %d" % (quarter, MANY // 4, grown, MANY))
    assert grown < (20 if not is_sanitized() else 200)
    assert grown < quarter + 2 or is_sanitized()  # whose allocator keeps what is freed
    r = many.ctl("connections", "--top", "clients", "--max", "2", timeout=60)
    assert [row["connections"] for row in json.loads(r.stdout)] == [10000, 10000], r
    assert many.api.must("DELETE", "/v1/connections?service=many").json == {"deleted": MANY}
    assert many.api.must("GET", "/v1/connections?count=1").json == {"connections": 0}


@pytest.mark.slow
def test_clients_that_do_not_read(lab, many):
    """They hold nothing up but themselves: the daemon answers others at once, also about connections."""
    flood(lab, 0, MANY)
    before = peak_mb(many, reset=True)
    streams = [Stream(many.socket, "/v1/connections", receive_bytes=4096) for _ in range(7)]
    for s in streams:
        assert s.status == 200 and json.loads(s.line())["service"] == "many"
    longest = 0
    for _ in range(50):
        began = time.monotonic()
        many.api.must("GET", "/v1/status")
        longest = max(longest, time.monotonic() - began)
    assert longest < 1
    assert many.api.must("GET", "/v1/connections?count=1").json == {"connections": MANY}
    streams.append(Stream(many.socket, "/v1/connections", receive_bytes=4096))
    streams[-1].line()
    problem(many.api.get("/v1/connections"), 503, message="8 clients")
    assert peak_mb(many) - before < (20 if not is_sanitized() else 200)
    # One goes on where it stopped.
    rest = 0
    while streams[0].line() is not None:
        rest += 1
    assert rest == MANY - 1
    for s in streams:
        s.close()
    wait_for(lambda: many.api.get("/v1/connections?max=1").status == 200, 5, "an end of the others")
    streams = [Stream(many.socket, "/v1/connections", receive_bytes=4096) for _ in range(3)]
    began = time.monotonic()
    assert many.stop() == 0
    assert time.monotonic() - began < 5
    for s in streams:
        s.close()


# -- fnatctl


def test_ctl_lines(daemon, clients):
    r = daemon.ctl("connections")
    assert (r.returncode, r.stderr) == (OK, "")
    assert sorted(r.stdout.splitlines()) == sorted(daemon.api.get("/v1/connections").text.splitlines())
    assert len(daemon.ctl("connections", "service=echo", "client=198.51.100.0/24").stdout.splitlines()) == 3
    assert len(daemon.ctl("connections", "backend=echo/b1").stdout.splitlines()) == 1
    assert len(daemon.ctl("connections", "--max", "2").stdout.splitlines()) == 2
    assert json.loads(daemon.ctl("connections", "--count", "service=dns").stdout) == {"connections": 2}


def test_ctl_table(daemon, clients):
    status, text = on_terminal(daemon, "connections", "protocol=tcp", "virtual=" + VIP)
    assert status == OK
    head, *rows = text.splitlines()
    assert head.split() == ["PROTOCOL", "STATE", "AGE", "CLIENT", "VIRTUAL", "SERVICE", "BACKEND", "LOCAL", "SERVER",
                            "IN", "OUT"]
    assert len(rows) == 3
    for row in rows:
        assert re.match(r"tcp +established +\? +198\.51\.100\.\d:\d+ +192\.0\.2\.10:80 +echo +b\d +10\.1\.0\.\d+:\d+ "
                        r"+10\.1\.0\.1\d:9000 +\d+ +\d+$", row), row
    assert on_terminal(daemon, "connections", "--count") == (OK, "6\n")
    assert on_terminal(daemon, "connections", "client=203.0.113.1") == (OK, "")


def test_ctl_top(daemon, lab, clients):
    for port in (42000, 42001):
        lab.udp_ask("client", VIP, 53, (lab.client_addr(0), port))
    top = json.loads(daemon.ctl("connections", "--top", "clients").stdout)
    assert top[0]["client"] == lab.client_addr(0) and top[0]["connections"] == 3
    assert len(top) == 6 and all(t["connections"] == 1 and t["inbytes"] > 0 for t in top[1:])
    assert len(json.loads(daemon.ctl("connections", "--top", "clients", "--max", "2").stdout)) == 2
    services = json.loads(daemon.ctl("connections", "--top", "services").stdout)
    assert [(s["service"], s["connections"]) for s in services] == [("dns", 4), ("echo", 4)]
    backends = json.loads(daemon.ctl("connections", "service=echo", "--top", "backends").stdout)
    assert sum(b["connections"] for b in backends) == 4 and all(b["backend"].startswith("echo/b") for b in backends)
    status, text = on_terminal(daemon, "connections", "--top=services", "--max=1")
    assert status == OK and re.match(r"services +connections +in +out\ndns +4 +\d+ +\d+\n$", text)


def test_ctl_delete(daemon, clients):
    assert json.loads(daemon.ctl("connections", "delete", "backend=echo/b1").stdout) == {"deleted": 1}
    assert on_terminal(daemon, "connections", "delete", "--all") == (OK, "5\n")
    assert "which connections" in refused(daemon, "connections", "delete", status=2)[0]
    assert "no condition" in refused(daemon, "connections", "delete", "--all", "service=dns", status=2)[0]


@pytest.mark.parametrize("words,status,message", [
    (["clinet=1.2.3.4"], 2, 'did you mean "client"'), (["web"], 2, '"web" is not KEY=VALUE'),
    (["state=open"], 2, "expected states with commas"), (["colour=red"], 2, '"colour" is not a condition'),
    (["service=nope"], 1, "no such service"), (["--top", "ports"], 2, "clients, backends or services"),
    (["--top", "clients", "--count"], 2, "exclude each other"), (["min_age_s=1"], 1, "nf_conntrack_timestamp"),
    (["backend=echo/nope"], 1, "no such backend"),
])
def test_ctl_mistakes(daemon, words, status, message):
    assert message in "\n".join(refused(daemon, "connections", *words, status=status))


def test_ctl_completion(daemon):
    def offered(*words):
        return [line.split("\t")[0] for line in daemon.ctl("_complete", "--", *words).stdout.splitlines()]
    assert {"delete", "service=", "client=", "state="} <= set(offered("connections", ""))
    assert offered("connections", "service=e") == ["service=echo"]
    assert offered("connections", "--top", "c") == ["clients"]
    assert offered("origin", "u") == ["udp"]
