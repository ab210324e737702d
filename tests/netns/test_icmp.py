# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors about translated flows reach the end that can do something about it, and speak of the
flow as that end knows it."""

import contextlib

import pytest

from conftest import config, listener, service
from lab import CLIENT, CLIENT6, VIP, VIP6, Lab
from packets import ICMP, ICMP6, Sniffer, ip, quoted, send_ip, udp

SMALL_MTU = 1300
UNREACHABLE = {(ICMP, 3, 3), (ICMP6, 1, 4)}
TOO_BIG = {(ICMP, 3, 4), (ICMP6, 2, 0)}
TIME_EXCEEDED = {(ICMP, 11, 0), (ICMP6, 3, 0)}


def is_icmp(kinds):
    return lambda p: not p.outgoing and (p.proto, p.sport, p.dport) in kinds


@pytest.mark.parametrize("family", [4, 6])
def test_port_unreachable_reaches_the_client(lab, start, family):
    """Nothing listens at the backend: its refusal is the client's, from the virtual address."""
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    start(config(lab, u=service(lab, [listener(VIP, 99, "udp"), listener(VIP6, 99, "udp")],
                                port=5999, families=(4, 6))))
    with Sniffer(lab, "client", "eth0", is_icmp(UNREACHABLE)) as sniffer:
        with pytest.raises(ConnectionRefusedError):
            lab.udp_ask("client", vip, 99, source=client)
        error = sniffer.wait()
    assert (error.src, error.dst) == (vip, client)
    about = quoted(error)
    assert (about.src, about.dst, about.dport) == (client, vip, 99)


@pytest.mark.parametrize("family", [4, 6])
def test_time_exceeded_at_the_balancer(lab, start, family):
    """traceroute: the balancer's own error quotes the packet as the client sent it."""
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    start(config(lab, u=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp")],
                                port=53, families=(4, 6))))
    with Sniffer(lab, "client", "eth0", is_icmp(TIME_EXCEEDED)) as sniffer:
        send_ip(lab, "client", ip(client, vip, udp(client, vip, 40001, 53, b"?"), ttl=1))
        error = sniffer.wait()
    about = quoted(error)
    assert error.dst == client
    assert (about.src, about.dst, about.sport, about.dport) == (client, vip, 40001, 53)


@contextlib.contextmanager
def far_lab(behind):
    """A laboratory in which "client" or "b1" is a router to a namespace "far" over a narrow way."""
    with Lab(backends=1, clients=1) as the_lab:
        the_lab.add_ns("far")
        router = the_lab.client_addr(0) if behind == "client" else the_lab.backend_addr(1)
        router6 = the_lab.client_addr(0, 6) if behind == "client" else the_lab.backend_addr(1, 6)
        the_lab.sysctl(behind, {"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})
        the_lab.link(behind, "far0", "far", "eth0", ["10.9.0.1/24", "fd00:9::1/64"],
                     ["10.9.0.2/24", "fd00:9::2/64"])
        # Not the link's MTU: TCP would see that and never send anything too big.
        the_lab.ip(behind, ["route add 10.9.0.2 dev far0 mtu lock %d" % SMALL_MTU,
                            "route add fd00:9::2 dev far0 mtu lock %d" % SMALL_MTU])
        the_lab.ip("far", ["route add default via 10.9.0.1", "route add default via fd00:9::1"])
        the_lab.ip("lb", ["route add 10.9.0.0/24 via " + router,
                          "route add fd00:9::/64 via " + router6])
        yield the_lab


@pytest.mark.parametrize("family", [4, 6])
def test_too_big_reaches_the_backend(family):
    """A hop with a small MTU before the client: the backend learns of it and the download ends."""
    vip = VIP if family == 4 else VIP6
    with far_lab("client") as lab:
        data = lab.nginx("b1").file("large", 1 << 20)
        daemon = lab.fnatd({"pools": lab.pool(), "services": {"web": service(
            lab, [listener(), listener(VIP6)], families=(4, 6))}})
        with daemon, Sniffer(lab, "b1", "eth0", is_icmp(TOO_BIG)) as sniffer:
            status, body = lab.http("far", vip, path="/large", timeout=10)
            assert status == 200 and body == data
            error = sniffer.wait()
        about = quoted(error)
        assert error.dst == lab.backend_addr(1, family)
        assert (about.src, about.sport) == (lab.backend_addr(1, family), 8080)
        assert about.dst in lab.pool_addrs(family)


def upload(lab, ns, vip, size=300000):
    """Send to an echo server and read it back."""
    with lab.connect(ns, vip, 9000, timeout=5) as s:
        f = s.makefile("rb")
        assert f.readline()
        s.sendall(b"u" * size)
        assert f.read(size) == b"u" * size


@pytest.mark.parametrize("family", [4, 6])
def test_too_big_reaches_the_client(family):
    """A hop with a small MTU before the backend: the client learns of it and the upload ends."""
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    far = "10.9.0.2" if family == 4 else "fd00:9::2"
    with far_lab("b1") as lab:
        lab.tcp_server("far", [9000])
        daemon = lab.fnatd({"pools": lab.pool(), "services": {"t": {
            "listeners": [listener(vip, 9000)], "pool": "lan",
            "backends": {"far": {"address": far}}}}})
        with daemon, Sniffer(lab, "client", "eth0", is_icmp(TOO_BIG)) as sniffer:
            upload(lab, "client", vip)
            error = sniffer.wait()
        about = quoted(error)
        assert error.dst == client
        assert (about.src, about.dst, about.dport) == (client, vip, 9000)


@pytest.mark.parametrize("family", [4, 6])
def test_too_big_from_the_balancer(family):
    """The balancer itself finds the way to the backend too narrow."""
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    with Lab(backends=1, clients=1) as lab:
        lab.tcp_server("b1", [9000])
        lab.ip("lb", ["route add %s dev br0 mtu lock %d" % (lab.backend_addr(1, family), SMALL_MTU)])
        daemon = lab.fnatd({"pools": lab.pool(), "services": {"t": {
            "listeners": [listener(vip, 9000)], "pool": "lan",
            "backends": {"b1": {"address": lab.backend_addr(1, family)}}}}})
        with daemon, Sniffer(lab, "client", "eth0", is_icmp(TOO_BIG)) as sniffer:
            upload(lab, "client", vip)
            error = sniffer.wait()
        about = quoted(error)
        assert error.dst == client
        assert (about.src, about.dst, about.dport) == (client, vip, 9000)
