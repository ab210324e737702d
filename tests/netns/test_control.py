# SPDX-License-Identifier: GPL-2.0-or-later
"""Who serves, and what becomes of connections to a backend that is gone."""

import socket
import time

import pytest

from conftest import config, listener, service, web
from echo_testing import connection, echo, only_the_first_is_reset
from health_testing import check, refuse, wait_state
from lab import VIP, wait_for
from servers import parse_reply

WEB = "/v1/services/web"


def backend_path(name, of="web"):
    return "/v1/services/%s/backends/%s" % (of, name)


def answers(lab, n=4):
    return {lab.ask("client", VIP).backend for _ in range(n)}


class Datagrams:
    """A UDP client that keeps its port."""

    def __init__(self, lab, port=53):
        self.sock = lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(2)
        self.sock.connect((VIP, port))

    def ask(self):
        self.sock.send(b"?")
        return parse_reply(self.sock.recv(2048).decode()).backend


@pytest.mark.parametrize("how", ["removed", "disabled"])
def test_udp_leaves_a_backend_that_goes(lab, start, how):
    d = start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    client = Datagrams(lab)
    first = client.ask()
    assert client.ask() == first
    if how == "removed":
        d.api.must("DELETE", backend_path(first, "dns"))
    else:
        d.api.must("PATCH", backend_path(first, "dns"), {"state": "disabled"})
    second = client.ask()
    assert second != first
    # The others' stay where they are.
    third = ({"b1", "b2", "b3"} - {first, second}).pop()
    d.api.must("DELETE", backend_path(third, "dns"))
    assert client.ask() == second


def goes_down(lab, daemon, name):
    """By its check, which asks another port than the one that serves; returns what undoes it."""
    allow = refuse(lab, name)
    wait_state(daemon, name, "down", "refused")
    return allow


def test_udp_leaves_a_backend_that_is_down(lab, start):
    d = start(config(lab, web=service(lab, [listener(VIP, 53, "udp")], port=53, check=check("tcp", port=8080))))
    client = Datagrams(lab)
    first = client.ask()
    assert client.ask() == first
    allow = goes_down(lab, d, first)
    try:
        wait_for(lambda: client.ask() != first, 2, "another answers")
    finally:
        allow()


@pytest.mark.parametrize("on_down", ["keep", "cut"])
def test_tcp_to_a_backend_that_is_down(lab, start, loose, on_down):
    d = start(echo(lab, on_down=on_down, check=check("tcp", port=8080)))
    conns = [connection(lab) for _ in range(3)]
    s, who = conns[0]
    allow = goes_down(lab, d, who)
    try:
        if on_down == "cut":
            d.wait_log("connections of backends that are gone deleted")
            s.sendall(b"anybody?")
            with pytest.raises(ConnectionResetError):
                s.recv(100)
        for conn, _ in conns[on_down == "cut":]:
            conn.sendall(b"still there")
            assert conn.recv(100) == b"still there"
    finally:
        allow()
        for conn, _ in conns:
            conn.close()


def test_udp_stays_with_a_backend_that_drains(lab, start):
    d = start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    client = Datagrams(lab)
    first = client.ask()
    d.api.must("PATCH", backend_path(first, "dns"), {"state": "draining"})
    assert client.ask() == first
    assert first not in {lab.udp_ask("client", VIP, 53).backend for _ in range(6)}


def test_tcp_keeps_a_backend_that_is_removed(lab, start):
    d = start(echo(lab))
    s, who = connection(lab)
    with s:
        d.api.must("DELETE", backend_path(who))
        s.sendall(b"still there")
        assert s.recv(100) == b"still there"


def test_tcp_is_cut(lab, start, loose):
    d = start(echo(lab, on_remove="cut"))
    conns = [connection(lab) for _ in range(3)]
    d.api.must("DELETE", backend_path(conns[0][1]))
    only_the_first_is_reset(conns)


