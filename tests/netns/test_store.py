# SPDX-License-Identifier: GPL-2.0-or-later
"""What was answered survives: SIGKILL, full and read-only disks, damage; history and ways back."""

import http.client
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from conftest import config, listener, service, web
from lab import VIP
from namespaces import wait_for
from syscalls import counted, injected


def weights_of(document):
    return {b: v["weight"] for b, v in document["services"]["web"]["backends"].items()}


def set_weight(api, backend, weight):
    return api.patch("/v1/services/web/backends/" + backend, {"weight": weight})


@pytest.fixture
def small_disk(lab):
    """state directory on a file system of 1 MiB, by daemon name; unmounted afterwards."""
    mounted = []

    def fn(name, size="1m"):
        path = lab.path(name + ".state")
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "fnat-test", path],
                       check=True)
        mounted.append(path)
        return path
    yield fn
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


def test_survives_sigkill(lab, again):
    d = again("kept", web(lab)).wait_ready()
    assert d.api.status()["durable"] is True
    assert set_weight(d.api, "b1", 7).status == 200
    before = d.api.get("/v1/config").json
    generation = d.api.status()["generation"]
    d.kill()
    d = again("kept").wait_ready()
    assert d.api.get("/v1/config").json == before
    assert d.api.status()["generation"] == generation
    assert d.api.post("/v1/verify").json["operations"] == 0


def test_config_only_seeds(lab, again):
    d = again("seed", web(lab)).wait_ready()
    set_weight(d.api, "b1", 9)
    d.stop()
    d = again("seed", web(lab, weights=[3, 1, 1])).wait_ready()
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 9
    d.wait_log("only seeds an empty store")


def test_unconfigured_start_keeps_the_ruleset(lab, again, start):
    d = start(web(lab))
    d.kill()
    empty = again("empty")
    assert empty.proc.wait(10) == 1
    assert "--config" in empty.log()
    assert "web" in lab.nft("list", "table", "inet", "fnat")
    assert lab.ask("client", VIP)


def kill_round(daemon, sequence, answered):
    """Changes one after the other until the daemon is gone; the last one may be unanswered."""
    try:
        for weight in sequence:
            answered["sent"] = weight
            if set_weight(daemon.api, "b1", weight).status == 200:
                answered["kept"] = weight
                answered["n"] += 1
    except (OSError, http.client.HTTPException):
        pass  # killed


def test_sigkill_at_any_instant(lab, again):
    """At least 500 changes with a SIGKILL every few: the answered ones are kept, the one on its
    way is wholly there or not at all, and kernel and store agree after each restart."""
    rng = random.Random(1)
    answered = {"n": 0, "kept": 1, "sent": 1}
    weights = iter(w for _ in range(100) for w in range(1, 60000))
    d = again("killed", web(lab)).wait_ready()
    rounds = 0
    while answered["n"] < 500 or rounds < 25:
        sender = threading.Thread(target=kill_round, args=(d, weights, answered))
        sender.start()
        time.sleep(rng.uniform(0.0, 0.12))
        d.kill()
        sender.join()
        d = again("killed").wait_ready()
        stored = weights_of(d.api.get("/v1/config").json)["b1"]
        assert stored in (answered["kept"], answered["sent"]), answered
        assert d.api.post("/v1/verify").json["operations"] == 0
        answered["kept"] = answered["sent"] = stored
        rounds += 1
    assert answered["n"] >= 500


def test_full_disk(lab, again, small_disk):
    state = small_disk("full")
    d = again("full", web(lab)).wait_ready()
    fd = os.open(os.path.join(state, "filler"), os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError):
        while True:
            os.write(fd, b"x" * 4096)
    os.close(fd)
    weight = 1
    for weight in range(2, 3000):
        r = set_weight(d.api, "b1", weight)
        if r.status != 200:
            break
    assert r.status == 500 and "make room" in r.json["detail"]
    assert weights_of(d.api.get("/v1/config").json)["b1"] == weight - 1
    assert d.api.post("/v1/verify").json["operations"] == 0
    assert lab.ask("client", VIP)
    os.unlink(os.path.join(state, "filler"))
    assert set_weight(d.api, "b1", 4000).status == 200
    d.kill()
    d = again("full").wait_ready()
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 4000


