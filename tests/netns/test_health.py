# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends are asked, get no new connections while they are down, and get them again."""

import datetime
import json
import shutil
import statistics
import subprocess
import time

import pytest

from api_testing import CheckedApi
from conftest import config, listener, service, web
from health_testing import blackholed, check, events_of, frozen, has_slots, refuse, timed_out, wait_state, wait_who_answers, \
    who_answers
from lab import VIP, find_program
from namespaces import wait_for
from probe_servers import Script

ALL = {"b1", "b2", "b3"}


def test_down_and_up(lab, start):
    d = start(web(lab, check=check("tcp")))
    for b in ALL:
        wait_state(d, b, "up", "connected")
    allow = refuse(lab, "b2")
    try:
        wait_state(d, "b2", "going_down", "Connection refused")
        wait_state(d, "b2", "down", "Connection refused")
        wait_who_answers(lab, ALL - {"b2"})
    finally:
        allow()
    d.wait_log("web/b2 going_up -> up", 20)
    wait_who_answers(lab, ALL)
    assert d.api.status()["generation"] == 1  # no change of the configuration


def test_down_while_the_table_is_flushed(lab, start):
    """What became known meanwhile is in the table that comes back."""
    d = start(web(lab, check=check("tcp")))
    for b in ALL:
        wait_state(d, b, "up")
    d.api.must("POST", "/v1/flush")
    allow = refuse(lab, "b2")
    try:
        wait_state(d, "b2", "down", "Connection refused")
        d.api.must("POST", "/v1/verify")
        wait_who_answers(lab, ALL - {"b2"})
    finally:
        allow()


def test_blackhole_is_a_timeout(lab, start):
    d = start(web(lab, check=check("tcp")))
    wait_state(d, "b1", "up")
    with blackholed(lab, "b1"):
        wait_state(d, "b1", "down", timed_out("connecting"))
        wait_who_answers(lab, ALL - {"b1"})
    d.wait_log("web/b1 going_up -> up", 20)


def test_frozen_process_still_accepts(lab, start):
    """What tcp cannot see, the manual says so."""
    d = start(web(lab, check=check("tcp")))
    wait_state(d, "b1", "up")
    with frozen(lab.web["b1"].proc):
        time.sleep(1)
    assert "web/b1 up ->" not in d.log()


def test_first_result_decides(lab, start):
    allow = refuse(lab, "b3")
    try:
        d = start(web(lab, check=dict(check("tcp"), fall=100)))
        wait_state(d, "b3", "down", "refused")
        assert "web/b3 unknown -> down" in d.log()
    finally:
        allow()


def test_initially_down(lab, start):
    """No connection before the first success, neither at the start nor for a backend that is added."""
    lab.nft_load("table inet slow { chain in { type filter hook input priority 0; tcp dport 8080 drop; }; }",
                 ns="b1")
    try:
        d = start(web(lab, names=["b1"], check=check("tcp", initial="down", timeout_ms=60000)))
        with pytest.raises(ConnectionRefusedError):
            lab.ask("client", VIP)
    finally:
        lab.nft("delete", "table", "inet", "slow", ns="b1")
    wait_state(d, "b1", "up")
    wait_who_answers(lab, {"b1"})
    d.api.must("PUT", "/v1/services/web/backends/b2", {"address": lab.backend_addr("b2"), "port": 8080})
    wait_state(d, "b2", "up")
    wait_who_answers(lab, {"b1", "b2"})


def test_override(lab, start):
    """Another port, another address, a source address."""
    d = start(config(lab, web=service(lab, check=check("tcp", port=9999)),
                     two=service(lab, listeners=[{"address": VIP, "protocol": "tcp", "port": 81}],
                                 check=check("tcp", address=lab.backend_addr("b1"), port=80,
                                             source="10.1.0.1"))))
    for b in ALL:
        wait_state(d, b, "down", "refused")
        d.wait_log("two/%s unknown -> up" % b)


def test_none_and_no_check(lab, start):
    d = start(web(lab, names=["b1"], port=9999, check=check("tcp")))
    wait_state(d, "b1", "down")
    d.api.must("PATCH", "/v1/services/web", {"check": {"type": "none"}})
    wait_state(d, "b1", "disabled")
    d.api.must("PATCH", "/v1/services/web", {"check": {"type": "tcp"}})
    d.wait_log("disabled -> down")
    d.api.must("PATCH", "/v1/services/web", {"check": None})
    lab.nft("list", "table", "inet", "fnat")
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"port": 8080})
    assert who_answers(lab) == {"b1"}


