# SPDX-License-Identifier: GPL-2.0-or-later
"""Persistence: clients come back to their backend, at any listener, until it must not have them or time is up."""

import json
import time

import pytest

from api_testing import problem
from conftest import config, listener, service
from health_testing import blackholed, check, wait_state
from lab import VIP, VIP2, VIP6
from namespaces import wait_for
from openapi import CheckedApi

PATH = "/v1/services/web/persistence"


def sticky(lab, port=8080, families=(4,), listeners=None, persistence=None, **more):
    """One service that remembers, at two ports."""
    listeners = listeners or [listener(VIP, 80), listener(VIP, 8080)]
    return config(lab, web=service(lab, listeners, port=port, families=families, persistence=persistence or {}, **more))


def entries(d, query=""):
    return {e["client"]: e for e in d.api.must("GET", PATH + query).json["entries"]}


def backend_of(lab, client=0, port=80, family=4, vip=None):
    return lab.ask("client", vip or (VIP if family == 4 else VIP6), port, source=lab.client_addr(client, family)).backend


def choices(lab, n, **kw):
    return {i: backend_of(lab, i, **kw) for i in range(n)}


@pytest.mark.parametrize("port", [8080, None])
def test_two_listeners_one_backend(lab, start, port):
    """Clients are spread, and each stays where it is, at both listeners; with backends' own ports and without."""
    start(sticky(lab, port))
    first = choices(lab, 9)
    assert sorted(first.values()) == sorted(["b1", "b2", "b3"] * 3), "the first ones are not in turn"
    for _ in range(3):
        assert choices(lab, 9) == first
        assert choices(lab, 9, port=8080) == first


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "random", "sh", "mh", "fo"])
def test_with_every_scheduler(lab, start, scheduler):
    d = start(sticky(lab, scheduler=scheduler, hash={"key": "source_port"}))
    first = choices(lab, 6)
    for _ in range(3):
        assert choices(lab, 6) == first
    assert {c: e["backend"] for c, e in entries(d).items()} == {lab.client_addr(i): b for i, b in first.items()}


def test_udp(lab, start):
    d = start(config(lab, web=service(lab, [listener(VIP, 53, "udp")], port=None, persistence={})))
    first = {i: lab.udp_ask("client", VIP, 53, source=lab.client_addr(i)).backend for i in range(6)}
    assert set(first.values()) == {"b1", "b2", "b3"}
    for i, b in first.items():
        assert lab.udp_ask("client", VIP, 53, source=lab.client_addr(i)).backend == b
    assert len(entries(d)) == 6


