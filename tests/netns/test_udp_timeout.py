# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP flows that are remembered shortly, or not at all: the nearest to one-packet scheduling."""

import socket
import time
from collections import Counter

import pytest

from conftest import config, listener, service
from ctl_testing import ok
from lab import VIP, VIP6, wait_for
from listing import blocks, canonical
from servers import parse_reply
from watch import NftMonitor


def dns(lab, **kw):
    return config(lab, dns=service(lab, [listener(VIP, 53, "udp"), listener(VIP6, 53, "udp"),
                                         listener(VIP, 53, "tcp")],
                                   port=53, families=(4, 6), **kw))


class Client:
    """One port of a client."""

    def __init__(self, lab, addr=VIP):
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        self.sock = lab.socket("client", family, socket.SOCK_DGRAM)
        self.sock.settimeout(2)
        self.sock.connect((addr, 53))

    def ask(self):
        self.sock.send(b"?")
        return parse_reply(self.sock.recv(2048).decode()).backend


@pytest.mark.parametrize("addr", [VIP, VIP6])
def test_a_pause_is_the_end_of_a_flow(lab, start, addr):
    start(dns(lab, udp_timeout_s=1))
    client = Client(lab, addr)
    seen = []
    for _ in range(3):
        first = client.ask()
        assert client.ask() == first
        seen.append(first)
        time.sleep(1.2)  # the kernel's clock, nothing else to wait for
    assert sorted(seen) == ["b1", "b2", "b3"]


def test_without_it_the_flow_stays(lab, start):
    start(dns(lab))
    client = Client(lab)
    first = client.ask()
    time.sleep(1.2)
    assert client.ask() == first


def test_each_datagram_by_itself(lab, start):
    """As many as there are, from one port, exactly in turn; answers do not come through."""
    for server in lab.udp.values():
        server.answer = False
    try:
        start(dns(lab, one_packet=True))
        client = Client(lab)
        for _ in range(300):
            client.sock.send(b"log")
        wait_for(lambda: sum(u.count for u in lab.udp.values()) == 300, 5, "all datagrams")
        assert Counter({b: u.count for b, u in lab.udp.items()}) == {"b1": 100, "b2": 100, "b3": 100}
        # They do not pile up.
        assert len([x for x in lab.conntrack("-p", "udp") if "dport=53 " in x]) <= 1
    finally:
        for server in lab.udp.values():
            server.answer = True


def test_changes_of_a_live_service(lab, start):
    d = start(dns(lab))
    lists = lambda: lab.nft("list", "table", "inet", "fnat")  # noqa: E731
    assert "ct timeout" not in lists()
    ok(d, "service", "set", "dns", "udp_timeout_s=5")
    wait_for(lambda: d.api.status()["garbage"] == 0, 5, "the old program to go")
    text = lists()
    assert "ct timeout udp-5" in text and 'ct timeout set "udp-5"' in text
    assert blocks(canonical(d.ctl("show", "ruleset").stdout)) == blocks(canonical(text))
    assert Client(lab).ask() in lab.backends
    flow, = [x for x in lab.conntrack("-p", "udp") if "dport=53 " in x]
    assert int(flow.split()[2]) <= 5
    # A listener of another protocol is as it was.
    assert text.count('ct timeout set "udp-5"') == 2
    d.kill()
    with NftMonitor(lab) as monitor:
        d = start(dns(lab, udp_timeout_s=5))
        assert monitor.lines() == []
    ok(d, "service", "set", "dns", "udp_timeout_s=", "one_packet=true")
    assert "udp-0" in lists()
    ok(d, "service", "set", "dns", "one_packet=false")
    wait_for(lambda: "ct timeout" not in lists(), 5, "the objects to go")


def test_somebody_else_declared_it(lab, start):
    """An object of that name with other times is not what is wanted: the table is made anew."""
    lab.nft_load("""table inet fnat {
  ct timeout udp-5 { protocol udp;
    policy = { unreplied : 9, replied : 9 };
  }
}""")
    d = start(dns(lab, udp_timeout_s=5), "--plain-table")
    assert "timeout udp-5 is not declared as fnat does" in d.log()
    listed = lab.nft("list", "table", "inet", "fnat")
    assert "unreplied : 5" in listed and "unreplied : 9" not in listed
    assert Client(lab).ask() in lab.backends


@pytest.mark.parametrize("fields,pointer", [
    ({"udp_timeout_s": -1}, "/services/dns/udp_timeout_s"),
    ({"udp_timeout_s": 43201}, "/services/dns/udp_timeout_s"),
    ({"udp_timeout_s": "5"}, "/services/dns/udp_timeout_s"),
    ({"one_packet": 1}, "/services/dns/one_packet"),
    ({"one_packet": True, "udp_timeout_s": 5}, "/services/dns/udp_timeout_s"),
])
def test_bad_values(lab, start, fields, pointer):
    d = start(dns(lab))
    r = d.api.patch("/v1/services/dns", fields)
    assert r.status == 422 and r.json["problems"][0]["pointer"] == pointer, r