def test_kept_over_a_change(lab, start):
    """A change of something else neither asks anew nor forgets; another address does."""
    d = start(web(lab, names=["b1", "b2"], check=dict(check("tcp"), interval_ms=3600000)))
    for b in ("b1", "b2"):
        wait_state(d, b, "up")
    allow = refuse(lab, "b1")
    try:
        d.api.must("PATCH", "/v1/services/web", {"on_unavailable": "drop"})
        d.api.must("PATCH", "/v1/services/web/backends/b2", {"weight": 0})
        wait_state(d, "b2", "draining")
        d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 2})
        time.sleep(0.5)
        assert "web/b1 up" not in d.log()
        d.api.must("PATCH", "/v1/services/web/backends/b1", {"address": lab.backend_addr("b3"), "port": 9999})
        d.wait_log("web/b1 unknown -> down")
    finally:
        allow()


def test_api(lab, start):
    """GET /v1/health and of one service: states, results with reasons, history; 404 for what is not there."""
    d = start(config(lab, web=service(lab, check=check("tcp")),
                     plain=service(lab, listeners=[{"address": VIP, "protocol": "tcp", "port": 81}])))
    api = CheckedApi(d.socket)
    wait_state(d, "b1", "up")
    allow = refuse(lab, "b1")
    try:
        wait_state(d, "b1", "down")
        everything = api.must("GET", "/v1/health").json
        assert set(everything) == {"web"} and set(everything["web"]["backends"]) == ALL
        b = api.must("GET", "/v1/services/web/health").json["backends"]["b1"]
        assert b["state"] == "down" and b["down"] and b["failed"] >= 2 and b["ok"] >= 1
        assert b["history"].startswith("+") and b["history"].endswith("--") and "next_in_ms" in b
        assert b["results"][0]["result"] == "failed" and "refused" in b["results"][0]["reason"]
        assert (b["address"], b["port"]) == (lab.backend_addr("b1"), 8080)
        events = [e for e in events_of(d) if e["type"] == "backend_state" and e["backend"] == "b1"]
        assert [e["state"] for e in events] == ["up", "going_down", "down"]
        assert events[-1]["down"] and "refused" in events[-1]["reason"]
    finally:
        allow()
    assert api.must("GET", "/v1/services/plain/health").json == {"check": "none", "backends": {}}
    assert api.get("/v1/services/nosuch/health").status == 404


def test_fnatctl(lab, start):
    d = start(web(lab, check=check("tcp", port=9999)))
    wait_state(d, "b1", "down")
    r = d.ctl("-o", "table", "health")
    assert r.returncode == 0, r
    out = r.stdout
    assert out.splitlines()[0].split()[:3] == ["SERVICE", "BACKEND", "STATE"]
    assert any(line.split()[:3] == ["web", "b1", "down"] and "refused" in line for line in out.splitlines())
    rows = [line.split()[:3] for line in d.ctl("-o", "table", "health", "web").stdout.splitlines()]
    assert ["web", "b1", "down"] in rows and len(rows) == 1 + len(ALL)
    one = d.ctl("-o", "table", "health", "web/b1").stdout
    assert "down, since" in one and "Connection refused" in one and "failed" in one
    assert set(json.loads(d.ctl("health", "web").stdout)["backends"]) == ALL
    assert json.loads(d.ctl("health", "web/b1").stdout)["state"] == "down"
    for args, text in ((("web/zz",), "no such backend"), (("nosuch",), "no such service")):
        r = d.ctl("health", *args)
        assert r.returncode == 1 and text in r.stderr
    follow = lab.popen("lb", [find_program("fnatctl"), "--socket", d.socket, "-o", "table", "events", "--since", "0"],
                       stdout=subprocess.PIPE, text=True)
    wait_for(lambda: "web/b1 unknown -> down: connect: Connection refused" in follow.stdout.readline(), 10)
    follow.kill()


def logged(d, subsystem, pattern):
    """When the daemon (--log-json) logged it, in ms."""
    lines = [json.loads(line) for line in d.log().splitlines() if line.startswith("{")]
    return [1e3 * datetime.datetime.strptime(e["time"], "%Y-%m-%dT%H:%M:%S.%fZ").timestamp()
            for e in lines if e["subsystem"] == subsystem and pattern in e["message"]]