def test_ipv6_and_prefixes(lab, start):
    """All clients of a prefix are one. Both families remember by themselves."""
    d = start(sticky(lab, families=(4, 6), listeners=[listener(VIP, 80), listener(VIP6, 80), listener(VIP6, 8080)],
                     persistence={"prefix4": 28, "prefix6": 124}))
    for family, size, bits in ((4, 16, 28), (6, 16, 124)):
        seen = choices(lab, 40, family=family)
        groups = {}
        for i, b in seen.items():
            groups.setdefault(int(lab.client_addr(i, family).split(":" if family == 6 else ".")[-1],
                                  16 if family == 6 else 10) // size, set()).add(b.split("-")[0])
        assert len(groups) >= 3 and all(len(g) == 1 for g in groups.values()), groups
        found = [c for c in entries(d) if (":" in c) == (family == 6)]
        assert len(found) == len(groups) and all(c.endswith("/%d" % bits) for c in found), found
    assert choices(lab, 40, family=6, port=8080) == choices(lab, 40, family=6)


def test_timeout_refreshes_when_a_connection_begins(lab, start):
    d = start(sticky(lab, persistence={"timeout_s": 100}))
    client, first = lab.client_addr(0), backend_of(lab)
    wait_for(lambda: entries(d)[client]["expires_s"] <= 98, 10)
    assert backend_of(lab) == first
    assert entries(d)[client]["expires_s"] in (99, 100)
    # It ends when nobody comes back, and the client is a new one.
    d.api.must("PATCH", "/v1/services/web", {"persistence": {"timeout_s": 1}})
    assert backend_of(lab) == first
    wait_for(lambda: client not in entries(d), 10)
    assert backend_of(lab) != first


@pytest.mark.parametrize("how", ["weight 0", "deleted", "another address"])
def test_backend_goes(lab, start, how):
    """Its clients go elsewhere at once, the others stay."""
    d = start(sticky(lab))
    first = choices(lab, 12)
    path = "/v1/services/web/backends/b2"
    if how == "deleted":
        d.api.must("DELETE", path)
    else:
        d.api.must("PATCH", path, {"weight": 0} if how == "weight 0" else {"port": 81})
    assert "b2" not in {e.get("backend") for e in entries(d).values()}
    if how == "another address":
        d.api.must("PATCH", path, {"weight": 0})
    after = choices(lab, 12)
    assert all(after[i] == b for i, b in first.items() if b != "b2")
    assert "b2" not in after.values()
    assert choices(lab, 12) == after


def test_backend_down(lab, start):
    """As its check says: nobody is sent there, however well it is remembered."""
    d = start(sticky(lab, check=check("tcp")))
    for b in ("b1", "b2", "b3"):
        wait_state(d, b, "up")
    first = choices(lab, 12)
    with blackholed(lab, "b3"):
        wait_state(d, "b3", "down")
        wait_for(lambda: "b3" not in {e["backend"] for e in entries(d).values()}, 5)
        after = choices(lab, 12)
        assert "b3" not in after.values()
        assert all(after[i] == b for i, b in first.items() if b != "b3")


def test_draining_keeps_its_clients_if_so_configured(lab, start):
    d = start(sticky(lab, persistence={"keep_draining": True}))
    first = choices(lab, 9)
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 0})
    assert choices(lab, 9) == first
    assert "b1" not in {backend_of(lab, i) for i in range(9, 18)}
    # Until it is said otherwise.
    d.api.must("PATCH", "/v1/services/web", {"persistence": {"keep_draining": False}})
    assert "b1" not in choices(lab, 9).values()


def test_full_map_refuses_nobody(lab, start):
    d = start(sticky(lab, persistence={"max_entries": 16}))
    first = choices(lab, 40)
    assert len(entries(d)) == 16
    for i in range(16):
        assert backend_of(lab, i) == first[i]
    assert set(backend_of(lab, 30) for _ in range(3)) == {"b1", "b2", "b3"}


@pytest.mark.parametrize("plain", [False, True])
def test_restart_keeps_what_is_remembered(lab, start, plain):
    args = ["--plain-table"] if plain else []
    document = sticky(lab)
    d = start(document, *args)
    first = choices(lab, 12)
    d.kill()
    before = lab.nft_generation()
    d = start(document, *args)
    assert lab.nft_generation() - before <= 1, "the table was written anew"
    assert choices(lab, 12) == first
    assert d.api.must("POST", "/v1/verify").json["operations"] == 0
    assert len(entries(d)) == 12
    # What changed while nobody looked counts as well.
    d.kill()
    del document["services"]["web"]["backends"]["b1"]
    d = start(document, *args)
    wait_for(lambda: all("backend" in e for e in entries(d).values()), 5)
    after = choices(lab, 12)
    assert all(after[i] == b for i, b in first.items() if b != "b1") and "b1" not in after.values()


def test_listener_added_to_a_live_service(lab, start):
    """Nobody is refused meanwhile, and everybody is known at the new port."""
    d = start(sticky(lab, listeners=[listener(VIP, 80)]))
    first = choices(lab, 12)
    more = [listener(VIP, 80), listener(VIP, 8080), listener(VIP2, 80)]
    d.api.must("PATCH", "/v1/services/web", {"listeners": more})
    assert choices(lab, 12, port=8080) == first
    assert choices(lab, 12, vip=VIP2) == first
    assert choices(lab, 12) == first


def test_changes_keep_what_is_remembered(lab, start):
    """Scheduler, weights, pool, timeout, other backends: none of it makes a client new."""
    d = start(sticky(lab))
    first = choices(lab, 9)
    d.api.must("PUT", "/v1/pools/other", {"addresses": lab.pool_addrs(4)[:1]})
    for patch in ({"scheduler": "wrr"}, {"backends": {"b1": {"weight": 7}}}, {"persistence": {"timeout_s": 77}},
                  {"pool": "other"}, {"scheduler": "random"}, {"on_unavailable": "drop"},
                  {"pins": {"203.0.113.9": "b1"}}):
        d.api.must("PATCH", "/v1/services/web", patch)
        assert choices(lab, 9) == first, patch
    d.api.must("PATCH", "/v1/services/web", {"persistence": None})
    assert "sticky" not in lab.nft("list", "chain", "inet", "fnat", "dispatch")
    assert set(backend_of(lab) for _ in range(30)) > {first[0]}
    wait_for(lambda: "sticky" not in lab.nft("list", "table", "inet", "fnat"), 10)


