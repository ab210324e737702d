# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks that talk with a server: agents, SMTP, gRPC."""

import os
import socket
import subprocess

import pytest

from api_testing import CheckedApi
from conftest import web
from health_testing import blackholed, check, events_of, frozen, patient, refuse, wait_state, wait_who_answers, who_answers
from lab import VIP
from namespaces import wait_for
from probe_servers import Authority, Script, Web, silent

AGENT, SMTP, GRPC = 9777, 2525, 5051


def accepts(lab, short, port):
    """Is there somebody who accepts connections?"""
    try:
        lab.connect(short, "127.0.0.1", port, timeout=1).close()
        return True
    except OSError:
        return False


def listens(lab, short, port, args):
    """The program as a server of a backend."""
    proc = lab.popen(short, args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: accepts(lab, short, port), 10, "a server on port %d" % port)
    return proc


def end(proc):
    proc.kill()
    proc.wait()


def of(daemon, backend="b1"):
    return daemon.api.get("/v1/services/web/health").json["backends"][backend]


def found(what, state, reason):
    """An act against one backend; it comes into the state for this reason."""
    return pytest.param(what, state, reason, id=reason.replace(" ", "-")[:40])


def tells(*parts, more=b""):
    """An act of a server that speaks first: says a part, reads a line, ...; then `more` without an end."""
    def act(conn, script):
        for part in parts:
            conn.sendall(part)
            script.got += conn.recv(4096)
        while more and script.is_open:
            conn.sendall(more)
    return act


def says_and_goes(text):
    def act(conn, script):
        conn.sendall(text)
        conn.shutdown(socket.SHUT_WR)
        while conn.recv(1024):  # closed with something unread it would be a reset
            pass
    return act


# -- agent

@pytest.fixture
def agent(lab):
    """socat as an agent in b1; say(text) is what it says."""
    path = lab.path("agent")

    def say(text):
        with open(path, "w", encoding="ascii") as f:
            f.write(text)
    say("up\n")
    say.proc = listens(lab, "b1", AGENT, ["socat", "TCP-LISTEN:%d,reuseaddr,fork" % AGENT, "OPEN:%s,rdonly" % path])
    yield say
    end(say.proc)


def agent_check(**options):
    return dict(check("agent", port=AGENT), **options)


def test_agent(lab, start, agent):
    """Its words decide at once, and what it does not say stays."""
    doc = web(lab, names=["b1", "b2"], check=agent_check(rise=9, fall=9))
    for name in ("b1", "b2"):
        doc["services"]["web"]["backends"][name]["weight"] = 10
    with Script(lab, "b2", AGENT, says_and_goes(b"up")):
        d = start(doc)
        wait_state(d, "b1", "up", "the agent says: up")
        wait_state(d, "b2", "up", "the agent says: up")
        agent("45%\n")
        d.wait_log("web/b1 weight 4 .the agent says: 45%")
        agent("drain\n")
        wait_state(d, "b1", "draining", "drain")
        assert of(d)["weight"] == 0 and not of(d)["down"]
        agent("ready,1%\n")
        wait_state(d, "b1", "up", "ready,1%")
        assert of(d)["weight"] == 1
        agent("maint\n")
        wait_state(d, "b1", "disabled", "maint")
        wait_who_answers(lab, {"b2"})
        agent("READY 100% DOWN # disk is full\r\nmore")
        wait_state(d, "b1", "down", "the agent says: READY 100% DOWN # disk is full")
        agent("200%\n")
        wait_for(lambda: of(d)["weight"] == 20, 10)
        assert of(d)["state"] == "down"
        agent("up maxconn:7 load:3\n")
        wait_state(d, "b1", "up", "up maxconn:7 load:3")
        wait_for(lambda: of(d).get("warning") == 'the agent says "load:3", which is unknown', 10)
        wait_who_answers(lab, {"b1", "b2"})