def test_read_only_disk(lab, again, small_disk):
    state = small_disk("readonly")
    d = again("readonly", web(lab)).wait_ready()
    d.stop()  # a file system in use for writing cannot be made read-only
    subprocess.run(["mount", "-o", "remount,ro", state], check=True)
    d = again("readonly")
    assert d.proc.wait(10) == 1
    assert "Read-only file system" in d.log()
    assert "web" in lab.nft("list", "table", "inet", "fnat")
    subprocess.run(["mount", "-o", "remount,rw", state], check=True)
    d = again("readonly").wait_ready()
    assert set_weight(d.api, "b1", 5).status == 200


@pytest.mark.parametrize("where", [0, 4096])
def test_damaged_store(lab, again, where):
    name = "damaged%d" % where
    d = again(name, web(lab)).wait_ready()
    for w in range(2, 40):
        set_weight(d.api, "b1", w)
    d.stop()
    path = os.path.join(lab.path(name + ".state"), "fnat.db")
    with open(path, "r+b") as f:
        f.seek(where)
        f.write(b"\xa5" * 4096)
    listing = lab.nft("list", "table", "inet", "fnat")
    for _ in range(2):  # the second start must not begin with nothing, either
        d = again(name, web(lab))
        assert d.proc.wait(10) == 1
        assert "damaged" in d.log() and "--new-store" in d.log()
        assert lab.nft("list", "table", "inet", "fnat") == listing
        assert lab.ask("client", VIP)
    assert os.path.exists(path + ".damaged-1")
    d = again(name, web(lab), "--new-store").wait_ready()
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 1


def test_one_daemon_a_store(lab, again):
    again("shared", web(lab)).wait_ready()
    second = again("shared", None, "--table", "other", "--socket", lab.path("other.sock"))
    assert second.proc.wait(10) == 1
    assert "in use by another fnatd" in second.log()


def test_history_diff_rollback(lab, start):
    d = start(web(lab))
    for w in (2, 3, 4):
        assert set_weight(d.api, "b1", w).status == 200
    assert d.api.delete("/v1/services/web").status == 204
    history = d.api.get("/v1/history").json["history"]
    assert [h["generation"] for h in history] == [5, 4, 3, 2, 1]
    assert history[0]["what"] == "DELETE /v1/services/web" and history[0]["uid"] == 0
    assert [h["generation"] for h in d.api.get("/v1/history?before=4&max=2").json["history"]] == \
        [3, 2]
    diff = d.api.get("/v1/diff?from=2&to=4").json["changes"]
    assert len(diff) == 1 and diff[0]["name"] == "web"
    assert diff[0]["before"]["backends"]["b1"]["weight"] == 2
    assert diff[0]["after"]["backends"]["b1"]["weight"] == 4
    assert d.api.get("/v1/diff?from=4").json["changes"][0]["after"] is None
    assert d.api.get("/v1/diff?from=1&to=99").status == 404
    assert d.api.get("/v1/diff").status == 400
    dry = d.api.post("/v1/rollback?dry_run=1", {"generation": 3})
    assert dry.status == 200 and dry.json["operations"]
    assert "web" not in d.api.get("/v1/services").json
    r = d.api.post("/v1/rollback", {"generation": 3})
    assert r.status == 200 and r.json == {"generation": 6, "changed": True} and r.generation == 6
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 3
    assert lab.ask("client", VIP)
    assert d.api.post("/v1/rollback", {"generation": 99}).status == 404
    assert d.api.post("/v1/rollback", {"generation": "3"}).status == 422
    assert d.api.post("/v1/rollback", {"generation": 3}, headers={"If-Match": '"1"'}).status == 412


def test_history_is_bounded(lab, start):
    d = start(web(lab), "--history", "5")
    for w in range(2, 20):
        set_weight(d.api, "b1", w)
    history = d.api.get("/v1/history").json["history"]
    assert [h["generation"] for h in history] == [19, 18, 17, 16, 15]
    assert d.api.post("/v1/rollback", {"generation": 14}).status == 200
    assert d.api.post("/v1/rollback", {"generation": 2}).status == 404