def test_pins(lab, start):
    """The longest prefix decides; a pin to a backend that is gone or down is none."""
    a, b, other = (lab.client_addr(i) for i in range(3))
    d = start(sticky(lab, pins={a: "b1", b: "b2", "198.51.100.0/24": "b3", "10.0.0.0/8": "b1"}))
    for _ in range(2):
        for port in (80, 8080):
            assert (backend_of(lab, 0, port), backend_of(lab, 1, port), backend_of(lab, 2, port)) == ("b1", "b2", "b3")
    d.api.must("PATCH", "/v1/services/web/backends/b2", {"weight": 0})
    assert backend_of(lab, 1) == "b3", "the shorter prefix"
    d.api.must("PATCH", "/v1/services/web", {"pins": {a: "b3", b: None, "198.51.100.0/24": None}})
    assert backend_of(lab, 0) == "b3"
    problem(d.api.delete("/v1/services/web/backends/b3"), 422, "/services/web/pins/" + a, "no such backend")
    d.api.must("PATCH", "/v1/services/web", {"pins": None})
    assert "pins" not in d.api.must("GET", "/v1/services/web").json


def test_pins_without_persistence(lab, start):
    d = start(config(lab, web=service(lab, families=(4, 6), listeners=[listener(), listener(VIP6)],
                                      pins={lab.client_addr(3): "b2", lab.client_addr(3, 6): "b3-6"})))
    assert {backend_of(lab, 3) for _ in range(6)} == {"b2"}
    assert {backend_of(lab, 3, family=6) for _ in range(6)} == {"b3"}
    assert {backend_of(lab, 4) for _ in range(6)} == {"b1", "b2", "b3"}
    problem(d.api.get(PATH), 404)


def test_list_and_delete(lab, start):
    d = start(sticky(lab, persistence={"prefix4": 32}))
    first = choices(lab, 9)
    of_b1 = {lab.client_addr(i) for i, b in first.items() if b == "b1"}
    assert set(entries(d, "?backend=b1")) == of_b1
    one = entries(d, "?client=" + lab.client_addr(4))
    assert list(one) == [lab.client_addr(4)] and one[lab.client_addr(4)]["address"] == lab.backend_addr(first[4])
    answer = d.api.must("GET", PATH + "?max=2").json
    assert answer["total"] == 9 and len(answer["entries"]) == 2
    assert d.api.must("DELETE", PATH + "?client=" + lab.client_addr(4)).json == {"deleted": 1}
    assert d.api.must("DELETE", PATH + "?client=" + lab.client_addr(4)).json == {"deleted": 0}
    assert d.api.must("DELETE", PATH + "?backend=b1").json == {"deleted": len(of_b1 - {lab.client_addr(4)})}
    assert json.loads(d.ctl("persistence", "show", "web", lab.client_addr(5)).stdout)["total"] == 1
    assert json.loads(d.ctl("persistence", "del", "web", lab.client_addr(5)).stdout) == {"deleted": 1}
    assert lab.client_addr(6) in d.ctl("-o", "table", "persistence", "show", "web").stdout or first[6] == "b1"
    d.ctl("persistence", "del", "web")
    assert d.api.must("GET", PATH).json == {"total": 0, "entries": []}
    for query, status in (("?client=x", 400), ("?backend=no", 404), ("?max=x", 400), ("?clients=", 400)):
        problem(d.api.get(PATH + query), status)
    problem(d.api.get("/v1/services/no/persistence"), 404)


def test_flushed_table(lab, start):
    d = start(sticky(lab))
    backend_of(lab)
    d.api.must("POST", "/v1/flush")
    assert d.api.must("GET", PATH).json["total"] == 0
    assert d.api.must("DELETE", PATH).json["deleted"] == 0
    d.api.must("POST", "/v1/verify")
    backend_of(lab)
    assert d.api.must("GET", PATH).json["total"] == 1


