# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses that fnat assigns: there while they are wanted, announced, and never one of others."""

import json
import os
import signal
import socket
import struct
import time

import pytest

from conftest import config, end, listener, service, web
from lab import find_program
from namespaces import wait_for

VIP, VIP_B, VIP6 = "198.51.100.210", "198.51.100.211", "2001:db8:c::210"
PROTO_FNAT = 250


def on(lab, device, ns="lb"):
    """{address: entry} of a device, as `ip` shows them."""
    r = lab.run(ns, ["ip", "-j", "-d", "addr", "show", "dev", device], check=False)
    if r.returncode != 0:
        return {}
    return {a["local"]: a for link in json.loads(r.stdout) for a in link.get("addr_info", ())}


def appears(lab, address, device="client0"):
    wait_for(lambda: address in on(lab, device), 20, "%s on %s" % (address, device))


def goes(lab, address, device="client0"):
    wait_for(lambda: address not in on(lab, device), 20, "%s gone from %s" % (address, device))


def assigned(address=VIP, port=80, interface="client0"):
    return dict(listener(address, port), interface=interface)


def number(lab, address, device="client0"):
    """IFA_PROTO of an address: iproute2 6.1 does not show it."""
    with lab.ns("lb"):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        index = socket.if_nametoindex(device)
    found = None
    with s:
        s.bind((0, 0))
        s.send(struct.pack("=IHHIIBBBBI", 24, 22, 0x301, 1, 0, 0, 0, 0, 0, 0))  # RTM_GETADDR, a dump
        done = False
        while not done:
            data, off = s.recv(1 << 16), 0
            while off + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, off)
                done |= kind == 3
                if kind == 20 and struct.unpack_from("=I", data, off + 20)[0] == index:
                    attrs, at = {}, off + 24
                    while at + 4 <= off + length:
                        size, name = struct.unpack_from("=HH", data, at)
                        attrs[name] = data[at + 4:at + size]
                        at += (size + 3) & ~3
                    family = socket.AF_INET6 if len(attrs.get(1, b"")) == 16 else socket.AF_INET
                    if socket.inet_ntop(family, attrs.get(2, attrs[1])) == address:
                        found = attrs.get(11, b"\0")[0]
                off += (length + 3) & ~3
    return found


@pytest.fixture(autouse=True)
def no_address_left(lab):
    yield
    end(lab.daemons)
    lab.run("lb", [find_program("fnatd"), "--flush"])
    for device in ("client0", "br0", "lo"):
        assert not {VIP, VIP_B, VIP6} & set(on(lab, device))


def test_with_the_service(lab, start):
    daemon = start(config(lab, web=service(lab, families=(4, 6), listeners=[assigned(), assigned(VIP6)])))
    for address, bits in ((VIP, 32), (VIP6, 128)):
        appears(lab, address)
        entry = on(lab, "client0")[address]
        assert entry["prefixlen"] == bits and entry["noprefixroute"]
        assert lab.ask("client", address)
    six = on(lab, "client0")[VIP6]
    assert six["nodad"] and six["deprecated"] and not six.get("tentative")
    daemon.api.must("DELETE", "/v1/services/web")
    goes(lab, VIP)
    goes(lab, VIP6)


def test_last_listener_takes_it_away(lab, start):
    daemon = start(config(lab, web=service(lab, listeners=[assigned(port=80)]),
                          tls=service(lab, listeners=[assigned(port=443)])))
    appears(lab, VIP)
    daemon.api.must("DELETE", "/v1/services/web")
    daemon.api.must("PATCH", "/v1/services/tls", {"listeners": [assigned(port=443), assigned(VIP_B, 443)]})
    appears(lab, VIP_B)
    assert VIP in on(lab, "client0")
    daemon.api.must("PATCH", "/v1/services/tls", {"listeners": [assigned(VIP_B, 443)]})
    goes(lab, VIP)
    assert VIP_B in on(lab, "client0")