def test_confirm(lab, start):
    d = start(web(lab))
    changed = web(lab, weights=[5, 1, 1])
    assert d.api.put("/v1/config?confirm_s=60", changed).status == 200
    waiting = d.api.status()["confirm"]
    assert waiting["rollback_to"] == 1 and 50 < waiting["seconds_left"] <= 60
    assert d.api.put("/v1/config?confirm_s=60", web(lab)).status == 409
    assert d.api.post("/v1/confirm").status == 200
    assert d.api.status()["confirm"] is None
    assert d.api.post("/v1/confirm").status == 409
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 5


def test_not_confirmed(lab, again):
    """Goes back by itself, after a crash as well."""
    d = again("unconfirmed", web(lab)).wait_ready()
    d.api.put("/v1/config?confirm_s=1", web(lab, weights=[5, 1, 1]))
    wait_for(lambda: weights_of(d.api.get("/v1/config").json)["b1"] == 1, 5, "the rollback")
    wait_for(lambda: d.api.status()["confirm"] is None, 5, "nothing to confirm")
    d.api.put("/v1/config?confirm_s=1", web(lab, weights=[6, 1, 1]))
    d.kill()
    time.sleep(1.1)
    d = again("unconfirmed").wait_ready()
    wait_for(lambda: weights_of(d.api.get("/v1/config").json)["b1"] == 1, 5, "the rollback")
    d.wait_log("not confirmed in time")


def b1(body):
    """A list of one change."""
    return {"changes": [{"method": "PATCH", "path": "/v1/services/web/backends/b1", "body": body}]}


def test_refused_change_leaves_no_way_back(lab, start):
    """Nor is there one for a moment: what is refused, or changes nothing, never comes to the disk."""
    d = start(web(lab))
    bad = web(lab)
    bad["services"]["web"]["pool"] = "nosuch"
    with injected(d, "fdatasync:signal=SIGKILL"):
        assert d.api.put("/v1/config?confirm_s=60", bad).status == 422
        assert d.api.put("/v1/config?confirm_s=60", web(lab)).status == 200
        assert d.api.post("/v1/changes?confirm_s=60", b1({"port": 0})).status == 422
        assert d.api.status()["confirm"] is None
    assert d.api.put("/v1/config?confirm_s=0", bad).status == 400


def test_way_back_goes_when_the_kernel_refuses(lab, again):
    d = again("unwilling", web(lab, scheduler="wrr")).wait_ready()
    with injected(d, "sendto,sendmsg:error=ENOMEM"):
        r = d.api.post("/v1/changes?confirm_s=1", b1({"weight": 5}))
        assert r.status == 502 and d.api.status()["confirm"] is None
    d.kill()
    d = again("unwilling").wait_ready()
    assert d.api.status()["confirm"] is None and d.api.status()["generation"] == 1
    assert d.api.post("/v1/changes?confirm_s=60", b1({"weight": 6})).status == 200
    assert d.api.status()["confirm"]["rollback_to"] == 1


def test_one_fsync_a_change_that_is_to_be_confirmed(lab, start):
    d = start(web(lab))
    with counted(d, "fdatasync") as syncs:
        assert d.api.put("/v1/config?confirm_s=60", web(lab, weights=[5, 1, 1])).status == 200
    assert syncs.n == 1


def test_first_change_can_be_confirmed(lab, start):
    """What an empty store goes back to is an empty configuration."""
    d = start()
    assert d.api.put("/v1/config?confirm_s=1", web(lab)).status == 200
    assert d.api.status()["confirm"]["rollback_to"] == 0
    wait_for(lambda: d.api.get("/v1/config").json == {"pools": {}, "services": {}}, 5, "the rollback")
    wait_for(lambda: d.api.status()["confirm"] is None, 5, "nothing to confirm")


def test_way_back_outlasts_the_history(lab, start):
    """Much may change before the time is over."""
    d = start(web(lab, weights=[7, 1, 1]), "--history", "5")
    assert d.api.put("/v1/config?confirm_s=2", web(lab)).status == 200
    for weight in range(20, 40):
        assert set_weight(d.api, "b1", weight).status == 200
    wait_for(lambda: weights_of(d.api.get("/v1/config").json)["b1"] == 7, 10, "the rollback")
    wait_for(lambda: d.api.status()["confirm"] is None, 5, "nothing to confirm")
    assert set_weight(d.api, "b1", 50).status == 200
    assert len(d.api.get("/v1/history").json["history"]) == 5


