# SPDX-License-Identifier: GPL-2.0-or-later
"""/v1/explain and fnatctl explain: what is said beforehand is what the kernel then does."""

import random
import re

import pytest

from api_testing import problem
from conftest import config, listener, service
from ctl_testing import OK, on_terminal, refused
from lab import VIP, VIP2, VIP6, VIP6_2
from openapi import CheckedApi

TUPLES = 100
KEYS = ("source", "source_port", "five_tuple")


def text_of(address, port):
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def path(protocol, client, virtual):
    return "/v1/explain?protocol=%s&client=%s&virtual=%s" % (protocol, text_of(*client), text_of(*virtual))


def dns(lab, **kw):
    listeners = [listener(v, 53, "udp") for v in (VIP, VIP2, VIP6, VIP6_2)]
    return config(lab, dns=service(lab, listeners, port=53, families=(4, 6), **kw))


def tuples(lab, family, seed):
    """Random clients, ports and virtual addresses."""
    rng = random.Random(seed)
    vips = (VIP, VIP2) if family == 4 else (VIP6, VIP6_2)
    ports = rng.sample(range(1024, 65536), TUPLES)
    return [((lab.client_addr(rng.randrange(lab.n_clients), family), port), (rng.choice(vips), 53)) for port in ports]


def check_tuples(lab, api, family, seed):
    """Ask, then do it. Backend, local address and port are as was said, and the live entry agrees."""
    backends = set()
    for client, virtual in tuples(lab, family, seed):
        said = api.must("GET", path("udp", client, virtual)).json
        assert said["verdict"] == "backend" and said["live"] is None and said["agrees"] is None
        (backend,) = said["backends"]
        seen = lab.udp_ask("client", virtual[0], virtual[1], client)
        assert (seen.server_addr, seen.server_port) == (backend["address"], backend["port"]), (client, virtual, said)
        assert (seen.remote_addr, seen.remote_port) == (said["local"]["address"], said["local"]["port"]), (client, said)
        now = api.must("GET", path("udp", client, virtual)).json
        assert now["agrees"] is True and now["live"]["backend"] == {k: backend[k] for k in ("name", "address", "port")}
        backends.add(backend["name"])
    return backends


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheduler", ["sh", "mh"])
def test_hashes(lab, start, scheduler, key, family):
    """The very backend, for random tuples."""
    d = start(dns(lab, scheduler=scheduler, hash={"key": key, "table_size": 4093}))
    assert len(check_tuples(lab, CheckedApi(d.socket, keep=True), family, key)) == 3


@pytest.mark.parametrize("family,prefix", [(4, {"prefix4": 29}), (6, {"prefix6": 125})])
def test_hashes_of_prefixes(lab, start, family, prefix):
    d = start(dns(lab, scheduler="mh", weights=[1, 5, 2], hash=dict(prefix, key="source_port")))
    check_tuples(lab, CheckedApi(d.socket, keep=True), family, 5)


def test_slot_is_the_kernels(lab, start):
    """The slot that is named has that backend, in the table as the kernel has it."""
    d = start(dns(lab, scheduler="sh"))
    listing = lab.nft("list", "map", "inet", "fnat", "slots4-sh-0")
    for client, virtual in tuples(lab, 4, 7)[:20]:
        said = d.api.must("GET", path("udp", client, virtual)).json
        m = re.search(r"%s \. udp \. 53 \. (?:%d|0x0*%x) comment \"dns/(b\d)\" : (\S+) \. 53\b" % (
            virtual[0].replace(".", r"\."), said["slot"], said["slot"]), listing)
        assert m and m.groups() == (said["backends"][0]["name"], said["backends"][0]["address"]), said