def test_pool(lab, start):
    document = web(lab)
    document["pools"]["lan"] = {"addresses": ["10.1.0.240-10.1.0.243", "fd00:1::f0/126"], "interface": "br0"}
    daemon = start(document)
    appears(lab, "10.1.0.243", "br0")
    appears(lab, "fd00:1::f3", "br0")
    assert {lab.ask("client", "192.0.2.10").remote_addr for _ in range(20)} <= {"10.1.0.24%d" % i for i in range(4)}
    daemon.api.must("PATCH", "/v1/pools/lan", {"addresses": ["10.1.0.241"]})
    goes(lab, "10.1.0.243", "br0")
    goes(lab, "fd00:1::f0", "br0")
    assert "10.1.0.241" in on(lab, "br0")
    daemon.api.must("PATCH", "/v1/pools/lan", {"interface": None})
    goes(lab, "10.1.0.241", "br0")


def test_never_one_of_others(lab, start):
    """It was there before: fnat uses it, and leaves it."""
    lab.run("lb", "ip addr add %s/24 dev client0" % VIP)
    try:
        daemon = start(web(lab, listeners=[assigned(), assigned(VIP_B)]))
        appears(lab, VIP_B)
        assert number(lab, VIP) == 0 and number(lab, VIP_B) == PROTO_FNAT
        daemon.api.must("DELETE", "/v1/services/web")
        goes(lab, VIP_B)
        assert on(lab, "client0")[VIP]["prefixlen"] == 24
    finally:
        lab.run("lb", "ip addr del %s/24 dev client0" % VIP)


def test_remembered_over_a_crash(lab, start):
    """Killed; the next one finds another configuration, and what the first has added."""
    daemon = start(web(lab, listeners=[assigned(), assigned(VIP_B)]))
    appears(lab, VIP)
    appears(lab, VIP_B)
    os.kill(daemon.proc.pid, signal.SIGKILL)
    daemon.proc.wait(10)
    assert {VIP, VIP_B} <= set(on(lab, "client0"))
    start(web(lab, listeners=[assigned(VIP_B)]))
    goes(lab, VIP)
    assert VIP_B in on(lab, "client0")


def test_stays_when_the_daemon_ends(lab, start):
    daemon = start(web(lab, listeners=[assigned()]))
    appears(lab, VIP)
    daemon.stop()
    assert VIP in on(lab, "client0") and lab.ask("client", VIP)
    lab.run("lb", [find_program("fnatd"), "--flush"])
    assert VIP not in on(lab, "client0")


def test_another_table_s_are_not_touched(lab, start):
    start(web(lab, listeners=[assigned()]), "--table", "blue")
    appears(lab, VIP)
    start(web(lab, listeners=[assigned(VIP_B)]))
    appears(lab, VIP_B)
    assert VIP in on(lab, "client0") and number(lab, VIP) != number(lab, VIP_B)
    lab.run("lb", [find_program("fnatd"), "--flush"], check=False)
    for d in lab.daemons:
        d.kill()
    lab.run("lb", [find_program("fnatd"), "--flush", "--table", "blue"])
    assert VIP not in on(lab, "client0")


def test_somebody_takes_it_away(lab, start):
    start(web(lab, listeners=[assigned()]))
    appears(lab, VIP)
    lab.run("lb", "ip addr del %s/32 dev client0" % VIP)
    appears(lab, VIP)


def test_interface_that_appears_later(lab, start):
    daemon = start(web(lab, listeners=[assigned(interface="late0")]))
    daemon.wait_log("interface late0 is not there")
    daemon.api.must("PUT", "/v1/services/web/backends/x", {"address": "10.1.0.99"})
    assert daemon.log().count("interface late0") == 1
    lab.run("lb", "ip link add late0 type bridge")
    try:
        lab.run("lb", "ip link set late0 up")
        appears(lab, VIP, "late0")
        lab.run("lb", "ip link set late0 down")
        lab.run("lb", "ip addr del %s/32 dev late0" % VIP)
        daemon.wait_log("interface late0 is down")
        lab.run("lb", "ip link set late0 up")
        appears(lab, VIP, "late0")
    finally:
        lab.run("lb", "ip link del late0")


