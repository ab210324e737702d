# SPDX-License-Identifier: GPL-2.0-or-later
"""The API with many, slow and rude clients, and what the daemon does around it."""

import json
import os
import random
import re
import resource
import socket
import subprocess
import sys
import threading
import time

import pytest

from api_testing import POOL, SERVICE, api, listener, problem, web  # noqa: F401
from daemon import Api, is_sanitized
from namespaces import wait_for


def big_config(n):
    services = {"s%d" % i: {"listeners": [listener("192.0.2.%d" % (i % 250 + 1), 1000 + i // 250)],
                            "pool": "lan", "scheduler": "random",
                            "backends": {"b%d" % j: {"address": "10.1.0.%d" % (j + 1)}
                                         for j in range(10)}} for i in range(n)}
    return {"pools": {"lan": POOL}, "services": services}


PINGER = """
import select, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
times = []
turns = "/proc/%s/task/%s/schedstat" % (sys.argv[2], sys.argv[2])
def ran():
    with open(turns) as f:
        return int(f.read().split()[0]) / 1e6
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0.001)[0]:
    ran_before, before = ran(), time.monotonic()
    s.sendall(b"GET /v1/status HTTP/1.1\\r\\n\\r\\n")
    assert s.recv(65536).startswith(b"HTTP/1.1 200")
    times.append("%f/%f" % ((time.monotonic() - before) * 1000, ran() - ran_before))
print(*times)
"""


class Pinger:
    """Times small requests while something else goes on; a process, because Python's threads stall each other."""

    def __init__(self, daemon):
        self.daemon, self.times, self.ran = daemon, [], []

    def __enter__(self):
        self.proc = subprocess.Popen([sys.executable, "-c", PINGER, self.daemon.socket,
                                      str(self.daemon.pid)], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.proc.stdout.readline()
        return self

    def __exit__(self, *exc):
        said = self.proc.communicate("", timeout=30)[0].split()
        self.times, self.ran = (sorted(float(pair.split("/")[i]) for pair in said)
                                for i in range(2))

    def usual_ms(self):
        """Of ten, the slowest but one: a loaded machine stalls this process itself now and then."""
        return self.times[len(self.times) * 9 // 10]

    def held_ms(self):
        """The longest that the daemon's loop itself ran while a request waited for it."""
        return self.ran[-1]


def test_large_configuration_stalls_nobody(web):
    config = big_config(3000)
    config["services"] = dict(config["services"], web=SERVICE)
    config["services"]["web"] = dict(SERVICE, listeners=[listener("192.0.2.254")])
    with Pinger(web.daemon) as pinger:
        Api(web.path).must("PUT", "/v1/config", config)
        for _ in range(5):
            text = Api(web.path).must("GET", "/v1/config").json
        Api(web.path).must("PUT", "/v1/config?dry_run=1", {"pools": {"lan": POOL}})
    assert len(text["services"]) == 3001
    assert pinger.usual_ms() < 10, pinger.times[-20:]
    assert web.status()["backends"] == 30002


def least_held(once, limit_ms):
    """{step: (held, usual)} of once(), the least of up to three tries: the program holds its loop in each, what a machine
    that others use adds comes and goes."""
    least = {}
    for _ in range(3):
        for step, found in once():
            least[step] = tuple(map(min, found, least.get(step, found)))
        if all(held < limit_ms for held, _ in least.values()):
            break
    return least


@pytest.mark.slow
def test_the_loop_is_never_held(start):
    """Whole documents of 100,000 backends come, change, go and come back, and nobody waits long.
    What counts is for how long the daemon's loop ran: a loaded machine adds what it likes."""
    d = start(None, "--max-body", "100000000")
    api = Api(d.socket, timeout=100)
    big = big_config(10000)
    half = dict(big, services=dict(list(big["services"].items())[::2]))
    big, half = json.dumps(big), json.dumps(half)

    def once():
        first = d.api.status()["generation"] + 1
        asks = [("PUT", "/v1/config", big), ("PUT", "/v1/config", big), ("GET", "/v1/config", None),
                ("PUT", "/v1/config?dry_run=1", half), ("PUT", "/v1/config", half),
                ("GET", "/v1/diff?from=%d&to=%d" % (first, first + 1), None),
                ("POST", "/v1/rollback", {"generation": first}), ("POST", "/v1/verify", None), ("PUT", "/v1/config", "{}")]
        for number, (method, path, body) in enumerate(asks):
            with Pinger(d) as pinger:
                api.must(method, path, body)
                time.sleep(0.1)
            yield (number, method, path.partition("?")[0]), (pinger.held_ms(), pinger.usual_ms())
    limit_ms = 100 if is_sanitized() else 10
    held = least_held(once, limit_ms)
    print(held)
    assert all(ran < limit_ms and usual < 200 for ran, usual in held.values()), held
    assert d.api.get("/v1/config").json == {"pools": {}, "services": {}}
    assert d.api.status()["services"] == 0


def resting_batches(d):
    """How many there were, once what is no longer in use is gone, which takes some more."""
    seen = [-1]

    def rests():
        status = d.api.status()
        seen.append(status["batches"])
        return status["garbage"] == 0 and seen[-1] == seen[-2]
    wait_for(rests, 60, "no more batches", 1)
    return seen[-1]


@pytest.mark.slow
def test_nobody_waits_for_a_million_elements(start):
    """One batch of more than 1,000,000 elements; the daemon's loop answers others meanwhile."""
    d = start(None, "--max-body", "200000000", timeout=60)
    services = {"s%d" % i: {"listeners": [listener("10.%d.%d.%d" % (64 + (i >> 16), i >> 8 & 255, i & 255))],
                            "pool": "lan", "scheduler": "random",
                            "backends": {"b%d" % j: {"address": "10.1.0.%d" % (j + 1)} for j in range(10)}}
                for i in range(84000)}
    body = json.dumps({"pools": {"lan": POOL}, "services": services})
    api = Api(d.socket, timeout=300)

    def once():
        api.must("PUT", "/v1/config", "{}")
        batches = resting_batches(d)
        with Pinger(d) as pinger:
            api.must("PUT", "/v1/config", body)
        status = d.api.status()
        assert (status["batches"], status["garbage"]) == (batches + 1, 0), (batches, status)
        assert status["elements"] > 1000000, status
        yield "PUT", (pinger.held_ms(), pinger.usual_ms())
    limit_ms = 200 if is_sanitized() else 10
    held = least_held(once, limit_ms)
    assert held["PUT"][0] < limit_ms, held
    print("held %.1f ms, answered in %.1f ms (the slowest but one of ten)" % held["PUT"])


def test_totals(web):
    """What the status counts follows every kind of change."""
    def totals():
        status = web.status()
        return tuple(status[k] for k in ("services", "pools", "listeners", "backends"))
    assert totals() == (1, 1, 1, 2)
    big = big_config(700)
    web.must("PUT", "/v1/config", big)
    assert totals() == (700, 1, 700, 7000)
    web.must("DELETE", "/v1/services/s1/backends/b1")
    web.must("PUT", "/v1/services/s2", dict(SERVICE, listeners=[listener("192.0.2.253", p)
                                                                for p in (1, 2)]))
    assert totals() == (700, 1, 701, 6991)
    web.must("POST", "/v1/rollback", {"generation": 2})
    assert web.get("/v1/config").json["services"].keys() == big["services"].keys()
    assert totals() == (700, 1, 700, 7000)
    assert web.must("POST", "/v1/verify").json == {"operations": 0}
    web.must("PUT", "/v1/config", {})
    assert totals() == (0, 0, 0, 0)


def test_refused_large_document_changes_nothing(web):
    big = big_config(700)
    big["services"]["s5"]["pool"] = "nosuch"
    before = web.get("/v1/config")
    problem(web.put("/v1/config", big), 422, "/services/s5/pool")
    problem(web.put("/v1/config", big_config(700), headers={"If-Match": '"77"'}), 412)
    assert web.get("/v1/config").json == before.json
    assert web.status()["backends"] == 2


def test_list_shows_one_generation(web):
    """A list that is read slowly while the configuration changes shows what was at its start."""
    web.must("PUT", "/v1/config", big_config(3000))
    s = socket.socket(socket.AF_UNIX)
    s.connect(web.path)
    s.sendall(b"GET /v1/services HTTP/1.1\r\nConnection: close\r\n\r\n")
    data = s.recv(1000)
    web.must("PUT", "/v1/config", {})
    while True:
        part = s.recv(1 << 16)
        if not part:
            break
        data += part
    s.close()
    head, _, body = data.partition(b"\r\n\r\n")
    text = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        text += body[:int(size, 16)]
        body = body[int(size, 16) + 2:]
    assert len(json.loads(text)) == 3000 and b"ETag" in head


def test_stalled_and_idle_clients(web):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    held = []
    for i in range(1000):
        s = socket.socket(socket.AF_UNIX)
        s.connect(web.path)
        if i % 3 == 1:
            s.sendall(b"PUT /v1/config HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
        elif i % 3 == 2:
            s.sendall(b"GET /v1/config HT")
        held.append(s)
    unread = socket.socket(socket.AF_UNIX)
    unread.connect(web.path)
    unread.sendall(b"GET /v1/config HTTP/1.1\r\n\r\n" * 2000)
    with Pinger(web.daemon) as pinger:
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            web.must("PATCH", "/v1/services/web/backends/a", {"weight": random.randrange(100)})
    assert pinger.usual_ms() < 10, pinger.times[-20:]
    assert web.status()["connections"] > 1000
    for s in held + [unread]:
        s.close()


def test_client_leaves_before_the_answer(web):
    g = web.get("/v1/config").generation
    for i in range(50):
        s = socket.socket(socket.AF_UNIX)
        s.connect(web.path)
        body = json.dumps({"address": "10.1.0.11", "weight": 100 + i}).encode()
        s.sendall(b"PUT /v1/services/web/backends/a HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
                  % (len(body), body))
        s.close()
    deadline = time.monotonic() + 10
    while web.get("/v1/config").generation < g + 50 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert web.get("/v1/services/web/backends/a").json["weight"] == 149


def test_pipelined_changes_keep_their_order(web):
    s = socket.socket(socket.AF_UNIX)
    s.connect(web.path)
    text = b""
    for weight in range(2, 202):
        body = b'{"weight":%d}' % weight
        text += (b"PATCH /v1/services/web/backends/a HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
                 % (len(body), body))
    s.sendall(text)
    s.shutdown(socket.SHUT_WR)
    answer = b""
    while True:
        part = s.recv(1 << 16)
        if not part:
            break
        answer += part
    s.close()
    assert re.findall(rb'"weight":(\d+)', answer) == [b"%d" % w for w in range(2, 202)]
    assert answer.count(b"HTTP/1.1 200 OK") == 200


# -- the daemon


def test_accepted_changes_are_logged(web):
    web.must("PATCH", "/v1/services/web", {"scheduler": "sh"})
    g = web.get("/v1/config").generation
    web.daemon.wait_log(r"api: uid 0 pid %d: PATCH /v1/services/web -> 200 generation %d"
                        % (os.getpid(), g))
    problem(web.delete("/v1/services/no"), 404)
    web.must("PATCH", "/v1/services/web", {"scheduler": "sh"})
    assert "/v1/services/no" not in web.daemon.log()
    assert web.daemon.log().count("PATCH") == 1


def test_placements_and_ruleset(web):
    placements = web.get("/v1/services/web/placements").json["placements"]
    assert [p["listener"] for p in placements] == SERVICE["listeners"]
    problem(web.get("/v1/services/no/placements"), 404)
    text = web.get("/v1/ruleset").text
    assert "map services4" in text and placements[0]["program"] in text
    problem(web.get("/v1/placements"), 404)


def test_flush_and_verify(web):
    assert web.must("POST", "/v1/verify").json == {"operations": 0}
    assert web.must("POST", "/v1/flush").json == {"flushed": True}
    assert web.status()["flushed"] is True
    assert "fnat" not in web.daemon.lab.nft("list", "tables")
    assert web.must("POST", "/v1/verify").json["operations"] > 0
    assert web.status()["flushed"] is False
    assert "web/a" in web.daemon.lab.nft("list", "table", "inet", "fnat")


def test_socket(web):
    mode = os.stat(web.path)
    assert mode.st_mode & 0o7777 == 0o660
    assert web.daemon.stop() == 0
    assert not os.path.exists(web.path)


def test_requests_at_the_end_are_answered(web):
    """SIGTERM: what was asked is answered, or the connection ends; nothing in between."""
    answers = []

    def change():
        mine = Api(web.path, keep=True)
        try:
            for weight in range(2, 60000):
                answers.append(mine.patch("/v1/services/web/backends/a", {"weight": weight}))
        except (OSError, EOFError):
            pass
        except Exception as e:  # http.client's words for a connection that was closed
            assert type(e).__name__ in ("RemoteDisconnected", "BadStatusLine"), repr(e)

    threads = [threading.Thread(target=change) for _ in range(4)]
    for t in threads:
        t.start()
    wait_for(lambda: len(answers) > 20, 20, "answers")
    assert web.daemon.stop() == 0
    for t in threads:
        t.join()
    assert answers and {r.status for r in answers} <= {200, 503}