def test_agent_that_is_gone(lab, start, agent):
    """It drains on, and is down when it cannot be reached; the result is that of a check that failed."""
    d = start(web(lab, names=["b1", "b2"], check=agent_check()))
    wait_state(d, "b1", "up")
    agent("drain\n")
    wait_state(d, "b1", "draining")
    with frozen(agent.proc):
        wait_state(d, "b1", "down", "timeout, waiting for the answer")
        assert of(d)["weight"] == 0
    wait_for(lambda: of(d)["state"] == "draining", 20)
    agent("ready\n")
    d.wait_log("web/b1 draining -> up")
    with blackholed(lab, "b1"):
        wait_state(d, "b1", "down", "timeout, connecting")
    d.wait_log("web/b1 going_up -> up")
    end(agent.proc)
    d.wait_log("going_down -> down .connect: Connection refused")


@pytest.mark.parametrize("act, state, reason", [
    found(tells(b""), "down", "the agent says nothing"),
    found(tells(b"\r\nup"), "down", "the agent says nothing"),
    found(says_and_goes(b"HTTP/1.1 400 Bad\r\n"), "down", "nothing that an agent says: HTTP/1.1 400 Bad"),
    found(says_and_goes(b"\x1b[31m\xff 5%\n"), "up", "the agent says: .\\[31m. 5%"),
    found(tells(b"", more=b"up " * 400), "down", "a line of more than 1024 bytes"),
    found(tells(b"up 10%", b""), "down", "timeout, waiting for the answer"),
])
def test_agent_answers(lab, start, act, state, reason):
    with Script(lab, "b1", AGENT, act) as s:
        d = start(web(lab, names=["b1"], check=patient(agent_check(send="who?\n"), reason)))
        wait_state(d, "b1", state, reason)
        assert s.got in (b"", b"who?\n" * s.got.count(b"who?"))


# -- an agent beside a check

BESIDE = {"port": AGENT, "interval_ms": 50, "timeout_ms": 300}


@pytest.fixture
def beside(lab, start, agent):
    """A daemon whose b1 has a check that succeeds, and an agent that says up; b2 has an agent that refuses."""
    d = start(web(lab, names=["b1", "b2"], weights=[10, 10], scheduler="wrr", check=check("tcp"), agent=BESIDE))
    for b in ("b1", "b2"):
        wait_state(d, b, "up", "connected")
    wait_for(lambda: of(d)["agent"]["ok"] > 0 and of(d, "b2")["agent"]["failed"] > 2, 10)
    return d


def test_agent_beside_a_check(lab, beside, agent):
    """It lowers the weight, drains, takes out of use, and what it says is told; one that refuses changes nothing."""
    d = beside
    wait_who_answers(lab, {"b1", "b2"})
    agent("30%\n")
    d.wait_log("web/b1 weight 3 .the agent says: 30%")
    wait_for(lambda: [lab.ask("client", VIP).backend for _ in range(13)].count("b1") == 3, 10)
    agent("drain\n")
    wait_state(d, "b1", "draining", "the agent says: drain")
    wait_who_answers(lab, {"b2"})
    assert not of(d)["down"] and of(d)["weight"] == 0 and of(d)["agent"]["order"] == "drain"
    agent("maint\n")
    wait_state(d, "b1", "disabled", "the agent says: maint")
    agent("ready 100%\n")
    wait_state(d, "b1", "up", "the agent says: ready 100%")
    wait_who_answers(lab, {"b1", "b2"})
    events = [e for e in events_of(d) if e["type"] == "backend_state" and e["backend"] == "b1"]
    assert [(e["state"], e["down"]) for e in events[1:]] == [("draining", False), ("disabled", True), ("up", False)]
    assert of(d, "b2")["state"] == "up" and of(d, "b2")["agent"]["ok"] == 0 and not of(d, "b2")["agent"]["down"]


@pytest.mark.parametrize("word", ["down", "fail", "stopped"])
def test_agent_says_down(lab, beside, agent, word):
    """Down until it says up, whatever the check finds, and however long the agent is away; nor does its up make a backend
    well that the check finds down."""
    d = beside
    agent(word + "\n")
    wait_state(d, "b1", "down", "the agent says: " + word)
    wait_who_answers(lab, {"b2"})
    agent("100%\n")
    wait_for(lambda: of(d)["agent"].get("weight_percent") == 100, 10)
    with frozen(agent.proc):
        wait_for(lambda: "timeout" in of(d)["agent"]["results"][0]["reason"], 10)
        assert of(d)["state"] == "down" and of(d)["agent"]["down"]
        assert of(d)["results"][0]["result"] == "ok" and of(d)["history"].endswith("++++")
    allow = refuse(lab, "b1")
    try:
        wait_for(lambda: of(d)["history"].endswith("--"), 10)
        agent("up\n")
        wait_for(lambda: not of(d)["agent"]["down"], 10)
        assert of(d)["state"] == "down" and of(d)["down"]
    finally:
        allow()
    d.wait_log("web/b1 going_up -> up .connected")
    wait_who_answers(lab, {"b1", "b2"})