def test_out_of_the_slots_within_5_ms(lab, start):
    """From the deciding result to the kernel's answer; the best of several, for the machine is shared."""
    d = start(web(lab, names=["b1", "b2"], check=check("tcp", rise=1, fall=1)), "--log-json", "--log-level", "debug")

    wait_for(lambda: logged(d, "health", "web/b1 unknown -> up"), 10)
    for i in range(1, 8):
        allow = refuse(lab, "b1")
        wait_for(lambda: len(logged(d, "engine", "in the kernel")) == 2 * i - 1, 10)
        allow()
        wait_for(lambda: len(logged(d, "engine", "in the kernel")) == 2 * i, 10)
    decided, committed = logged(d, "health", "web/b1 up -> down"), logged(d, "engine", "in the kernel")[::2]
    took = [b - a for a, b in zip(decided, committed)]
    print("ms from the result to the kernel: median %.2f of %s" % (statistics.median(took), took))
    assert min(took) <= 5


def test_what_clings_to_it_goes_at_once(lab, start):
    """What is remembered of clients, and UDP flows, from the deciding result on: the first within 5 ms, as few as these
    are; the others after a walk over conntrack's table, which takes 12 ms here. The best of several."""
    d = start(config(lab, web=service(lab, [listener(VIP, 53, "udp")], port=None, names=["b1", "b2"], persistence={},
                                      check=check("tcp", port=8080, rise=1, fall=1))), "--log-json")
    wait_for(lambda: len(logged(d, "health", "unknown -> up")) == 2, 10)
    ends = {"persistence": ("engine", "forgot"), "udp": ("ct", "connections of backends that are gone deleted")}
    for i in range(1, 6):
        served = {lab.udp_ask("client", VIP, 53, source=lab.client_addr(4 * i + k)).backend for k in range(4)}
        assert served == {"b1", "b2"}
        allow = refuse(lab, "b1")
        wait_for(lambda: all(len(logged(d, *end)) == i for end in ends.values()), 10, "all is gone")
        allow()
        wait_for(lambda: len(logged(d, "health", "web/b1 ")) == 2 * i + 1, 10, "it is up again")
        wait_for(lambda: has_slots(lab, "web/b1"), 10, "it serves again")
    decided = logged(d, "health", "web/b1 up -> down")
    took = {what: [b - a for a, b in zip(decided, logged(d, *end))] for what, end in ends.items()}
    print("ms from the result: %s" % {what: sorted(ms) for what, ms in took.items()})
    assert min(took["persistence"]) <= 5 and min(took["udp"]) <= 30


def test_many_at_once_are_few_batches(lab, start):
    """300 backends that go down within one interval: not a batch for each."""
    many = {"x%d" % i: {"address": "10.1.0.11", "port": 20000 + i} for i in range(300)}
    doc = web(lab, check=check("tcp", port=8080, interval_ms=200, fall=1))
    doc["services"]["web"]["backends"] = many
    d = start(doc)
    api = d.api
    wait_for(lambda: all(b["state"] == "up" for b in api.get("/v1/services/web/health").json["backends"].values()),
             20, "all up")
    before = api.status()["batches"]
    allow = refuse(lab, "b1")
    try:
        wait_for(lambda: all(b["down"] for b in api.get("/v1/services/web/health").json["backends"].values()),
                 20, "all down")
        batches = api.status()["batches"] - before
    finally:
        allow()
    print("batches for 300 backends:", batches)
    assert batches < 300


def test_flapping_is_damped(lab, start):
    """Down three times: it stays down for inhibit_s though the checks succeed, and comes back then."""
    d = start(web(lab, names=["b1"], check=check("tcp", rise=1, fall=1, flap_count=3, inhibit_s=4)))
    wait_state(d, "b1", "up")
    for i in range(1, 4):
        allow = refuse(lab, "b1")
        try:
            wait_for(lambda n=i: d.log().count("web/b1 up -> down") == n, 20)
        finally:
            allow()
        if i < 3:
            wait_for(lambda n=i: d.log().count("web/b1 down -> up") == n, 20)
    d.wait_log("web/b1 went down 3 times within 60 s: it stays down for 4 s")
    b = wait_for(lambda: (lambda h: h if h["history"].endswith("+++") else None)(
        d.api.get("/v1/services/web/health").json["backends"]["b1"]), 20)
    assert b["state"] == "down" and b["inhibited_ms"] > 0
    d.wait_log(r"web/b1 down -> up \(tried again", 20)


def metrics(daemon):
    """{"name{labels}": value} of what /metrics says of health, and the text."""
    text = daemon.api.get("/metrics").text
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
            if line.startswith(("fnat_health", "fnat_backend"))}, text