def test_drift_is_repaired_and_entries_are_none(lab, start):
    """Somebody removes a pin and the rule that remembers: both come back. Entries, even by hand, stay."""
    d = start(sticky(lab, pins={"203.0.113.7": "b1"}), "--plain-table")
    first = choices(lab, 6)
    name = [line.split()[1] for line in lab.nft("list", "maps").splitlines() if "map sticky4" in line][0]
    lab.nft("add", "element", "inet", "fnat", name, "{ 203.0.113.8 timeout 5m : %s . 8080 }" % lab.backend_addr("b3"))
    pins = [line.split()[1] for line in lab.nft("list", "maps").splitlines() if "map pins4" in line][0]
    lab.nft("delete", "element", "inet", "fnat", pins, "{ 203.0.113.7 }")
    lab.nft("flush", "chain", "inet", "fnat", "new-1")
    d.api.must("POST", "/v1/verify")
    assert "203.0.113.7" in lab.nft("list", "map", "inet", "fnat", pins)
    assert "update @" + name in lab.nft("list", "chain", "inet", "fnat", "new-1")
    assert choices(lab, 6) == first
    assert entries(d)["203.0.113.8"]["backend"] == "b3"


def load_entries(lab, d, n, backend, begin=0):
    """Put n entries into the map, as the kernel would."""
    name = [line.split()[1] for line in lab.nft("list", "maps").splitlines() if "map sticky4" in line][0]
    for i in range(begin, begin + n, 5000):
        lab.nft_load("add element inet fnat %s { %s }" % (name, ", ".join(
            "10.%d.%d.%d timeout 1h : %s . 8080" % (k >> 16, k >> 8 & 255, k & 255, lab.backend_addr(backend))
            for k in range(i, min(begin + n, i + 5000)))))


@pytest.mark.slow
def test_many_entries_of_a_backend_that_goes(lab, start):
    """20,000 of them: gone soon after the change is answered."""
    d = start(sticky(lab), "--plain-table")
    load_entries(lab, d, 20000, "b2")
    first = choices(lab, 6)
    assert d.api.must("GET", PATH + "?max=0").json["total"] == 20006
    t = time.monotonic()
    d.api.must("PATCH", "/v1/services/web/backends/b2", {"weight": 0})
    left = len([b for b in first.values() if b != "b2"])
    wait_for(lambda: d.api.must("GET", PATH + "?max=0").json["total"] == left, 5, "the entries to go")
    took = time.monotonic() - t
    print("20,000 entries: %.1f ms" % (took * 1e3))
    assert took < 2


@pytest.mark.parametrize("change, where", [
    ({"persistence": {"timeout_s": 0}}, "/services/web/persistence/timeout_s"),
    ({"persistence": {"timeout_s": 2678401}}, "/services/web/persistence/timeout_s"),
    ({"persistence": {"prefix4": 33}}, "/services/web/persistence/prefix4"),
    ({"persistence": {"prefix6": 0}}, "/services/web/persistence/prefix6"),
    ({"persistence": {"max_entries": 15}}, "/services/web/persistence/max_entries"),
    ({"persistence": {"keep_draining": 1}}, "/services/web/persistence/keep_draining"),
    ({"persistence": {"timeout": 300}}, "/services/web/persistence/timeout"),
    ({"persistence": 300}, "/services/web/persistence"),
    ({"persistence": {}, "backends": {"b1": {"address": "10.1.0.11", "port": 80}, "b2": {"address": "10.1.0.12"}}},
     "/services/web/backends/b2/port"),
    ({"pins": {"198.51.100.1": "nobody"}}, "/services/web/pins/198.51.100.1"),
    ({"pins": {"2001:db8::1": "b1"}}, "/services/web/pins/2001:db8::1"),
    ({"pins": {"198.51.100.1/24": "b1"}}, "/services/web/pins/198.51.100.1~124"),
    ({"pins": {"198.51.100.1-198.51.100.9": "b1"}}, "/services/web/pins/198.51.100.1-198.51.100.9"),
    ({"pins": {"0.0.0.0/0": "b1"}}, "/services/web/pins/0.0.0.0~10"),
    ({"pins": {"x": "b1"}}, "/services/web/pins/x"),
    ({"pins": {"198.51.100.1": 1}}, "/services/web/pins/198.51.100.1"),
    ({"pins": {"198.51.100.1": "b1", "198.51.100.1/32": "b1"}}, "/services/web/pins"),
    ({"pins": {"10.0.0.0/%d" % n: "b1" for n in range(8, 13)}}, "/services/web/pins"),
    ({"pins": []}, "/services/web/pins"),
])
def test_refused(lab, start, change, where):
    d = start(config(lab))
    body = dict(service(lab), **change)
    problem(d.api.put("/v1/services/web", body), 422, where)