def test_agent_that_goes_changes_nothing(lab, beside, agent):
    d = beside
    agent("50%\n")
    d.wait_log("web/b1 weight 5")
    end(agent.proc)
    wait_for(lambda: of(d)["agent"]["history"].endswith("---"), 10)
    assert of(d)["state"] == "up" and of(d)["weight"] == 5 and of(d)["agent"]["weight_percent"] == 50
    assert of(d)["failed"] == 0 and who_answers(lab) == {"b1", "b2"}


def test_agent_over_changes(lab, beside, agent):
    """What it said holds over changes of the service, of the check and of itself; neither is asked anew for the other.
    Without it, the check alone says."""
    d = beside
    agent("drain 40%\n")
    wait_state(d, "b1", "draining")
    asked = of(d)["agent"]["ok"]
    for change in ({"on_unavailable": "drop"}, {"check": {"fall": 7}}):
        d.api.must("PATCH", "/v1/services/web", change)
        assert of(d)["state"] == "draining" and of(d)["agent"]["ok"] >= asked
    n = of(d)["ok"]
    end(agent.proc)
    d.api.must("PATCH", "/v1/services/web", {"agent": {"interval_ms": 100}})
    assert of(d)["ok"] >= n
    failed = of(d)["agent"]["failed"]
    wait_for(lambda: of(d)["agent"]["failed"] > failed + 2, 10)
    assert of(d)["state"] == "draining" and of(d)["agent"]["weight_percent"] == 40
    d.api.must("PATCH", "/v1/services/web", {"agent": None})
    wait_state(d, "b1", "up", "configured")
    assert "agent" not in of(d) and of(d)["ok"] >= n
    wait_who_answers(lab, {"b1", "b2"})


def test_agent_over_a_restart(lab, start, beside, agent):
    """Down by its word: no connection before it is asked again, though the check succeeds."""
    d = beside
    agent("down\n")
    wait_state(d, "b1", "down")
    d.stop()
    with frozen(agent.proc):
        d = start(None, name=d.name)
        d.api.must("PATCH", "/v1/services/web", {"agent": {"timeout_ms": 60000}})
        wait_for(lambda: of(d)["ok"] > 2, 10)
        assert of(d)["down"] and who_answers(lab) == {"b2"}
    wait_for(lambda: of(d)["agent"]["down"], 10)
    assert of(d)["state"] == "down" and "web/b1 down ->" not in d.log()
    agent("up\n")
    wait_state(d, "b1", "up", "the agent says: up")


def test_agent_alone(lab, start, agent):
    """Beside a check of type none it decides; and never fails."""
    d = start(web(lab, names=["b1", "b2"], check={"type": "none"}, agent=BESIDE))
    wait_state(d, "b1", "up", "the agent says: up")
    assert of(d, "b2")["state"] == "unknown"
    agent("down\n")
    wait_state(d, "b1", "down")
    agent("up\n")
    d.wait_log("web/b1 down -> up")
    end(agent.proc)
    wait_for(lambda: of(d)["agent"]["history"].endswith("---"), 10)
    assert of(d)["state"] == "up" and who_answers(lab) == {"b1", "b2"}


