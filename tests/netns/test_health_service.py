# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of a service whose backends go down by their checks: who then has its connections, as its servers see it."""

import contextlib

import pytest

from conftest import web
from health_testing import check, events_of, refuse, wait_state
from lab import VIP, wait_for

ALL = {"b1", "b2", "b3"}
# What checks ask, beside the port that serves: a backend that is down can still be seen to get connections.
ASKED = 80


def requests(lab):
    """How many each server has had."""
    return {b: len(lab.web[b].log()) for b in ALL}


def served(lab, n=12):
    """(Server, its port) of each of n connections, or "refused"."""
    found = set()
    for _ in range(n):
        try:
            reply = lab.ask("client", VIP)
            found.add((reply.backend, reply.server_port))
        except ConnectionRefusedError:
            found.add("refused")
    return found


def of(*names):
    return {(name, 8080) for name in names}


class Faults:
    """Backends whose port refuses connections."""

    def __init__(self, lab, daemon, port):
        self.lab, self.daemon, self.port, self.undo = lab, daemon, port, {}

    def set(self, names):
        """These are down and no other; once that is known. Who goes down is down before anybody comes back: what a
        service does may depend on the order."""
        for name in set(names) - set(self.undo):
            self.undo[name] = refuse(self.lab, name, self.port)
        self._wait(set(self.undo))
        for name in set(self.undo) - set(names):
            self.undo.pop(name)()
        self._wait(set(names))

    def _wait(self, names):
        wait_for(lambda: self._down() == names, 20, "down: %s" % sorted(names))

    def _down(self):
        backends = self.daemon.api.get("/v1/services/web/health").json["backends"]
        assert set(backends) >= ALL
        return {name for name in backends if backends[name]["down"]}


@contextlib.contextmanager
def faults(lab, daemon, port=8080):
    f = Faults(lab, daemon, port)
    try:
        yield f
    finally:
        for undo in f.undo.values():
            undo()


@pytest.mark.parametrize("policy", [{}, {"all_down": "closed"}, {"all_down": "open"}], ids=["default", "closed", "open"])
def test_all_down(lab, start, policy):
    """Closed: no server sees a connection. Open: each does, though all are down; fewer are, and only others do."""
    d = start(web(lab, check=check("tcp", port=ASKED), **policy))
    for b in ALL:
        wait_state(d, b, "up")
    is_open = policy.get("all_down") == "open"
    with faults(lab, d, ASKED) as f:
        f.set({"b1", "b2"})
        wait_for(lambda: served(lab) == of("b3"), 5)
        f.set(ALL)
        all_down = of(*ALL) if is_open else {"refused"}
        wait_for(lambda: served(lab) == all_down, 5)
        before = requests(lab)
        assert served(lab) == all_down
        assert {b for b, n in requests(lab).items() if n > before[b]} == (ALL if is_open else set())
        f.set({"b1", "b3"})
        wait_for(lambda: served(lab) == of("b2"), 5)
        f.set(())
        wait_for(lambda: served(lab) == of(*ALL), 5)
    names = {True: "open", False: "none"}
    assert [(e["from"], e["to"]) for e in events_of(d) if e["type"] == "serving"] == [
        ("normal", names[is_open]), (names[is_open], "normal")]


def test_open_leaves_out_what_the_operator_did(lab, start):
    """All down, and open: who is disabled or drains has no connections, nor has who is of a higher priority."""
    doc = web(lab, check=check("tcp", port=ASKED), all_down="open")
    doc["services"]["web"]["backends"]["b3"]["priority"] = 1
    d = start(doc)
    with faults(lab, d, ASKED) as f:
        f.set(ALL)
        wait_for(lambda: served(lab) == of("b1", "b2"), 5)
        d.api.must("PATCH", "/v1/services/web/backends/b1", {"state": "draining"})
        assert served(lab) == of("b2")
        d.api.must("PATCH", "/v1/services/web/backends/b2", {"state": "disabled"})
        assert served(lab) == of("b3")


SORRY = {("b1", 80)}


@pytest.mark.parametrize("hysteresis, steps", [
    (0, [((), of(*ALL)), ({"b2"}, of("b1", "b3")), ({"b3"}, SORRY), ({"b1"}, of("b2", "b3")), ({"b3"}, SORRY), ((), of(*ALL))]),
    (1, [((), of(*ALL)), ({"b3"}, of("b1", "b2")), ({"b2", "b3"}, SORRY), ({"b3"}, SORRY), ({"b2"}, SORRY), ((), of(*ALL)),
         ({"b3"}, of("b1", "b2"))])], ids=["plain", "hysteresis"])
def test_quorum(lab, start, hysteresis, steps):
    """Weights 1, 1, 2 and a quorum of 3: with a hysteresis of 1 it is lost below 2, and back at 4."""
    doc = web(lab, weights=[1, 1, 2], scheduler="wrr", quorum=3, quorum_hysteresis=hysteresis, check=check("tcp"))
    doc["services"]["web"]["backends"]["sorry"] = {"address": lab.backend_addr("b1"), "port": 80, "sorry": True}
    d = start(doc)
    for b in ALL | {"sorry"}:
        wait_state(d, b, "up")
    told = []
    with faults(lab, d) as f:
        for down, wanted in steps:
            f.set(down)
            wait_for(lambda: served(lab) == wanted, 5, "down %s: %s serve" % (sorted(down), sorted(wanted)))
            if (wanted == SORRY) != (told[-1:] == ["quorum_lost"]):
                told.append("quorum_lost" if wanted == SORRY else "quorum_reached")
    assert [e["type"] for e in events_of(d) if e["type"].startswith("quorum")] == told


def test_quorum_without_sorry(lab, start):
    """Nobody to give way to: who is up goes on."""
    d = start(web(lab, quorum=3, check=check("tcp")))
    for b in ALL:
        wait_state(d, b, "up")
    with faults(lab, d) as f:
        f.set({"b1", "b2"})
        wait_for(lambda: served(lab) == of("b3"), 5)
    assert [e["type"] for e in events_of(d) if e["type"].startswith("quorum")][:1] == ["quorum_lost"]


def test_damped_flapping_has_no_connections(lab, start):
    """One that went down too often serves, and is asked with success, and yet no client is sent to it; until its time is
    over."""
    d = start(web(lab, names=["b1", "b2"], check=check("tcp", rise=1, fall=1, flap_count=2, inhibit_s=3)))
    for b in ("b1", "b2"):
        wait_state(d, b, "up")

    def b1():
        return d.api.get("/v1/services/web/health").json["backends"]["b1"]

    for _ in range(2):
        allow = refuse(lab, "b1")
        try:
            wait_for(lambda: b1()["down"], 20)
        finally:
            allow()
        wait_for(lambda: b1()["history"].endswith("+"), 20)
    d.wait_log("web/b1 went down 2 times within 60 s: it stays down for 3 s")
    wait_for(lambda: b1()["history"].endswith("+++"), 20)
    before, held = requests(lab), None
    while True:
        names = served(lab)
        held = b1()
        if not held.get("inhibited_ms"):
            break
        assert names == of("b2") and held["down"]
    assert requests(lab)["b2"] > before["b2"], "nothing was tried while it was out"
    wait_for(lambda: served(lab) == of("b1", "b2"), 5)
