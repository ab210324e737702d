# SPDX-License-Identifier: GPL-2.0-or-later
"""The port budget: what local addresses have in use, and where new connections go when it is much."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import listener, service
from ctl_testing import OK, on_terminal
from lab import VIP, VIP6, wait_for
from listing import blocks, canonical
from openapi import CheckedApi
from test_bad_input import problems
from test_events import follow  # noqa: F401 (a fixture)
from test_listing import RULES

PORTS = 100


def config(lab, family=4, addresses=2, backends=1, **pool):
    first = "10.1.0.50" if family == 4 else "fd00:1::50"
    names = lab.backends[:backends]
    return {"pools": {"lan": dict({"addresses": ["%s-%s" % (first, first[:-1] + str(addresses - 1))],
                                   "ports": "20000-%d" % (20000 + PORTS - 1)}, **pool)},
            "services": {"dns": service(lab, [listener(VIP if family == 4 else VIP6, 53, "udp")],
                                        names=names, port=53, families=(family,))}}


class Flows:
    """New UDP flows, each from a client's port of its own; which local address each got."""

    def __init__(self, lab, family=4):
        self.lab, self.family, self.n = lab, family, 0

    def one(self):
        i = self.n
        self.n += 1
        source = (self.lab.client_addr(i % 60, self.family), 30000 + i // 60)
        reply = self.lab.udp_ask("client", VIP if self.family == 4 else VIP6, 53, source)
        return reply.remote_addr

    def many(self, n):
        return [self.one() for _ in range(n)]


def occupancy(api):
    """By local address."""
    found = api.must("GET", "/v1/stats?pool=lan").json["pools"]["lan"]
    assert found["ports"] == PORTS
    return {o["address"]: o for o in found["occupancy"]}


def insert_failed(api):
    """The kernel counts as long as the namespace is there: what earlier tests saw is in it."""
    return api.must("GET", "/v1/stats").json["insert_failed"]


def fill(api, flows, level):
    """Until some address is there: returns it."""
    flows.many(max(0, 110 - flows.n))
    for _ in range(100):
        there = [a for a, o in occupancy(api).items() if o["level"] == level]
        if there:
            return there[0]
        flows.many(3)
    raise AssertionError("nothing is %s: %r" % (level, occupancy(api)))


def detours(lab):
    return re.findall(r"map (detour-\S+) \{", lab.nft("list", "table", "inet", "fnat"))


@pytest.mark.parametrize("family", [4, 6])
def test_full_address_gets_no_new_flows(lab, start, follow, family):  # noqa: F811
    d = start(config(lab, family))
    api = CheckedApi(d.socket)
    events = follow(d.socket)
    before = insert_failed(api)
    flows = Flows(lab, family)
    local = fill(api, flows, "warn")
    assert not detours(lab), "at 80 % nothing is to go another way"
    local = fill(api, flows, "full")
    wait_for(lambda: detours(lab), what="a map of detours")
    used = occupancy(api)[local]["used"]
    assert 95 <= used < PORTS
    # Every new one is answered, from the other address.
    assert local not in flows.many(15)
    assert occupancy(api)[local]["used"] == used
    assert insert_failed(api) == before
    seen = [events.event() for _ in range(2)]
    while seen[-1]["to"] != "full":
        seen.append(events.event())
    assert [e["type"] for e in seen] == ["ports"] * len(seen)
    mine = [e for e in seen if e["address"] == local]
    assert [(e["from"], e["to"]) for e in mine] == [("busy", "warn"), ("warn", "full")]
    assert mine[-1]["addresses_left"] == 1 and mine[-1]["ports"] == PORTS and mine[-1]["used"] == 95
    assert mine[-1]["protocol"] == "udp" and mine[-1]["pool"] == "lan"
    check_explain(lab, d, family, local)
    # And back: the chain is as before, and the address is used again.
    api.must("DELETE", "/v1/connections?service=dns")
    occupancy(api)
    wait_for(lambda: not detours(lab), what="no detours")
    assert {local} < set(flows.many(20))
    back = []
    while len(back) < 2:
        e = events.event()
        back += [(e["from"], e["to"])] if e["address"] == local else []
    assert back == [("full", "warn"), ("warn", "busy")]


def check_explain(lab, d, family, local):
    """What it says of a client is where that client goes, around the full address or not."""
    detour = None
    for port in range(50000, 50040):
        client, vip = lab.client_addr(1, family), VIP if family == 4 else VIP6
        told = d.api.must("GET", "/v1/explain?protocol=udp&client=%s&virtual=%s" % (
            text_of(client, port), text_of(vip, 53))).json["local"]
        assert told["address"] != local
        if told["detour"] and not detour:
            detour = port
            assert lab.udp_ask("client", vip, 53, (client, port)).remote_addr == told["address"]
    assert detour


def text_of(address, port):
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def test_nobody_left(lab, start, follow):  # noqa: F811
    """When no address has room, what is left is used, and what fails is counted and said."""
    d = start(config(lab, addresses=1))
    api = CheckedApi(d.socket)
    events = follow(d.socket)
    flows = Flows(lab)
    flows.many(60)
    occupancy(api)
    flows.many(PORTS - 60)
    assert occupancy(api)["10.1.0.50"] == {"address": "10.1.0.50", "backend": "10.1.0.11:53",
                                           "protocol": "udp", "used": PORTS, "level": "full"}
    e = events.event()
    while e["to"] != "full":
        e = events.event()
    assert e["addresses_left"] == 0
    before = insert_failed(api)
    with pytest.raises(TimeoutError):
        lab.udp_ask("client", VIP, 53, (lab.client_addr(3), 60000), timeout=0.3)
    assert insert_failed(api) > before
    d.wait_log(r"new connections were dropped by conntrack \(insert_failed\)")
    text = api.get("/metrics").text
    assert 'fnat_pool_ports_used{pool="lan",address="10.1.0.50",backend="10.1.0.11:53",' \
           'protocol="udp"} 100' in text
    assert "\nfnat_pool_ports_full 1\n" in text
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=text.encode(), check=True)
    shown = on_terminal(d, "pool", "show", "lan")[1]
    assert re.search(r"^10\.1\.0\.50 +10\.1\.0\.11:53 +udp +100 +100\.0 % +full$", shown, re.M), shown