def test_a_download_is_cut(lab, start, loose):
    """The client only acknowledges, and that is enough."""
    for server in lab.web.values():
        server.file("large", 60_000_000)
    d = start(web(lab, on_remove="cut"))
    s = lab.connect("client", VIP, 80, timeout=20)
    with s:
        s.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        assert s.recv(1000)
        for name in ("b1", "b2", "b3"):
            d.api.must("PATCH", backend_path(name), {"state": "disabled"})
        begin = time.monotonic()
        with pytest.raises(ConnectionResetError):
            while s.recv(1 << 16):
                pass
        assert time.monotonic() - begin < 5


def test_priorities_move_and_return(lab, start):
    doc = web(lab)
    doc["services"]["web"]["backends"]["b2"]["priority"] = 1
    doc["services"]["web"]["backends"]["b3"]["sorry"] = True
    d = start(doc)
    s = lab.connect("client", VIP, 80)
    assert answers(lab) == {"b1"}
    d.api.must("PATCH", backend_path("b1"), {"state": "disabled"})
    assert answers(lab) == {"b2"}
    d.api.must("PATCH", backend_path("b2"), {"state": "draining"})
    assert answers(lab) == {"b3"}
    d.api.must("PATCH", backend_path("b3"), {"state": "disabled"})
    with pytest.raises(ConnectionRefusedError):
        lab.connect("client", VIP, 80)
    d.api.must("PATCH", backend_path("b2"), {"state": "enabled"})
    assert answers(lab) == {"b2"}
    d.api.must("PATCH", backend_path("b1"), {"state": None})
    assert answers(lab) == {"b1"}
    s.close()


def test_quorum(lab, start):
    doc = web(lab, quorum=2)
    doc["services"]["web"]["backends"]["b3"]["sorry"] = True
    d = start(doc)
    assert answers(lab) == {"b1", "b2"}
    d.api.must("PATCH", backend_path("b1"), {"state": "disabled"})
    assert answers(lab) == {"b3"}
    d.api.must("PATCH", backend_path("b2"), {"weight": 2})
    assert answers(lab) == {"b2"}


def test_slow_start(lab, start):
    """An enabled backend has few connections at first, and its part in the end."""
    d = start(web(lab, slow_start_s=3))
    d.api.must("PATCH", backend_path("b3"), {"state": "disabled"})
    d.api.must("PATCH", backend_path("b3"), {"state": "enabled"})
    begin = time.monotonic()
    seen = [lab.ask("client", VIP).backend for _ in range(60)]
    if time.monotonic() - begin < 1:  # of three
        assert seen.count("b3") < 12
    def is_warm():
        return [lab.ask("client", VIP).backend for _ in range(3)].count("b3") == 1 and \
            d.api.must("GET", WEB + "/placements").json["placements"][0]["slots"] == 3
    wait_for(is_warm, 15, "b3 to be warm", 0.2)


def test_no_slow_start_when_the_daemon_starts(lab, start):
    """All are new then, and their first checks find them well: each has its part at once, after a restart as well."""
    d = start(web(lab, slow_start_s=600, check=check("tcp")))
    for _ in range(2):
        for b in ("b1", "b2", "b3"):
            wait_for(lambda name=b: d.api.must("GET", WEB + "/health").json["backends"][name]["state"] == "up", 20)
        seen = [lab.ask("client", VIP).backend for _ in range(30)]
        assert [seen.count(b) for b in ("b1", "b2", "b3")] == [10, 10, 10]
        d.stop()
        d = start(None, name=d.name)


def test_wrr_over_forty(lab, start):
    start(web(lab, scheduler="wrr", weights=[1, 2, 1]))
    seen = [lab.ask("client", VIP).backend for _ in range(40)]
    assert [seen.count(b) for b in ("b1", "b2", "b3")] == [10, 20, 10]


def test_failover_moves_and_returns(lab, start):
    d = start(web(lab, scheduler="fo", weights=[3, 2, 1]))
    assert answers(lab) == {"b1"}
    d.api.must("PATCH", backend_path("b1"), {"state": "draining"})
    assert answers(lab) == {"b2"}
    d.api.must("PATCH", backend_path("b1"), {"state": "enabled"})
    assert answers(lab) == {"b1"}