def test_many_clients_leave_without_holding_up_others(lab, start):
    """A large map is cleaned between other changes, to its end, whatever is changed meanwhile."""
    doc = sticky(lab)
    doc["services"]["two"] = service(lab, [listener(VIP2, 80)])
    d = start(doc, "--plain-table")
    for i, b in enumerate(["b1", "b2", "b3"]):
        load_entries(lab, d, 13000, b, 13000 * i)
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"state": "disabled"})
    n = 0
    while "forgot" not in d.log():
        d.api.must("PATCH", "/v1/services/two/backends/b2", {"weight": 2 + n % 2})
        if n == 1:  # of the service itself, while it is looked through
            d.api.must("PATCH", "/v1/services/web/backends/b2", {"state": "disabled"})
        n += 1
    assert n > 2
    wait_for(lambda: d.log().count("forgot") >= 2, 10, "the second one's clients to be forgotten")
    wait_for(lambda: d.api.must("GET", PATH + "?max=0").json["total"] == 13000, 5, "those of the third alone")
    assert {e["backend"] for e in entries(d).values()} == {"b3"}


def persistconns(services, name):
    s = services[name]
    return s["persistconns"], {n: b["persistconns"] for n, b in s["backends"].items()}


def test_persistconns(lab, start):
    """How many clients are remembered, in all and of each backend: just now where one service is asked
    for, and for all of them some seconds later; in the metrics and on the command line, too."""
    d = start(config(lab, web=service(lab, persistence={}), other=service(lab, [listener(VIP2)])))
    api = CheckedApi(d.socket)
    seen = [lab.ask("client", VIP, source=(lab.client_addr(i), 0)).backend for i in range(12)]
    want = 12, {n: seen.count(n) for n in lab.backends}
    assert persistconns(api.must("GET", "/v1/stats?service=web").json["services"], "web") == want
    one = api.must("GET", "/v1/stats?service=web&backend=b1").json["services"]["web"]
    assert one["backends"]["b1"]["persistconns"] == seen.count("b1")
    assert persistconns(api.must("GET", "/v1/stats?service=other").json["services"], "other")[0] == 0
    # Nobody asks for this service: counted in the background.
    seen += [lab.ask("client", VIP, source=(lab.client_addr(i), 0)).backend for i in range(12, 20)]
    want = 20, {n: seen.count(n) for n in lab.backends}
    wait_for(lambda: persistconns(api.must("GET", "/v1/stats").json["services"], "web") == want, 25, "a count")
    metrics = d.api.must("GET", "/metrics").text
    assert 'fnat_service_persistent_clients{service="web"} 20\n' in metrics
    assert 'fnat_backend_persistent_clients{service="web",backend="b1"} %d\n' % seen.count("b1") in metrics
    rows = [r.split() for r in d.ctl("-o", "table", "stats").stdout.splitlines()]
    assert {r[0]: r[rows[0].index("PERSIST")] for r in rows}["web"] == "20"
    # Forgotten with the persistence.
    api.must("PATCH", "/v1/services/web", {"persistence": None})
    assert persistconns(api.must("GET", "/v1/stats").json["services"], "web")[0] == 0


def test_persistconns_after_a_restart(lab, again):
    cfg = config(lab, web=service(lab, persistence={}))
    d = again("persist", cfg).wait_ready()
    for i in range(5):
        lab.ask("client", VIP, source=(lab.client_addr(i), 0))
    d.kill()
    d = again("persist", cfg).wait_ready()
    wait_for(lambda: persistconns(d.api.must("GET", "/v1/stats").json["services"], "web")[0] == 5, 5, "a count")