@pytest.mark.parametrize("scheduler,weights", [("rr", None), ("wrr", [3, 1, 4]), ("random", [1, 2, 1])])
def test_one_of_several(lab, start, scheduler, weights):
    """In turn or by chance: those it may be, with their shares; the local address is known all the same."""
    d = start(dns(lab, scheduler=scheduler, weights=weights))
    api = CheckedApi(d.socket, keep=True)
    for client, virtual in tuples(lab, 4, 3)[:20]:
        said = api.must("GET", path("udp", client, virtual)).json
        assert said["verdict"] == "one_of" and said["slot"] is None
        total = sum(weights or [1, 1, 1])
        assert [b["slots"] / said["slots"] for b in said["backends"]] == [w / total for w in weights or [1, 1, 1]]
        seen = lab.udp_ask("client", virtual[0], 53, client)
        assert seen.server_addr in [b["address"] for b in said["backends"]]
        assert (seen.remote_addr, seen.remote_port) == (said["local"]["address"], said["local"]["port"])
        assert api.must("GET", path("udp", client, virtual)).json["agrees"] is True


def test_a_small_port_becomes_another(lab, start):
    d = start(dns(lab, scheduler="sh"))
    client = (lab.client_addr(4), 777)
    said = d.api.must("GET", path("udp", client, (VIP, 53))).json
    assert said["local"]["port"] is None
    seen = lab.udp_ask("client", VIP, 53, client)
    assert seen.remote_addr == said["local"]["address"] and seen.remote_port >= 1024


def test_over_tcp(lab, start):
    d = start(config(lab, web=service(lab, scheduler="mh", port=9000)))
    with lab.connect("client", VIP, 80, lab.client_addr(2)) as s:
        assert s.recv(200)
        said = CheckedApi(d.socket).must("GET", path("tcp", s.getsockname(), (VIP, 80))).json
    assert said["agrees"] is True and said["live"]["state"] == "established"


def test_changes(lab, start):
    """A backend that takes nothing is not named; a connection that is older goes elsewhere, and that is said."""
    d = start(dns(lab, scheduler="fo", weights=[3, 2, 1]))
    api = CheckedApi(d.socket)
    client, where = (lab.client_addr(1), 43210), path("udp", (lab.client_addr(1), 43210), (VIP, 53))
    assert lab.udp_ask("client", VIP, 53, client).backend == "b1"
    assert api.must("GET", where).json["agrees"] is True
    api.must("PATCH", "/v1/services/dns/backends/b1", {"weight": 0})
    said = api.must("GET", where).json
    assert [b["name"] for b in said["backends"]] == ["b2"]
    assert said["live"]["backend"]["name"] == "b1" and said["agrees"] is False
    for b in ("b2", "b3"):
        api.must("PATCH", "/v1/services/dns/backends/" + b, {"weight": 0})
    said = api.must("GET", where).json
    assert (said["verdict"], said["program"], said["backends"], said["local"]) == ("refused", "refuse", [], None)
    api.must("PATCH", "/v1/services/dns", {"on_unavailable": "drop"})
    assert api.must("GET", where).json["verdict"] == "dropped"
    api.must("DELETE", "/v1/services/dns")
    said = api.must("GET", where).json
    assert (said["verdict"], said["service"], said["program"], said["slots"]) == ("nobody", None, None, 0)
    api.must("POST", "/v1/flush")
    problem(api.get(where), 409, message="removed from the kernel")


@pytest.mark.parametrize("query,message", [
    ("", '"protocol" is missing'), ("protocol=tcp", '"client" is missing'),
    ("protocol=tcp&client=198.51.100.7:40000", '"virtual" is missing'),
    ("protocol=tcp&client=198.51.100.7&virtual=192.0.2.10:80", "expected ADDRESS:PORT"),
    ("protocol=tcp&client=198.51.100.7:1&virtual=[2001:db8::1]:80", "different families"),
    ("protocol=gre&client=198.51.100.7:1&virtual=192.0.2.10:80", "expected tcp, udp or sctp"),
])
def test_mistakes(lab, start, query, message):
    problem(CheckedApi(start(dns(lab)).socket).get("/v1/explain?" + query), 400, message=message)