def test_agent_is_shown(lab, beside, agent):
    """By fnatctl, /metrics, and the API as openapi.yaml describes it."""
    d = beside
    agent("down 25% #disk\n")
    wait_state(d, "b1", "down")
    table = d.ctl("-o", "table", "health").stdout
    assert any(line.split()[1:3] == ["b1", "down"] and "connected; agent: down, 25 %" in line for line in table.splitlines())
    one = d.ctl("-o", "table", "health", "web/b1").stdout
    assert "down, 25 %; last: the agent says: down 25% #disk" in one
    CheckedApi(d.socket).must("GET", "/v1/services/web/health")
    text = d.api.get("/metrics").text
    assert 'fnat_backend_agent_down{service="web",backend="b1"} 1\n' in text
    assert 'fnat_backend_agent_down{service="web",backend="b2"} 0\n' in text
    assert 'fnat_backend_agent_checks_total{service="web",backend="b2",result="ok"} 0\n' in text
    assert d.ctl("service", "set", "web", "agent.send=who?").returncode == 0
    assert d.api.must("GET", "/v1/services/web").json["agent"] == dict(BESIDE, send="who?", jitter_percent=5)


# -- smtp

@pytest.fixture
def smtp(lab):
    proc = listens(lab, "b1", SMTP, ["/usr/bin/python3", "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink", "-l",
                                     "0.0.0.0:%d" % SMTP])
    yield proc
    end(proc)


def smtp_check(**options):
    return dict(check("smtp", port=SMTP), **options)


def test_smtp(lab, start, smtp):
    d = start(web(lab, names=["b1", "b2"], check=smtp_check()))
    wait_state(d, "b1", "up", "greeted with: 220 ")
    wait_state(d, "b2", "down", "connect: Connection refused")
    with frozen(smtp):
        wait_state(d, "b1", "down", "timeout, waiting for the greeting")
    d.wait_log("web/b1 going_up -> up")
    with blackholed(lab, "b1"):
        d.wait_log("web/b1 .*-> down .timeout, connecting")
    wait_for(lambda: of(d)["state"] == "up", 20)
    end(smtp)
    d.wait_log("web/b1 .*-> down .connect: Connection refused")


@pytest.mark.parametrize("act, state, reason", [
    found(tells(b"220 mx\r\n", b"250-mx\r\n250 HELP\r\n", b"221 bye\r\n"), "up", "greeted with: 220 mx"),
    found(tells(b"220 mx\r\n", b"502 what\r\n", b"250 mx\r\n", b"221 bye\r\n"), "up", "greeted with: 220 mx"),
    found(tells(b"554 closed for today\r\n"), "down", "greeted with: 554 closed for today"),
    found(tells(b"220 mx\r\n", b"421 too busy\r\n"), "down", "EHLO was answered: 421 too busy"),
    found(tells(b"220 mx\r\n", b"502 what\r\n", b"502 what\r\n"), "down", "HELO was answered: 502 what"),
    found(tells(b"SSH-2.0-x\r\n"), "down", "greeted with: SSH-2.0-x"),
    found(says_and_goes(b"220 mx\r\n250 mx"), "down", "closed by the server, waiting for the reply to EHLO"),
    found(says_and_goes(b""), "down", "closed by the server, waiting for the greeting"),
    found(tells(b"220 mx"), "down", "timeout, waiting for the greeting"),
    found(tells(b"220 mx\r\n", b"250-mx\r\n"), "down", "timeout, waiting for the reply to EHLO"),
    found(tells(b"220 mx\r\n", more=b"250-mx\r\n" * 100), "down", "EHLO was answered: 250-mx"),
    found(tells(b"220 mx\r\n", more=b"x" * 1000), "down", "a line of more than 1024 bytes"),
])
def test_smtp_answers(lab, start, act, state, reason):
    with Script(lab, "b1", SMTP, act) as s:
        d = start(web(lab, names=["b1"], check=patient(smtp_check(hostname="probe.example"), reason)))
        wait_state(d, "b1", state, reason)
        assert not s.got or s.got.startswith(b"EHLO probe.example\r\n")


# -- grpc

class Health:
    """Debian's gRPC in b1; server.say(state, service) is what it says."""

    def __init__(self, lab, port, *files):
        self.dir = lab.path("grpc-%d" % port)
        os.makedirs(self.dir, exist_ok=True)
        self.say(1)
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc_server.py")
        self.proc = listens(lab, "b1", port, ["/usr/bin/python3", program, str(port), self.dir, *files])

    def say(self, state, service=""):
        with open(os.path.join(self.dir, service + ".new"), "w", encoding="ascii") as f:
            f.write(str(state))
        os.rename(f.name, os.path.join(self.dir, service + ".state"))