class Frames:
    """What arrives at the client: ARP requests and neighbour advertisements, by the address they are about."""

    def __init__(self, lab):
        with lab.ns("client"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            self.sock.bind(("eth0", 3))
        self.sock.settimeout(0.1)
        self.seen = []

    def count(self, address):
        try:
            while True:
                self.take(self.sock.recv(2048))
        except socket.timeout:
            return sum(a == address for a in self.seen)

    def take(self, f):
        kind = struct.unpack_from("!H", f, 12)[0]
        if kind == 0x806 and f[20:22] == b"\0\1" and f[28:32] == f[38:42] and f[:6] == b"\xff" * 6:
            assert f[6:12] == f[22:28]
            self.seen.append(socket.inet_ntoa(f[28:32]))
        elif kind == 0x86dd and f[20] == 58 and f[54] == 136 and f[38:54] == socket.inet_pton(socket.AF_INET6, "ff02::1"):
            assert f[21] == 255 and f[58] & 0x20 and f[80:86] == f[6:12]
            self.seen.append(socket.inet_ntop(socket.AF_INET6, f[62:78]))


def test_announced_a_few_times(lab, start):
    frames = Frames(lab)
    with frames.sock:
        start(config(lab, web=service(lab, families=(4, 6), listeners=[assigned(), assigned(VIP6)])))
        wait_for(lambda: frames.count(VIP) >= 3 and frames.count(VIP6) >= 3, 20, "announcements")


def test_neighbours_learn_where_it_is_now(lab, start):
    """Both families: the client has the address of a host that is gone."""
    for address in (VIP, VIP6):
        lab.run("client", "ip neigh replace %s lladdr 02:00:00:00:00:99 dev eth0 nud reachable" % address)
    start(config(lab, web=service(lab, families=(4, 6), listeners=[assigned(), assigned(VIP6)])))
    for address in (VIP, VIP6):
        wait_for(lambda: "02:00:00:00:00:99" not in lab.run("client", "ip neigh show %s" % address).stdout, 20,
                 "the client's neighbour")
        assert lab.ask("client", address)


def test_without_cap_net_raw(lab, start):
    """Assigned, not announced, and it says so."""
    daemon = start(web(lab, listeners=[assigned()]),
                   wrapper=["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"])
    appears(lab, VIP)
    daemon.wait_log("addresses are not announced")
    assert lab.ask("client", VIP)


def test_the_machine_is_not_blamed(lab, start):
    """What fnatd assigns itself is no finding, unless there is no such interface."""
    document = web(lab, listeners=[assigned()])
    document["pools"]["far"] = {"addresses": ["10.99.0.1"], "interface": "none0"}
    daemon = start(document)
    found = [f["what"] for f in daemon.api.get("/v1/doctor").json["findings"] if "not-assigned" in f["id"]]
    assert len(found) == 1 and "10.99.0.1" in found[0]


def test_nothing_of_it_without_the_field(lab, start):
    daemon = start(web(lab), wrapper=["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"])
    daemon.api.must("PUT", "/v1/services/web/backends/x", {"address": "10.1.0.99"})
    assert "addresses" not in daemon.log()


def test_the_api_does_not_wait(lab, start):
    """2,048 addresses are assigned beside the loop, and go again."""
    document = web(lab)
    document["pools"]["big"] = {"addresses": ["10.77.0.0/21"], "interface": "big0"}
    lab.run("lb", "ip link add big0 type bridge")
    try:
        lab.run("lb", "ip link set big0 up")
        daemon = start(document)
        took = []
        while "2048 added" not in daemon.log() and len(took) < 1000:
            begin = time.monotonic()
            daemon.api.status()
            took.append(time.monotonic() - begin)
        assert sorted(took)[len(took) // 2] < 0.05
        wait_for(lambda: "2048 added" in daemon.log(), 60, "all of the pool")
        daemon.api.must("DELETE", "/v1/pools/big")
        wait_for(lambda: "2048 removed" in daemon.log(), 60, "nothing of the pool")
        daemon.api.must("PUT", "/v1/pools/big", {"addresses": ["10.78.0.0/17"], "interface": "big0"})
        wait_for(lambda: "10.78.0.9 on big0: added" in daemon.log(), 60, "the first ones")
        begin = time.monotonic()
        daemon.stop()
        assert time.monotonic() - begin < 5
    finally:
        lab.run("lb", "ip link del big0")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "sixteen-letters0", "..", 5])
def test_names_that_no_interface_has(lab, start, name):
    daemon = start(web(lab))
    r = daemon.api.request("PATCH", "/v1/pools/lan", {"interface": name})
    assert r.status == 422 and "interface" in r.text