def test_ctl(lab, start):
    d = start(dns(lab, scheduler="sh"))
    client = (lab.client_addr(3), 40007)
    seen = lab.udp_ask("client", VIP6, 53, (lab.client_addr(3, 6), 40007))
    words = ["explain", "udp", "[%s]:40007" % lab.client_addr(3, 6), "[%s]:53" % VIP6]
    status, text = on_terminal(d, *words)
    assert status == OK
    lines = text.splitlines()
    assert lines[0] == "listener  [%s]:53/udp of service dns" % VIP6
    assert lines[1] == "program   chain sh6-256" and re.match(r"slot      \d+ of 256, by hash$", lines[2])
    assert lines[3] == "backend   %s-6, [%s]:53" % (seen.backend, seen.server_addr)
    assert re.match(r"local     \[%s\]:40007, number \d+ of 16 of pool lan; another port when that is taken$"
                    % seen.remote_addr, lines[4])
    assert lines[5] == "live      replied, backend %s-6, [%s]:53, local [%s]:40007: as above" % (
        seen.backend, seen.server_addr, seen.remote_addr)
    assert len(lines) == 6
    d.api.must("PATCH", "/v1/services/dns", {"scheduler": "rr"})
    status, text = on_terminal(d, "explain", "udp", text_of(*client), VIP + ":53")
    assert status == OK and re.search(r"slot      one of 3\none of    b1, 10\.1\.0\.11:53, 33\.3 %\n          b2, ", text)
    assert text.endswith("live      no such connection now\n")
    status, text = on_terminal(d, "explain", "udp", text_of(*client), VIP + ":54")
    assert status == OK and text.startswith("listener  %s:54/udp: none of a service" % VIP)
    assert "expected ADDRESS:PORT" in refused(d, "explain", "udp", "198.51.100.7", VIP + ":53")[0]


@pytest.mark.parametrize("family", [4, 6])
def test_known_clients(lab, start, family):
    """A client that is pinned, or remembered, goes where the map says, whatever the scheduler does."""
    suffix = "" if family == 4 else "-6"
    vip, pinned = (VIP if family == 4 else VIP6), lab.client_addr(5, family)
    d = start(config(lab, dns=service(lab, [listener(vip, 53, "udp")], port=53, families=(family,),
                                      persistence={"timeout_s": 300},
                                      pins={pinned: "b3" + suffix})))
    api = CheckedApi(d.socket)
    for i in range(4):
        client = lab.client_addr(i, family)
        said = api.must("GET", path("udp", (client, 40000), (vip, 53))).json
        assert said["by"] == "scheduler" and said["verdict"] == "one_of" and len(said["backends"]) == 3
        seen = lab.udp_ask("client", vip, 53, (client, 40000))
        said = api.must("GET", path("udp", (client, 40001), (vip, 53))).json
        assert said["by"] == "persistence" and said["verdict"] == "backend"
        assert [b["address"] for b in said["backends"]] == [seen.server_addr]
        again = lab.udp_ask("client", vip, 53, (client, 40001))
        assert (again.server_addr, again.remote_addr) == (seen.server_addr, said["local"]["address"])
    said = api.must("GET", path("udp", (pinned, 40000), (vip, 53))).json
    assert said["by"] == "pin" and [b["name"] for b in said["backends"]] == ["b3" + suffix]
    assert lab.udp_ask("client", vip, 53, (pinned, 40000)).server_addr == said["backends"][0]["address"]
    assert "the client is pinned to it" in on_terminal(
        d, "explain", "udp", text_of(pinned, 40000), text_of(vip, 53))[1]
    # It is weighed to 0 and drains: the pin does not count, and so says explain.
    api.must("PATCH", "/v1/services/dns/backends/b3" + suffix, {"weight": 0})
    said = api.must("GET", path("udp", (pinned, 40001), (vip, 53))).json
    seen = lab.udp_ask("client", vip, 53, (pinned, 40001))
    assert (said["by"] == "pin") == (seen.backend == "b3")
    assert seen.server_addr in [b["address"] for b in said["backends"]]
