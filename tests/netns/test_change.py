# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes: only what differs is sent, in one batch; connections that exist are not disturbed."""

import threading

import pytest

from conftest import config, listener, service, web
from lab import UNASSIGNED_VIP, VIP, VIP2, wait_for
from watch import NftMonitor

SLOW = 1500000  # bytes of a download at 1 MB/s


class Connections:
    """Connections through VIP:9000 and downloads through VIP:80 that must all survive."""

    def __init__(self, lab):
        self.data = [lab.web[b].file("slow", SLOW) for b in lab.backends][0]
        self.echoes = [lab.connect("client", VIP, 9000, timeout=5) for _ in range(6)]
        for s in self.echoes:
            s.recv(200)
        self.errors, self.done = [], 0
        self.threads = [threading.Thread(target=self._download, args=(lab,)) for _ in range(6)]
        for t in self.threads:
            t.start()

    def _download(self, lab):
        try:
            status, body = lab.http("client", VIP, path="/slow/slow", timeout=10)
            if status != 200 or body != self.data:
                raise ValueError("HTTP %d, %d bytes" % (status, len(body)))
            self.done += 1
        except (OSError, ValueError) as e:
            self.errors.append(e)

    def check(self, after):
        for i, s in enumerate(self.echoes):
            text = ("%s %d" % (after, i)).encode()
            s.sendall(text)
            assert s.recv(1000) == text, "connection %d after %s" % (i, after)

    def finish(self):
        for t in self.threads:
            t.join()
        for s in self.echoes:
            s.close()
        assert not self.errors and self.done == len(self.threads)


def two(lab, scheduler="rr", **kw):
    return config(lab, web=service(lab, scheduler=scheduler, **kw),
                  echo=service(lab, [listener(VIP, 9000)], scheduler, port=None, **kw))


def test_established_connections_survive_every_kind_of_change(lab, start):
    d = start(two(lab))
    c = Connections(lab)
    for what, method, path, body in [
            ("weight", "PATCH", "/v1/services/%s/backends/b1", {"weight": 5}),
            ("weight 0", "PATCH", "/v1/services/%s/backends/b2", {"weight": 0}),
            ("scheduler wrr", "PATCH", "/v1/services/%s", {"scheduler": "wrr"}),
            ("scheduler random", "PATCH", "/v1/services/%s", {"scheduler": "random"}),
            ("scheduler sh", "PATCH", "/v1/services/%s", {"scheduler": "sh"}),
            ("backend goes", "DELETE", "/v1/services/%s/backends/b1", None),
            ("backend comes", "PUT", "/v1/services/%s/backends/b9",
             {"address": "10.1.0.99", "port": 1}),
            ("listener", "PATCH", "/v1/services/%s", {"listeners": [listener(VIP2, 4000)]}),
            ("refusal", "PATCH", "/v1/services/%s", {"on_unavailable": "drop"}),
            ("pool", "PUT", "/v1/pools/lan", {"addresses": ["10.1.0.60"]}),
            ("service goes", "DELETE", "/v1/services/%s", None),
            ("other configuration", "PUT", "/v1/config",
             config(lab, other=service(lab, [listener(VIP, 7)]))),
            ("verify", "POST", "/v1/verify", None),
            ("configuration back", "PUT", "/v1/config", two(lab)),
            ("no configuration", "PUT", "/v1/config", {})]:
        if "%s" in path and "listener" in what:
            d.api.must(method, path % "web", {"listeners": [listener(VIP2, 4001)]})
            d.api.must(method, path % "echo", body)
        elif "%s" in path:
            for name in ("web", "echo"):
                d.api.must(method, path % name, body)
        else:
            d.api.must(method, path, body)
        c.check(what)
    d.stop()
    c.check("end of the daemon")
    c.finish()


def generation_of(lab, fn):
    before = lab.nft_generation()
    fn()
    return lab.nft_generation() - before


def many(lab, n=200):
    """n services, and the one of interest among them."""
    doc = web(lab, scheduler="wrr", weights=[2, 1, 1])
    for i in range(n):
        doc["services"]["s%03d" % i] = service(lab, [listener(UNASSIGNED_VIP, 2000 + i)])
    return doc


