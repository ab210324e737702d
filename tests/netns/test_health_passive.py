# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients' connections say about backends, without test traffic."""

import socket
import threading
import time

import pytest

from conftest import config, listener, service, web
from health_testing import blackholed, check, has_slots, refuse, wait_state
from lab import VIP
from namespaces import wait_for
from servers import parse_reply

ALL = {"b1", "b2", "b3"}


def hammer(lab, stop, failed, answered, per_s=400):
    """New connections to the service, one after the other, each asked for its page."""
    while not stop.is_set():
        try:
            answered.append(lab.ask("client", VIP, timeout=3).backend)
        except (OSError, socket.timeout):
            failed.append(time.monotonic())
        time.sleep(1 / per_s)


def test_connections_alone(lab, start):
    """No test traffic: a backend that refuses is out after observe_failures, tried again, out for twice as long."""
    d = start(web(lab, check=check("none", observe="connections", observe_failures=3, inhibit_s=1)))
    stop, failed, answered = threading.Event(), [], []
    threads = [threading.Thread(target=hammer, args=(lab, stop, failed, answered)) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        for b in ALL:
            wait_state(d, b, "up", "was answered")
        allow = refuse(lab, "b2")
        try:
            wait_state(d, "b2", "down", "3 connections of clients failed, the last was refused; out for 1 s")
            n_failed = len(failed)
            d.wait_log("out for 2 s", 20)
            assert d.api.get("/v1/services/web/health").json["backends"]["b2"]["inhibited_ms"] > 0
        finally:
            allow()
        wait_for(lambda: answered[-50:].count("b2") > 5, 20, "b2 serves again")
    finally:
        stop.set()
        for t in threads:
            t.join()
    print("failed connections until it was out: %d" % n_failed)
    assert n_failed <= 3 + 4 * 3  # and those under way at that moment


def test_both_must_agree(lab, start):
    """The probe asks elsewhere and is content: connections keep the backend out all the same."""
    d = start(config(lab, web=service(lab, port=9999, names=["b1"], check=check(
        "tcp", port=8080, observe="connections", observe_failures=2, inhibit_s=600))))
    wait_state(d, "b1", "up")
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            lab.ask("client", VIP)
    wait_state(d, "b1", "down", "2 connections of clients failed")
    time.sleep(0.5)
    b = d.api.get("/v1/services/web/health").json["backends"]["b1"]
    assert b["state"] == "down" and b["results"][0]["result"] == "ok"
    d.api.must("PATCH", "/v1/services/web", {"check": {"observe": "off"}})
    wait_for(lambda: d.api.get("/v1/services/web/health").json["backends"]["b1"]["state"] == "up", 10)


def ask_dns(lab, n, patience_s=2):
    """n clients ask the service dns once; who answered, None for nobody."""
    socks = [lab.socket("client", kind=socket.SOCK_DGRAM) for _ in range(n)]
    answers = []
    for s in socks:
        s.connect((VIP, 53))
        s.send(b"?")
    end = time.monotonic() + patience_s
    for s in socks:
        s.settimeout(max(end - time.monotonic(), 0.01))
        try:
            answers.append(parse_reply(s.recv(2048).decode()).backend)
        except socket.timeout:
            answers.append(None)
        s.close()
    return answers


def test_udp_without_reply(lab, start):
    """A backend that does not reply to datagrams is out when asked for, and only then."""
    d = start(config(lab, dns=service(
        lab, listeners=[listener(VIP, 53, "udp")], port=53, names=["b1", "b2"], udp_timeout_s=1,
        check=check("none", observe="connections", observe_failures=3, observe_window_ms=60000, inhibit_s=600))))

    def unreplied():
        """How many flows to b1 ended so; looking at expired entries makes the kernel end them."""
        lab.conntrack("-p", "udp")
        return d.api.get("/v1/stats").json["services"]["dns"]["backends"]["b1"]["failed"]

    def health():
        return d.api.get("/v1/services/dns/health").json["backends"]

    assert set(ask_dns(lab, 4)) == {"b1", "b2"}
    with blackholed(lab, "b1"):
        assert ask_dns(lab, 8).count(None) == 4
        wait_for(lambda: unreplied() == 4, 20, "the flows are over")
        assert health()["b1"]["state"] != "down"
        d.api.must("PATCH", "/v1/services/dns", {"check": {"observe_udp": True}})
        assert ask_dns(lab, 4).count(None) == 2
        wait_for(lambda: unreplied() == 6, 20, "the flows are over")
        assert health()["b1"]["state"] != "down"  # two are not three
        assert ask_dns(lab, 2).count(None) == 1
        wait_for(lambda: unreplied() == 7, 20, "the flow is over")
        d.wait_log("dns/b1 .*-> down .3 connections of clients failed, the last was not answered; out for 600 s", 5)
        wait_for(lambda: not has_slots(lab, "dns/b1"), 5, "b1 to be out of the slots")
        assert ask_dns(lab, 6) == ["b2"] * 6
    assert health()["b1"]["inhibited_ms"] > 0 and not health()["b2"]["down"]
