# SPDX-License-Identifier: GPL-2.0-or-later
""""count_begun": the kernel counts connections, also those that nobody tells fnatd of."""

import re
import signal
import socket

import pytest

import burst
from conftest import config, listener, service
from lab import VIP, VIP2, VIP6, wait_for


def of(daemon, name="web"):
    return daemon.api.must("GET", "/v1/stats?service=" + name).json["services"][name]


def begun(daemon, name="web"):
    """Of the service and of its backends."""
    s = of(daemon, name)
    return s["begun"], {b: numbers["begun"] for b, numbers in s["backends"].items() if numbers["begun"]}


def counted(lab, **kw):
    """Over both families and protocols."""
    listeners = [listener(VIP, 80), listener(VIP6, 80), listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")]
    return service(lab, listeners, families=(4, 6), count_begun=True, **kw)


def ask(lab, n):
    """n rounds: a TCP and a UDP connection over each family. How many each backend has got."""
    by = {}
    for _ in range(n):
        for vip, suffix in ((VIP, ""), (VIP6, "-6")):
            for who in (lab.ask("client", vip, 80).backend, lab.udp_ask("client", vip, 53).backend):
                by[who + suffix] = by.get(who + suffix, 0) + 1
    return by


def add(a, b):
    return {k: a.get(k, 0) + b.get(k, 0) for k in set(a) | set(b)}


@pytest.fixture
def servers(lab):
    """What answers on port 53 answers UDP there; HTTP is asked of 8080."""
    return lambda **kw: config(lab, web=dict(counted(lab, port=8080, **kw), listeners=[listener(VIP, 80), listener(VIP6, 80)]),
                               dns=dict(counted(lab, port=53), listeners=[listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")]))


def both(daemon):
    """All of the two services: their sum, and of each backend."""
    one, by = begun(daemon)
    other, more = begun(daemon, "dns")
    return one + other, add(by, more)


def test_while_no_daemon_runs(lab, again, servers):
    """After a crash there is exactly what the backends got meanwhile, and no trace of it elsewhere."""
    doc = servers()
    d = again("counts", doc).wait_ready()
    by = ask(lab, 3)
    assert both(d) == (12, by)
    assert of(d)["conns"] + of(d, "dns")["conns"] == 12
    assert d.stop() == 0
    d = again("counts", doc).wait_ready()
    assert both(d) == (12, by)
    d.kill()
    by = add(by, ask(lab, 5))
    lab.conntrack_flush()
    d = again("counts", doc).wait_ready()
    assert both(d) == (32, by)
    assert of(d)["conns"] + of(d, "dns")["conns"] == 12
    by = add(by, ask(lab, 1))
    assert both(d) == (36, by)
    assert d.stop() == 0
    by = add(by, ask(lab, 1))
    d = again("counts", doc).wait_ready()
    assert both(d) == (40, by)
    assert d.api.must("POST", "/v1/verify").json == {"operations": 0}


@pytest.fixture
def flooded(lab, start):
    """A service whose backends keep the listener's port, a buffer for 800 events, and servers."""
    servers = [burst.echo_server(lab, b) for b in lab.backends]
    yield start(config(lab, flood=service(lab, [listener(VIP, burst.PORT, "udp")], port=None, count_begun=True)),
                "--event-buffer", "1")
    for p in servers:
        p.kill()


def test_lost_events(lab, flooded):
    """Connections that came and went while the buffer was full are not among conns, and are counted here."""
    flooded.proc.send_signal(signal.SIGSTOP)
    try:
        lab.run("client", burst.flood_argv(0, 5000), timeout=120)
        lab.conntrack_flush()
    finally:
        flooded.proc.send_signal(signal.SIGCONT)
    wait_for(lambda: of(flooded, "flood")["conns"] and not of(flooded, "flood")["activeconns"], 20, "events read")
    numbers = of(flooded, "flood")
    assert flooded.api.must("GET", "/v1/stats").json["events_lost"] > 3000
    assert numbers["conns"] < 2000 and numbers["begun"] == 5000
    assert sum(b["begun"] for b in numbers["backends"].values()) == 5000
    assert "set begun4-1-addr" in lab.nft("list", "table", "inet", "fnat")


def test_only_what_leaves_for_a_backend(lab, start):
    """Not what a filter drops, what is refused, or what a limit turns away."""
    d = start(config(lab, web=service(lab, [listener(VIP, 9000)], port=9000, names=["b1"], max_connections=1,
                                      count_begun=True),
                     empty=dict(service(lab, [listener(VIP2, 80)], count_begun=True), backends={})))
    with lab.connect("client", VIP, 9000) as s:
        s.recv(100)
        for addr, port in ((VIP, 9000), (VIP2, 80)):
            with pytest.raises(ConnectionRefusedError):
                lab.connect("client", addr, port)
        lab.nft_load("table inet other { chain f { type filter hook forward priority 10; tcp dport 9000 drop; }\n}")
    assert begun(d) == (1, {"b1": 1})
    assert of(d, "empty")["begun"] == 0 and of(d)["overflowed"] == 1
    lab.conntrack_flush()
    wait_for(lambda: not of(d)["inactconns"], 5, "room")
    with pytest.raises(socket.timeout):
        lab.connect("client", VIP, 9000, timeout=2.5)  # two SYNs
    assert begun(d) == (1, {"b1": 1})


@pytest.mark.parametrize("more", [{"persistence": {"timeout_s": 60}}, {"pins": {"203.0.113.7": "b1"}}, {"scheduler": "sh"},
                                  {"max_connections": 50}, {"udp_timeout_s": 5}], ids=lambda m: list(m)[0])
def test_beside_other_options(lab, start, servers, more):
    d = start(servers(**more))
    by = ask(lab, 4)
    assert both(d) == (16, by)
    assert d.api.must("POST", "/v1/verify").json == {"operations": 0}


def test_backends_come_and_go(lab, start, servers):
    """One that is removed and added again has none of what it had, and the service has all of it, once."""
    doc = servers()
    d = start(doc)
    ask(lab, 3)
    total, by = begun(d)
    assert total == 6 and by["b1"] == 1
    was = doc["services"]["web"]["backends"]["b1"]
    d.api.must("DELETE", "/v1/services/web/backends/b1")
    lab.ask("client", VIP, 80)
    assert begun(d)[0] == 7
    d.api.must("PUT", "/v1/services/web/backends/b1", was)
    assert begun(d)[0] == 7
    got = [lab.ask("client", VIP, 80).backend for _ in range(6)]
    total, by = begun(d)
    assert total == 13 and by["b1"] in (got.count("b1"), 1 + got.count("b1"))
    d.api.must("PUT", "/v1/services/web/backends/b1/state", {"state": "draining"})
    lab.ask("client", VIP, 80)
    assert begun(d)[0] == 14


def test_on_and_off(lab, start, servers):
    """Without the option there is no number, and nothing of it in the kernel; it goes on where it was."""
    doc = servers()
    d = start(doc)
    ask(lab, 1)
    assert begun(d)[0] == 2
    assert re.search(r"begun +2? *$|BEGUN", d.ctl("stats", "web", "-o", "table").stdout)
    d.ctl("service", "set", "web", "count_begun=false")
    d.ctl("service", "set", "dns", "count_begun=false")
    assert "begun" not in of(d) and "begun" not in d.api.must("GET", "/metrics").text
    assert "BEGUN" not in d.ctl("stats", "-o", "table").stdout
    wait_for(lambda: d.api.status()["garbage"] == 0, 5, "the second step")
    listing = lab.nft("list", "table", "inet", "fnat")
    assert "begun" not in listing and "chain new-" not in listing
    ask(lab, 1)
    d.ctl("service", "set", "web", "count_begun=true")
    assert begun(d)[0] == 2
    ask(lab, 1)
    assert begun(d)[0] == 4
    table = d.ctl("stats", "-o", "table").stdout.splitlines()
    assert table[0].split()[-1] == "BEGUN"
    assert {line.split()[0]: line.split()[-1] for line in table[1:]}.items() >= {"web": "4", "dns": "-"}.items()
    text = d.api.must("GET", "/metrics").text
    assert 'fnat_service_begun_total{service="web"} 4\n' in text and 'begun_total{service="dns"' not in text
    d.api.must("DELETE", "/v1/stats?service=web")
    assert begun(d) == (0, {})


def test_a_flushed_table(lab, start, servers):
    """The kernel's counters are gone: what they had said stays, and new ones add to it."""
    d = start(servers(), "--plain-table")
    ask(lab, 2)
    assert begun(d)[0] == 4
    lab.nft("delete", "table", "inet", "fnat")
    d.api.must("POST", "/v1/verify")
    ask(lab, 1)
    assert begun(d)[0] == 6


def test_many_services(lab, start):
    """More than are taken in one round of the main loop: each finds its own."""
    ports = range(20000, 21200)
    d = start(config(lab, **{"s%d" % p: service(lab, [listener(VIP, p, "udp")], names=["b1"], count_begun=True)
                             for p in ports}))
    with lab.socket("client", kind=socket.SOCK_DGRAM) as s:
        for p in ports:
            s.sendto(b"?", (VIP, p))
    assert begun(d, "s20500") == (1, {"b1": 1})  # of the one that is asked for it is now

    def numbers():
        return [s["begun"] for s in d.api.must("GET", "/v1/stats").json["services"].values()]
    wait_for(lambda: set(numbers()) == {1}, 30, "a round")
    assert len(numbers()) == len(ports)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_nonsense(lab, start, value):
    d = start()
    reply = d.api.put("/v1/config", config(lab, web=service(lab, count_begun=value)))
    assert reply.status == 422 and reply.json["problems"][0]["pointer"] == "/services/web/count_begun", reply.json
    assert "true or false" in reply.text