def test_a_weight_changes_its_slots_only(lab, start):
    d = start(many(lab))
    with NftMonitor(lab) as monitor:
        d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 1})
        d.api.must("PATCH", "/v1/services/web/backends/b2", {"weight": 2})
        lines = monitor.lines()
    assert 2 <= len(lines) <= 40
    assert all("192.0.2.10 . tcp . 80" in x or "wrr" in x or "rr4-" in x for x in lines), lines
    assert not [x for x in lines if UNASSIGNED_VIP in x], lines


def test_a_backends_port_is_one_slot(lab, start):
    """One element replaced: one batch, no program touched."""
    d = start(many(lab))

    def change():
        d.api.must("PATCH", "/v1/services/s100/backends/b2", {"port": 80})
    with NftMonitor(lab) as monitor:
        change()
        lines = monitor.lines()
    assert len(lines) == 2 and all("slots4-rr" in x and UNASSIGNED_VIP + " . tcp . 2100" in x
                                   for x in lines), lines
    assert {lines[0].split()[0], lines[1].split()[0]} == {"add", "delete"}
    assert lab.ask("client", UNASSIGNED_VIP, 2100)


def test_one_batch_a_change(lab, start):
    """A whole new configuration is one commit of the kernel's; where a table shrinks, two."""
    d = start(config(lab))
    doc = many(lab)
    assert generation_of(lab, lambda: d.api.must("PUT", "/v1/config", doc)) == 1
    doc["services"]["web"]["backends"]["b1"]["port"] = 80
    assert generation_of(lab, lambda: d.api.must("PUT", "/v1/config", doc)) == 1
    before = lab.nft_generation()
    doc["services"] = {"web": doc["services"]["web"]}
    d.api.must("PUT", "/v1/config", doc)
    wait_for(lambda: d.api.status()["garbage"] == 0, 10, "the second step")
    assert lab.nft_generation() - before == 2
    assert UNASSIGNED_VIP not in lab.nft("list", "table", "inet", "fnat")


def test_service_more_and_less_leaves_nothing(lab, start):
    """Programs, slots and addresses of a service that is gone are gone."""
    d = start(web(lab))

    def listing():
        wait_for(lambda: d.api.status()["garbage"] == 0, 10, "the second step")
        return sorted(lab.nft("list", "table", "inet", "fnat").splitlines())
    before = listing()
    for scheduler in ("rr", "wrr", "random", "sh"):
        d.api.must("PUT", "/v1/services/new", service(
            lab, [listener(VIP2), listener(VIP2, 53, "udp")], scheduler, [1, 2, 3]))
        d.api.must("PUT", "/v1/pools/other", {"addresses": ["10.1.0.61-10.1.0.65"]})
        d.api.must("PATCH", "/v1/services/new", {"pool": "other"})
        assert lab.ask("client", VIP2).remote_addr in lab.pool_addrs()[11:]
        d.api.must("DELETE", "/v1/services/new")
        d.api.must("DELETE", "/v1/pools/other")
        assert listing() == before


def test_dry_run_changes_nothing_and_says_what_it_would(lab, start):
    d = start(web(lab))
    before = lab.nft_generation()
    r = d.api.must("PATCH", "/v1/services/web/backends/b1?dry_run=1", {"port": 80})
    assert r.json["dry_run"] is True and r.json["generation"] == d.api.status()["generation"]
    texts = [op["text"] for op in r.json["operations"]]
    assert len(texts) == 2 and any("10.1.0.11 . 80" in t for t in texts), texts
    assert lab.nft_generation() == before
    assert d.api.get("/v1/services/web/backends/b1").json["port"] == 8080
    # What it says is what nft would do.
    d.kill()
    for t in texts:
        lab.nft(t)
    assert {lab.ask("client", VIP).server_port for _ in range(3)} == {80, 8080}


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "random", "sh"])
def test_growing_and_shrinking_is_exact_afterwards(lab, start, scheduler):
    d = start(web(lab, scheduler=scheduler))
    for names in (["b1"], ["b1", "b2", "b3"], ["b2", "b3"], ["b3"], ["b1", "b2", "b3"]):
        d.api.must("PUT", "/v1/services/web", service(lab, scheduler=scheduler, names=names))
        seen = {lab.ask("client", VIP, source=lab.client_addr(i)).backend for i in range(40)}
        assert seen == set(names)
