# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is behind a local address: /v1/origin and fnatctl origin, asked with what a backend sees."""

import json

import pytest

from api_testing import problem
from conftest import config, listener, service
from ctl_testing import OK, on_terminal, refused
from lab import VIP, VIP2, VIP6, parse_reply
from openapi import CheckedApi


@pytest.fixture
def daemon(lab, start):
    both = {"families": (4, 6)}
    return start(config(
        lab, echo=service(lab, [listener(VIP, 80), listener(VIP6, 80)], port=9000, **both),
        dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")], port=53, **both)))


@pytest.fixture
def api(daemon):
    return CheckedApi(daemon.socket)


def text_of(address, port):
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def path(protocol, reply):
    """Of what the backend said it saw."""
    return "/v1/origin?protocol=%s&local=%s&backend=%s" % (
        protocol, text_of(reply.remote_addr, reply.remote_port), text_of(reply.server_addr, reply.server_port))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_client_is_found(lab, api, family, protocol):
    """Several clients, over UDP with the same port: each is told apart."""
    vip = VIP if family == 4 else VIP6
    socks = []
    try:
        for i in range(8):
            source = (lab.client_addr(i, family), 45000 if protocol == "udp" else 0)
            if protocol == "udp":
                reply = lab.udp_ask("client", vip, 53, source)
            else:
                socks.append(lab.connect("client", vip, 80, source))
                source = socks[-1].getsockname()[:2]
                reply = parse_reply(socks[-1].recv(200).decode())
            found = api.must("GET", path(protocol, reply)).json
            assert found["client"] == {"address": source[0], "port": source[1]}
            assert found["virtual"] == {"address": vip, "port": 53 if protocol == "udp" else 80}
            assert found["service"] == ("dns" if protocol == "udp" else "echo")
            assert found["local"] == {"address": reply.remote_addr, "port": reply.remote_port}
            assert found["backend"] == {"name": reply.backend + ("-6" if family == 6 else ""),
                                        "address": reply.server_addr, "port": reply.server_port}
    finally:
        for s in socks:
            s.close()


def test_gone(lab, api):
    reply = lab.udp_ask("client", VIP, 53)
    api.must("GET", path("udp", reply))
    problem(api.get(path("tcp", reply)), 404, message="no service has a connection over tcp from 10.1.0")
    problem(api.get(path("udp", reply._replace(remote_port=reply.remote_port ^ 1))), 404)
    api.must("DELETE", "/v1/connections?all=1")
    problem(api.get(path("udp", reply)), 404)


def test_not_the_other_way_round(lab, api):
    """The client's own tuple is in conntrack, too, but no backend has it."""
    lab.udp_ask("client", VIP, 53, (lab.client_addr(3), 45000))
    problem(api.get("/v1/origin?protocol=udp&backend=%s:45000&local=%s:53" % (lab.client_addr(3), VIP)), 404)
    problem(api.get("/v1/origin?protocol=udp&local=%s:45000&backend=%s:53" % (lab.client_addr(3), VIP)), 404)


def test_others_are_not_told(lab, api):
    lab.nft_load("""table ip other {
        chain pre { type nat hook prerouting priority -101; ip daddr %s udp dport 5300 dnat to 10.1.0.11; }
        chain post { type nat hook postrouting priority 99; ct original ip daddr %s snat to 10.1.0.1; }
    }""" % (VIP2, VIP2))
    reply = lab.udp_ask("client", VIP2, 5300)
    assert reply.remote_addr == "10.1.0.1"
    problem(api.get(path("udp", reply)), 404)


@pytest.mark.parametrize("query,message", [
    ("", '"protocol" is missing'), ("protocol=tcp", '"local" is missing'),
    ("protocol=tcp&local=10.1.0.50:1", '"backend" is missing'), ("protocol=icmp&local=1.1.1.1:1&backend=1.1.1.1:1", "tcp, udp"),
    ("protocol=tcp&local=10.1.0.50&backend=10.1.0.11:80", "expected ADDRESS:PORT"),
    ("protocol=tcp&local=10.1.0.50:x&backend=10.1.0.11:80", "expected ADDRESS:PORT"),
    ("protocol=tcp&local=10.1.0.50:70000&backend=10.1.0.11:80", "expected ADDRESS:PORT"),
    ("protocol=tcp&local=fd00:1::50:80&backend=[fd00:1::11]:80", "expected ADDRESS:PORT"),
    ("protocol=tcp&local=[fd00:1::50]:80&backend=10.1.0.11:80", "different families"),
    ("protocol=tcp&local=[10.1.0.50]:80&backend=10.1.0.11:80", "expected ADDRESS:PORT"),
])
def test_mistakes(api, query, message):
    problem(api.get("/v1/origin?" + query), 400, message=message)


def test_ctl(lab, daemon):
    reply = lab.udp_ask("client", VIP6, 53, (lab.client_addr(2, 6), 45000))
    words = ["origin", "udp", text_of(reply.remote_addr, reply.remote_port), text_of(reply.server_addr, reply.server_port)]
    r = daemon.ctl(*words)
    assert (r.returncode, r.stderr) == (OK, "")
    assert json.loads(r.stdout)["client"] == {"address": lab.client_addr(2, 6), "port": 45000}
    status, text = on_terminal(daemon, *words)
    assert status == OK and "[%s]:45000" % lab.client_addr(2, 6) in text
    words[1] = "tcp"
    assert "no service has a connection" in refused(daemon, *words)[0]
    assert "expected tcp, udp or sctp" in refused(daemon, "origin", "icmp", "1.1.1.1:1", "1.1.1.1:1")[0]
