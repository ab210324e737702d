# SPDX-License-Identifier: GPL-2.0-or-later
"""Crashes, disks that fail and kernels that refuse, with several clients at work: what was answered
is there, what was refused is not, what was neither is wholly there or not at all."""

import contextlib
import http.client
import random
import subprocess
import threading
import time

import pytest

from conftest import web
from daemon import Api
from lab import VIP
from namespaces import wait_for
from syscalls import injected


@pytest.fixture
def again(again):
    """The same, once it answers."""
    return lambda *args, **kw: again(*args, **kw).wait_ready()


# -- several clients


def simple(document):
    """A configuration without what the clients do not set."""
    return ({n: (s["pool"], {b: v["weight"] for b, v in s["backends"].items()})
             for n, s in document["services"].items()},
            {n: p["addresses"] for n, p in document["pools"].items()})


class Model:
    """What fnatd should have, change by change."""

    def __init__(self):
        self.services, self.pools = {}, {}

    def apply(self, method, path, body):
        kind, *names = path[len("/v1/"):].split("/")
        if kind == "config":
            self.services, self.pools = simple(body)
        elif kind == "changes":
            for item in body["changes"]:
                self.apply(item["method"], item["path"], item.get("body"))
        elif kind == "pools":
            self.put(self.pools, names[0], method, body and body["addresses"])
        elif len(names) == 1:
            self.put(self.services, names[0], method, body and simple(
                {"services": {"x": body}, "pools": {}})[0]["x"])
        elif method == "PATCH":
            self.services[names[0]][1][names[2]] = body["weight"]
        else:
            self.put(self.services[names[0]][1], names[2], method, body and body["weight"])

    @staticmethod
    def put(where, name, method, value):
        if method == "DELETE":
            del where[name]
        else:
            where[name] = value