def test_file_mode(lab, again):
    path = lab.write_config(web(lab), "readonly.json")
    d = again("filemode", None, "--config-readonly", path).wait_ready()
    assert d.api.status()["durable"] is False
    r = set_weight(d.api, "b1", 5)
    assert r.status == 409 and "--config-readonly" in r.json["detail"]
    assert d.api.patch("/v1/services/web/backends/b1?dry_run=1", {"weight": 5}).status == 200
    assert d.api.get("/v1/history").status == 409
    lab.write_config(web(lab, weights=[8, 1, 1]), "readonly.json")
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: weights_of(d.api.get("/v1/config").json)["b1"] == 8, 5, "the new file")
    with open(path, "w") as f:
        f.write("{")
    d.proc.send_signal(signal.SIGHUP)
    d.wait_log("everything stays as it is")
    assert weights_of(d.api.get("/v1/config").json)["b1"] == 8


def test_changes_at_once_share_the_disk(lab, start):
    """Twenty clients, each its own change: all kept, each a generation. While the disk works for the
    first the others come, and share the next."""
    services = {"s%d" % i: service(lab, [listener(port=1000 + i)]) for i in range(20)}
    d = start(config(lab, **services))
    first = d.api.status()["generation"]
    results = []

    def change(i):
        r = d.api.patch("/v1/services/s%d/backends/b1" % i, {"weight": 50 + i})
        results.append((r.status, r.generation))
    threads = [threading.Thread(target=change, args=(i,)) for i in range(20)]
    with counted(d, "fdatasync", delay_ms=500) as syncs:
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    assert sorted(results) == [(200, first + 1 + i) for i in range(20)]
    assert len(d.api.get("/v1/history").json["history"]) == 21
    assert syncs.n <= 4


def test_no_change_waits_for_more_than_its_fsync(lab, start):
    """The log of the store grows and is moved when nobody changes anything; that is for 100 ms, which on a busy machine
    come between two changes, too."""
    d = start(web(lab))
    state = lab.path(d.name + ".state")
    size = os.path.getsize(os.path.join(state, "fnat.db"))
    answered = [time.monotonic()]
    with counted(d, "fdatasync") as syncs:
        for i in range(300):
            assert d.api.patch("/v1/services/web/backends/b1", {"port": 9001 + i}).status == 200
            answered.append(time.monotonic())
        n_rests = sum(b - a >= 0.1 for a, b in zip(answered, answered[1:]))
        assert n_rests > 0 or os.path.getsize(os.path.join(state, "fnat.db")) == size
        wait_for(lambda: os.path.getsize(os.path.join(state, "fnat.db")) > size, 5, "the log to be moved")
    assert 300 <= syncs.n <= 303 + 3 * n_rests


def test_a_change_is_one_batch_and_one_fsync(lab, start):
    """Of one object or of a hundred; and what is refused, or only looks, is none."""
    services = {"s%d" % i: service(lab, [listener(port=1000 + i)]) for i in range(100)}
    d = start(config(lab, **services))

    def patches(weight):
        return [{"method": "PATCH", "path": "/v1/services/s%d/backends/b1" % i, "body": {"port": weight}}
                for i in range(100)]
    before = d.api.status()
    with counted(d, "fdatasync") as syncs:
        assert d.api.post("/v1/changes", {"changes": patches(9001)}).status == 200
    after = d.api.status()
    assert syncs.n == 1 and after["batches"] == before["batches"] + 1
    assert after["generation"] == before["generation"] + 1
    with counted(d, "fdatasync") as syncs:
        assert d.api.patch("/v1/services/s1/backends/b1", {"port": 9002}).status == 200
    assert syncs.n == 1 and d.api.status()["batches"] == after["batches"] + 1
    with counted(d, "fdatasync") as syncs:
        bad = patches(9003) + [{"method": "DELETE", "path": "/v1/services/no"}]
        assert d.api.post("/v1/changes", {"changes": bad}).status == 404
        assert d.api.patch("/v1/services/s1/backends/b1", {"port": 9002}).status == 200
        assert d.api.patch("/v1/services/s1/backends/b1?dry_run=1", {"port": 9004}).status == 200
        assert d.api.get("/v1/config").status == 200
    assert syncs.n == 0 and d.api.status()["batches"] == after["batches"] + 1