def test_ports_of_pool(lab, start):
    """Only these are used; a wrong range is refused by name."""
    d = start(config(lab))
    seen = {lab.udp_ask("client", VIP, 53, (lab.client_addr(i % 60), 0)).remote_port for i in range(20)}
    assert all(20000 <= p < 20000 + PORTS for p in seen)
    pool = d.api.must("GET", "/v1/pools/lan").json
    assert pool["ports"] == "20000-20099"
    assert d.ctl("pool", "set", "lan", "ports=30000-30999").returncode == OK
    assert 30000 <= lab.udp_ask("client", VIP, 53, (lab.client_addr(1), 1500)).remote_port < 31000
    d.api.must("PATCH", "/v1/pools/lan", {"ports": None})
    assert "ports" not in d.api.must("GET", "/v1/pools/lan").json
    for wrong in ("", "1-", "0-9", "9-1", "1-65536", "1-2x", "-1-2", 5, "100"):
        r = d.api.request("PATCH", "/v1/pools/lan", {"ports": wrong})
        assert r.status == 422, wrong
        assert problems(r)[0][0] == "/pools/lan/ports", wrong
        assert 'expected a range of ports, as "1024-65535"' in problems(r)[0][1]


def verified(api):
    """The table is as it should be."""
    before = api.must("GET", "/v1/status").json["drift_repaired"]
    api.must("POST", "/v1/verify")
    assert api.must("GET", "/v1/status").json["drift_repaired"] == before


def test_listing(lab, start):
    """nft lists what there is then (rules/detour.nft), and fnatd's own listing is the same; a change
    keeps it."""
    with open(os.path.join(RULES, "detour.json")) as f:
        d = start(f.read())
    api, flows = CheckedApi(d.socket), Flows(lab)
    flows.many(180)
    occupancy(api)
    while not detours(lab):
        flows.one()
    seen = canonical(lab.nft("-s", "list", "table", "inet", "fnat"))
    if os.environ.get("FNAT_UPDATE_RULES"):
        with open(os.path.join(RULES, "detour.nft"), "w") as f:
            f.write(seen)
    with open(os.path.join(RULES, "detour.nft")) as f:
        assert seen.splitlines() == f.read().splitlines()
    assert blocks(canonical(d.api.must("GET", "/v1/ruleset").text)) == blocks(seen)
    verified(api)
    # A change of the pool keeps them, for the addresses that there are then.
    d.api.must("PATCH", "/v1/pools/lan", {"addresses": ["10.1.0.50-10.1.0.53"]})
    assert "mod 32 seed 0x6c616472 map @detour-lan4" in lab.nft("list", "table", "inet", "fnat")
    verified(api)