@pytest.fixture
def grpc(lab):
    server = Health(lab, GRPC)
    yield server
    end(server.proc)


def test_grpc(lab, start, grpc):
    d = start(web(lab, names=["b1", "b2"], check=check("grpc", port=GRPC)))
    wait_state(d, "b1", "up", "SERVING")
    wait_state(d, "b2", "down", "connect: Connection refused")
    grpc.say(2)
    wait_state(d, "b1", "down", "NOT_SERVING")
    grpc.say(1, "shop.Cart")
    d.api.must("PATCH", "/v1/services/web", {"check": {"grpc_service": "shop.Cart"}})
    wait_state(d, "b1", "up", "SERVING")
    for state, reason in ((3, "SERVICE_UNKNOWN"), ("NOT_FOUND", "answered NOT_FOUND: as told"), (0, "UNKNOWN")):
        grpc.say(state, "shop.Cart")
        wait_for(lambda want=reason: of(d)["results"][0]["reason"] == want, 10, reason)
    grpc.say(1, "shop.Cart")
    wait_for(lambda: of(d)["state"] == "up", 10)
    with frozen(grpc.proc):
        wait_state(d, "b1", "down", "timeout, waiting for the answer")
    wait_for(lambda: of(d)["state"] == "up", 20)
    with blackholed(lab, "b1"):
        d.wait_log("web/b1 .*-> down .timeout, connecting")
    wait_for(lambda: of(d)["state"] == "up", 20)
    end(grpc.proc)
    d.wait_log("web/b1 .*-> down .connect: Connection refused")


def test_grpcs(lab, start):
    authority = Authority(lab, "grpc-ca")
    server = Health(lab, GRPC + 1, *authority.issue("grpc.example"))
    try:
        d = start(web(lab, names=["b1"], check=check("grpcs", port=GRPC + 1, verify="full", ca=authority.cert,
                                                     sni="grpc.example", timeout_ms=1000)))
        wait_state(d, "b1", "up", "SERVING")
        d.api.must("PATCH", "/v1/services/web", {"check": {"sni": "other.example"}})
        wait_state(d, "b1", "down", "in the TLS handshake: SSL: no alternative certificate")
    finally:
        end(server.proc)


def test_not_grpc(lab, start):
    """HTTP/2 that is no gRPC, HTTP/1, a server that says nothing."""
    server = Web(lab, "b1", "listen 5052 http2;")
    try:
        with Script(lab, "b1", 5053, silent):
            d = start(web(lab, names=["b1"], check=check("grpc", port=5052)))
            wait_state(d, "b1", "down", "answered 404")
            for port, reason in ((8080, ": "), (5053, "timeout, waiting for the answer")):
                d.api.must("PATCH", "/v1/services/web", {"check": {"port": port}})
                wait_for(lambda want=reason: want in of(d)["results"][0]["reason"], 10, reason)
            assert of(d)["ok"] == 0
    finally:
        server.close()


def test_nobody_waits_for_them(lab, start):
    """Servers that never finish their line: another backend is asked in time."""
    with Script(lab, "b1", AGENT, tells(b"u")):
        doc = web(lab, names=["b1"], check=agent_check(interval_ms=10))
        doc["services"]["two"] = dict(doc["services"]["web"], listeners=[{"address": VIP, "protocol": "tcp", "port": 81}],
                                      check=check("tcp", interval_ms=20),
                                      backends={"b2": {"address": lab.backend_addr("b2"), "port": 8080}})
        d = start(doc)
        wait_state(d, "b1", "down", "timeout")

        def two():
            return d.api.get("/v1/services/two/health").json["backends"]["b2"]
        wait_for(lambda: two()["ok"] > 20, 10)
        assert two()["failed"] == 0


@pytest.mark.parametrize("options", [{"type": "agent", "send": "x\n"}, {"type": "smtp", "hostname": "a.example"},
                                     {"type": "grpc", "grpc_service": "a.B"}, {"type": "grpcs", "sni": "a.example"}])
def test_is_what_openapi_says(lab, start, options):
    api = CheckedApi(start(web(lab, names=["b1"])).socket)
    api.must("PATCH", "/v1/services/web", {"check": options})
    got = api.must("GET", "/v1/services/web").json["check"]
    assert {k: got[k] for k in options} == options