class Client:
    """Changes of all kinds to objects of its own, of which it remembers the answers."""

    def __init__(self, number, round_number):
        """All that it sends differs from what clients of other rounds sent: a change that changes
        nothing makes no generation."""
        self.number, self.rng = number, random.Random(100 * round_number + number)
        self.count, self.answered, self.unanswered = 2000 * round_number, {}, None
        self.is_first = True

    def service(self, n):
        return {"listeners": [{"address": "192.0.2.%d" % (self.number + 1), "protocol": "tcp",
                               "port": 1000 + n}], "pool": "p%d" % self.number,
                "backends": {"a": self.backend(), "b": self.backend()}}

    def backend(self):
        self.count += 1
        return {"address": "10.1.%d.%d" % (self.count // 250 % 250, self.count % 250 + 1),
                "weight": self.count % 60000 + 1}

    def pool(self):
        self.count += 1
        return {"addresses": ["10.%d.%d.%d" % (2 + self.number, self.count // 250 % 250,
                                               self.count % 250 + 1)]}

    def config(self):
        return {"pools": {"p%d" % self.number: self.pool()},
                "services": {"s%d-%d" % (self.number, n): self.service(n) for n in range(5)}}

    def next(self):
        n = self.rng.randrange(6)
        pool = "/v1/pools/p%d" % self.number
        service = "/v1/services/s%d-%d" % (self.number, n)
        backend = service + "/backends/" + self.rng.choice("abc")
        if self.is_first:
            self.is_first = False
            return "PUT", pool, self.pool()
        choices = [("PUT", pool, self.pool()), ("DELETE", pool, None),
                   ("PUT", service, self.service(n)), ("PUT", service, self.service(n)),
                   ("DELETE", service, None), ("PUT", backend, self.backend()),
                   ("PATCH", backend, {"weight": self.backend()["weight"]}),
                   ("DELETE", backend, None)]
        # Only one client each: history tells requests that were not answered by their path alone.
        if self.number == 1:
            choices.append(("POST", "/v1/changes", {"changes": [
                {"method": "PUT", "path": pool, "body": self.pool()},
                {"method": "PUT", "path": service, "body": self.service(n)}]}))
        if self.number == 0 and self.rng.random() < 0.03:
            return "PUT", "/v1/config", self.config()
        return self.rng.choice(choices)

    def run(self, path):
        api = Api(path, keep=True)
        try:
            while True:
                self.unanswered = self.next()
                r = api.request(*self.unanswered)
                assert r.status in (200, 201, 204, 404, 409, 422), r
                if r.status < 300:
                    self.answered[r.generation] = self.unanswered
                self.unanswered = None
        except (OSError, http.client.HTTPException):
            pass  # killed


def new_history(api, after):
    """[(generation, what)] of all above `after`, oldest first."""
    rows = [(h["generation"], h["what"]) for h in
            api.must("GET", "/v1/history?max=1000").json["history"]]
    return sorted(row for row in rows if row[0] > after)


def replay(model, history, clients):
    """What is stored is what was answered, and perhaps what was on its way."""
    answered = {g: ask for c in clients for g, ask in c.answered.items()}
    on_their_way = [c.unanswered for c in clients if c.unanswered]
    stored = dict(history)
    assert set(answered) <= set(stored), sorted(set(answered) - set(stored))
    for generation, what in history:
        ask = answered.get(generation)
        if not ask:
            ask = next((a for a in on_their_way if "%s %s" % a[:2] == what), None)
            assert ask, "generation %d: nobody asked for %s" % (generation, what)
            on_their_way.remove(ask)
        assert "%s %s" % ask[:2] == what
        model.apply(*ask)


def test_sigkill_with_many_clients(lab, again):
    rng, model, n_answered, generation = random.Random(7), Model(), 0, 0
    d = again("many")
    for round_number in range(60):
        if round_number >= 20 and n_answered > 200:
            break
        clients = [Client(i, round_number) for i in range(4)]
        threads = [threading.Thread(target=c.run, args=(d.socket,)) for c in clients]
        for t in threads:
            t.start()
        time.sleep(rng.uniform(0.05, 0.5))
        d.kill()
        for t in threads:
            t.join()
        d = again("many")
        history = new_history(d.api, generation)
        replay(model, history, clients)
        assert simple(d.api.get("/v1/config").json) == (model.services, model.pools)
        assert d.api.post("/v1/verify").json["operations"] == 0
        generation = d.api.status()["generation"]
        assert generation == (history[-1][0] if history else generation)
        n_answered += sum(len(c.answered) for c in clients)
    assert n_answered > 200


# -- faults in system calls


def changed(lab):
    """Another configuration than web(lab, scheduler="wrr"): a pool, a service and its backends."""
    document = web(lab, scheduler="wrr", weights=[7, 1, 1])
    document["pools"]["other"] = {"addresses": ["10.1.0.99"]}
    return document


def has_change(api):
    """Whether it has all of changed(), which it has or not as a whole."""
    document = api.must("GET", "/v1/config").json
    parts = {document["services"]["web"]["backends"]["b1"]["weight"] == 7,
             "other" in document["pools"]}
    assert len(parts) == 1, document
    return parts == {True}


@pytest.mark.parametrize("fault", ["fdatasync:error=EIO", "pwrite64:error=EIO",
                                   "pwrite64:error=ENOSPC", "pwrite64:error=EIO:when=3+"])
def test_disk_fails(lab, again, fault):
    """Refused, nothing has changed, and it does not come back after a crash."""
    name = "eio-" + "".join(c for c in fault if c.isalnum())
    d = again(name, web(lab, scheduler="wrr"))
    with injected(d, fault):
        r = d.api.put("/v1/config", changed(lab))
        assert r.status == 500 and "store" in r.json["detail"], r
        assert not has_change(d.api) and d.api.status()["generation"] == 1
    assert d.api.post("/v1/verify").json["operations"] == 0
    assert lab.ask("client", VIP)
    d.kill()
    d = again(name)
    assert not has_change(d.api) and d.api.status()["generation"] == 1
    assert d.api.put("/v1/config", changed(lab)).status == 200
    d.kill()
    d = again(name)
    assert has_change(d.api) and d.api.post("/v1/verify").json["operations"] == 0


@pytest.mark.parametrize("calls, thread", [
    ("sendto,sendmsg", "kernel-writer"), ("recvfrom,recvmsg", "kernel-writer"),
    ("fdatasync", "store-writer")])
def test_killed_between_disk_and_kernel(lab, again, calls, thread):
    """At the batch, at the kernel's answer to it, at the fsync: the change is there or not, and
    the kernel has what the store has."""
    name = "between-" + calls.split(",", maxsplit=1)[0]
    d = again(name, web(lab, scheduler="wrr"))
    for _ in range(5):
        with injected(d, calls + ":signal=SIGKILL:when=1", thread=thread):
            with pytest.raises((OSError, http.client.HTTPException)):
                d.api.put("/v1/config", changed(lab))
            d.proc.wait(10)
        d = again(name)
        is_there = has_change(d.api)
        assert d.api.status()["generation"] == 1 + is_there
        assert d.api.post("/v1/verify").json["operations"] == 0
        assert lab.ask("client", VIP)
        if is_there or calls == "fdatasync":
            return
        # The thread was killed at something else that it had to ask the kernel, before the change.
    raise AssertionError("it was on disk, and nothing speaks against it")


# -- the kernel refuses


@contextlib.contextmanager
def taken_over(lab, table):
    """Another program owns a table of that name: the kernel lets nobody else change it."""
    lab.nft("delete", "table", "inet", table)
    nft = lab.popen("lb", ["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL, text=True)
    nft.stdin.write("add table inet %s { flags owner; }\n" % table)
    nft.stdin.flush()
    wait_for(lambda: table in lab.nft("list", "tables"), 5, "nft's table")
    try:
        yield
    finally:
        nft.stdin.close()
        nft.wait(10)


@pytest.mark.parametrize("how, status, said", [
    ("owned", 409, "belongs to another process"), ("memory", 502, "Cannot allocate memory")])
def test_kernel_refuses(lab, again, how, status, said):
    """The disk takes the change back; nothing of it is left, not even after a crash."""
    options = ["--plain-table", "--verify-interval", "0"]
    d = again("refused-" + how, web(lab, scheduler="wrr"), *options)
    fault = (taken_over(lab, "fnat") if how == "owned" else
             injected(d, "sendto,sendmsg:error=ENOMEM"))
    with fault:
        for _ in range(2):
            r = d.api.put("/v1/config", changed(lab))
            assert r.status == status and said in r.json["detail"], r
            assert r.generation == 1
        r = d.api.patch("/v1/services/web/backends/b1", {"weight": 3})
        assert r.status == status
        assert not has_change(d.api) and d.api.status()["generation"] == 1
        assert [h["generation"] for h in d.api.get("/v1/history").json["history"]] == [1]
        d.kill()
    d = again("refused-" + how, None, *options)
    assert not has_change(d.api) and d.api.status()["generation"] == 1
    assert d.api.post("/v1/verify").json["operations"] == 0
    assert d.api.put("/v1/config", changed(lab)).status == 200
    assert lab.ask("client", VIP)


def test_one_of_many_is_refused_by_the_disk_or_none(lab, again):
    """A disk that fails now and then: each change is answered for itself, and kept or not."""
    d = again("flaky", web(lab, scheduler="wrr"))
    weights = {"b1": 1, "b2": 1, "b3": 1}
    answers = []

    def change(backend):
        for weight in range(2, 25):
            r = d.api.patch("/v1/services/web/backends/" + backend, {"weight": weight})
            answers.append(r.status)
            if r.status == 200:
                weights[backend] = weight
    with injected(d, "fdatasync:error=EIO:when=2+3"):
        threads = [threading.Thread(target=change, args=(b,)) for b in weights]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert set(answers) == {200, 500}

    def stored():
        backends = d.api.get("/v1/config").json["services"]["web"]["backends"]
        return {b: v["weight"] for b, v in backends.items()}
    assert stored() == weights
    d.kill()
    d = again("flaky")
    assert stored() == weights
    assert d.api.post("/v1/verify").json["operations"] == 0