def test_metrics(lab, start):
    """States, results and durations, of each backend and in all; promtool has nothing against it."""
    allow = refuse(lab, "b2")
    try:
        d = start(web(lab, check=check("tcp", observe="connections")))
        for b, state in (("b1", "up"), ("b2", "down"), ("b3", "up")):
            wait_state(d, b, state)
        m, text = metrics(d)
        assert m['fnat_backend_health{service="web",backend="b1",state="up"}'] == 1
        assert m['fnat_backend_health{service="web",backend="b2",state="down"}'] == 1
        assert len([k for k in m if k.startswith("fnat_backend_health{")]) == 3
        assert m['fnat_backend_down{service="web",backend="b1"}'] == 0
        assert m['fnat_backend_down{service="web",backend="b2"}'] == 1
        assert m['fnat_health_backends{state="up"}'] == 2 and m['fnat_health_backends{state="down"}'] == 1
        assert m['fnat_backend_checks_total{service="web",backend="b2",result="failed"}'] >= 1
        assert m['fnat_backend_checks_total{service="web",backend="b2",result="ok"}'] == 0
        for result in ("ok", "failed", "undone"):
            assert m['fnat_health_checks_total{result="%s"}' % result] == sum(
                m['fnat_backend_checks_total{service="web",backend="%s",result="%s"}' % (b, result)] for b in sorted(ALL))
        assert m["fnat_health_check_seconds_count"] == m['fnat_health_checks_total{result="ok"}'] + \
            m['fnat_health_checks_total{result="failed"}']
        assert 0 < m['fnat_backend_check_seconds{service="web",backend="b1"}'] < 1
        assert not [k for k in m if k.startswith("fnat_backend_reply")]
        wait_for(lambda: not has_slots(lab, "web/b2"), 5, "b2 to be out of the slots")
        who_answers(lab, 4)
        wait_for(lambda: metrics(d)[0].get('fnat_backend_reply_seconds_count{service="web",backend="b1"}') == 2, 5)
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)
    finally:
        allow()


def test_tcp_connections_are_reset(lab, start):
    """Each check is a connection of its own, from a port of its own, that ends with a reset: nothing is left."""
    ends = []

    def act(conn, _):
        try:
            ends.append(conn.recv(100))
        except ConnectionResetError:
            ends.append("reset")

    with Script(lab, "b1", 9100, act) as server:
        d = start(web(lab, names=["b1"], port=9100, check=check("tcp", timeout_ms=5000)))
        wait_for(lambda: len(ends) >= 10, 20, "ten checks")
        assert set(ends) == {"reset"}
        assert len({port for _, port in server.peers}) > 1
        assert not lab.run("lb", ["ss", "-Htan", "state", "time-wait", "dport", "=", ":9100"]).stdout
        assert d.api.get("/v1/services/web/health").json["backends"]["b1"]["failed"] == 0


@pytest.mark.parametrize("act", [lambda c, _: c.sendall(b"220 hello\r\n"), lambda c, _: None], ids=["speaks", "closes"])
def test_tcp_server_that_does_more(lab, start, act):
    """One that says something at once, or has enough of the connection: it was accepted."""
    with Script(lab, "b1", 9100, act):
        d = start(web(lab, names=["b1"], port=9100, check=check("tcp", timeout_ms=5000)))
        b = wait_for(lambda: (lambda h: h if h["ok"] >= 10 else None)(
            d.api.get("/v1/services/web/health").json["backends"]["b1"]), 20)
        assert b["failed"] == 0 and b["state"] == "up"


def newest(daemon):
    return daemon.api.get("/v1/services/web/health").json["backends"]["b1"]["results"][0]


@pytest.mark.parametrize("options", [{"type_": "tcp"}, {"type_": "udp", "port": 53, "payload": "?"}], ids=["tcp", "udp"])
def test_source_that_goes(lab, start, options):
    """Without its source address the balancer cannot ask; that says nothing of the backend, which stays up."""
    address = ["10.1.0.77/32", "dev", "lo"]
    lab.run("lb", ["ip", "addr", "add"] + address)
    try:
        d = start(web(lab, names=["b1"], check=check(source="10.1.0.77", fall=1, **options)))
        wait_state(d, "b1", "up")
        lab.run("lb", ["ip", "addr", "del"] + address)
        wait_for(lambda: newest(d)["result"] == "undone" and "source address" in newest(d)["reason"], 10)
        lab.run("lb", ["ip", "addr", "add"] + address)
        wait_for(lambda: newest(d)["result"] == "ok", 10)
        assert "web/b1 up ->" not in d.log()
    finally:
        lab.run("lb", ["ip", "addr", "del"] + address, check=False)
