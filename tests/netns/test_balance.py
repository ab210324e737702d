# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections reach the backends, in the shares the scheduler promises, with both addresses
rewritten: from other hosts, from the balancer itself, and from a backend to its own service."""

import re
import socket
from collections import Counter

import pytest

from conftest import config, dual, listener, service, web
from lab import (CLIENT, CLIENT6, UNASSIGNED_VIP, UNASSIGNED_VIP6, VIP, VIP2, VIP6,
                 parse_reply, wait_for)
from packets import ICMP, ICMP6, Sniffer, checksum, ip, send_ip


def shares(lab, n, addr=VIP, port=80, ns="client"):
    return Counter(lab.ask(ns, addr, port).backend for _ in range(n))


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_rr_shares_are_exact(lab, start, vip):
    start(dual(lab))
    order = [lab.ask("client", vip).backend for _ in range(30)]
    assert Counter(order) == {"b1": 10, "b2": 10, "b3": 10}
    for i in range(0, 30, 3):
        assert len(set(order[i:i + 3])) == 3, "not in turn: %s" % order


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_wrr_shares_are_exact(lab, start, vip):
    start(dual(lab, scheduler="wrr", weights=[1, 2, 1]))
    assert shares(lab, 40, vip) == {"b1": 10, "b2": 20, "b3": 10}


def test_wrr_interleaves(lab, start):
    """Smooth: the heavy one is not served in a run of its whole weight."""
    start(web(lab, scheduler="wrr", weights=[5, 1, 1]))
    order = "".join(lab.ask("client", VIP).backend[1] for _ in range(28))
    assert Counter(order) == {"1": 20, "2": 4, "3": 4}
    assert "1111" not in order, order


def test_weight_zero_gets_nothing(lab, start):
    start(web(lab, scheduler="wrr", weights=[1, 0, 2]))
    assert shares(lab, 30) == {"b1": 10, "b3": 20}


def test_rr_counts_alone(lab, start):
    """Services in alternation: each has a counter of its own."""
    start(config(lab, a=service(lab), b=service(lab, [listener(VIP2)])))
    seen = {VIP: Counter(), VIP2: Counter()}
    for _ in range(15):
        for vip in seen:
            seen[vip][lab.ask("client", vip).backend] += 1
    assert all(c == {"b1": 5, "b2": 5, "b3": 5} for c in seen.values()), seen


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_random_shares(lab, start, vip):
    start(dual(lab, scheduler="random", weights=[1, 1, 2]))
    seen = shares(lab, 800, vip)
    for name, ideal in (("b1", 200), ("b2", 200), ("b3", 400)):
        # Six standard deviations or more.
        assert abs(seen[name] - ideal) < 90, seen
    order = [lab.ask("client", vip).backend for _ in range(60)]
    assert any(a == b for a, b in zip(order, order[1:])), "this is in turn, not random"


@pytest.mark.parametrize("family", [4, 6])
def test_sh_sticks_to_the_client(lab, start, family):
    vip = VIP if family == 4 else VIP6
    start(dual(lab, scheduler="sh"))
    first = {}
    for i in range(lab.n_clients):
        source = lab.client_addr(i, family)
        first[source] = lab.ask("client", vip, source=source).backend
        for _ in range(3):
            assert lab.ask("client", vip, source=source).backend == first[source]
    count = Counter(first.values())
    assert set(count) == {"b1", "b2", "b3"} and min(count.values()) > lab.n_clients // 10, count


def test_sh_survives_restart_and_other_services(lab, start):
    sources = [lab.client_addr(i) for i in range(20)]
    d = start(web(lab, scheduler="sh"))
    before = [lab.ask("client", VIP, source=s).backend for s in sources]
    d.kill()
    start(config(lab, a=service(lab, [listener(VIP2)], "sh"), web=service(lab, scheduler="sh")))
    assert [lab.ask("client", VIP, source=s).backend for s in sources] == before
    # The seed is fixed: another service with the same backends hashes alike.
    assert [lab.ask("client", VIP2, source=s).backend for s in sources] == before


@pytest.mark.parametrize("family", [4, 6])
def test_both_addresses_are_rewritten(lab, start, family):
    """What the backend sees and logs is the balancer's local address; the client's port is kept."""
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    start(dual(lab))
    pool = lab.pool_addrs(family)
    for i in range(12):
        with lab.connect("client", vip, 80, source=client) as s:
            port = s.getsockname()[1]
            s.sendall(b"GET /?n=%d-%d HTTP/1.0\r\n\r\n" % (family, i))
            reply = parse_reply(s.recv(4096).split(b"\r\n\r\n", 1)[1].decode())
        assert reply.remote_addr in pool
        assert reply.remote_port == port
        assert reply.server_addr == lab.backend_addr(reply.backend, family)
        assert reply.server_port == 8080
        line = '%s:%d %s:8080 "GET /?n=%d-%d ' % (reply.remote_addr, port, reply.server_addr,
                                                  family, i)
        wait_for(lambda: any(x.startswith(line) for x in lab.web[reply.backend].log()), 2, line)


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_udp(lab, start, vip):
    start(config(lab, dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")],
                                  port=5300, families=(4, 6))))
    replies = [lab.udp_ask("client", vip, 53) for _ in range(15)]
    assert Counter(r.backend for r in replies) == {"b1": 5, "b2": 5, "b3": 5}
    family = 6 if ":" in vip else 4
    assert all(r.remote_addr in lab.pool_addrs(family) and r.server_port == 5300 for r in replies)


def test_udp_flow_stays(lab, start):
    start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    with lab.socket("client", socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((VIP, 53))
        seen = set()
        for _ in range(10):
            s.send(b"?")
            seen.add(s.recv(2048))
    assert len(seen) == 1


def test_fragmented_udp(lab, start):
    """A datagram in several fragments arrives whole: only its first has ports."""
    start(config(lab, dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")],
                                  port=53, families=(4, 6))))
    for vip in (VIP, VIP6):
        reply = lab.udp_ask("client", vip, 53, payload=b"x" * 5000)
        assert reply.remote_addr in lab.pool_addrs(6 if ":" in vip else 4)
        assert len(lab.udp[reply.backend].seen[-1][3]) == 2048  # as much as the server reads


def test_many_listeners(lab, start):
    """TCP and UDP, ports, addresses and families of one service; each listener counts alone."""
    tcp = [listener(VIP, 9000), listener(VIP2, 9000), listener(VIP6, 9000)]
    udp = [listener(VIP, 9000, "udp"), listener(UNASSIGNED_VIP, 53, "udp")]
    start(config(lab, t=service(lab, tcp, port=None, families=(4, 6)),
                 u=service(lab, udp, port=5300),
                 w=service(lab, [listener(VIP, p) for p in range(1000, 1100)])))
    for one in tcp:
        seen = Counter()
        for _ in range(6):
            with lab.connect("client", one["address"], 9000) as s:
                seen[s.recv(200).split()[0]] += 1
        assert sorted(seen.values()) == [2, 2, 2]
    assert lab.udp_ask("client", VIP, 9000).server_port == 5300
    assert lab.udp_ask("client", UNASSIGNED_VIP, 53).server_port == 5300
    for port in (1000, 1050, 1099):
        assert shares(lab, 6, VIP, port) == {"b1": 2, "b2": 2, "b3": 2}


def test_backend_port_is_the_listeners_by_default(lab, start):
    start(web(lab, listeners=[listener(VIP, 8080), listener(VIP, 80)], port=None))
    assert lab.ask("client", VIP, 8080).server_port == 8080
    assert lab.ask("client", VIP, 80).server_port == 80


@pytest.mark.parametrize("vip", [VIP, VIP6, UNASSIGNED_VIP, UNASSIGNED_VIP6])
def test_from_the_balancer_itself(lab, start, vip):
    start(dual(lab, listeners=[listener(a) for a in
                               (VIP, VIP6, UNASSIGNED_VIP, UNASSIGNED_VIP6)]))
    assert shares(lab, 9, vip, ns="lb") == {"b1": 3, "b2": 3, "b3": 3}
    assert lab.ask("lb", vip).remote_addr in lab.pool_addrs(6 if ":" in vip else 4)


def test_udp_from_the_balancer_itself(lab, start):
    start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    assert lab.udp_ask("lb", VIP, 53).remote_addr in lab.pool_addrs()


@pytest.mark.parametrize("family", [4, 6])
def test_hairpin(lab, start, family):
    """A backend calls the virtual address that it serves itself, and is served by itself."""
    vip = VIP if family == 4 else VIP6
    start(dual(lab, names=["b1"]))
    for _ in range(5):
        reply = lab.ask("b1", vip)
        assert reply.backend == "b1"
        assert reply.remote_addr in lab.pool_addrs(family)
    assert shares(lab, 3, vip, ns="b2") == {"b1": 3}


def test_hairpin_udp(lab, start):
    start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], names=["b2"], port=53)))
    assert lab.udp_ask("b2", VIP, 53).remote_addr in lab.pool_addrs()


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_virtual_address_answers_ping(lab, start, vip):
    start(dual(lab))
    body = b"\0\7\0\1fnat"
    if ":" in vip:
        proto, src, head, answer = ICMP6, CLIENT6, b"\x80\0", 129
        pseudo = ip(src, vip, (proto, b""))[8:40] + b"\0\0\0\x0c\0\0\0\x3a"
    else:
        proto, src, head, answer, pseudo = ICMP, CLIENT, b"\x08\0", 0, b""
    csum = checksum(pseudo + head + b"\0\0" + body).to_bytes(2, "big")
    with Sniffer(lab, "client", "eth0", lambda p: p.proto == proto and p.src == vip) as sniffer:
        send_ip(lab, "client", ip(src, vip, (proto, head + csum + body)))
        assert sniffer.wait(lambda p: p.sport == answer).payload[4:] == body


def test_curl_keeps_a_connection(lab, start):
    """An HTTP client with several requests on one connection: one backend for all of them."""
    start(web(lab))
    url = "http://%s/" % VIP
    out = lab.run("client", ["curl", "-sS", url, url, url]).stdout.splitlines()
    assert len(out) == 3 and len(set(out)) == 1
    assert re.match(r"b[123] 10\.1\.0\.\d+ ", out[0])


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_large_transfer(lab, start, vip):
    start(dual(lab))
    for b in lab.backends:
        data = lab.web[b].file("large", 8 << 20)
    status, body = lab.http("client", vip, path="/large", timeout=20)
    assert status == 200 and body == data


def test_local_address_depends_on_the_port(lab, start):
    """One client, one backend: connections are spread over the pool."""
    start(web(lab, names=["b1"]))
    seen = Counter(lab.ask("client", VIP).remote_addr for _ in range(200))
    assert set(seen) <= set(lab.pool_addrs())
    assert len(seen) >= 12, "200 connections used only %s" % seen
