# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends that drain, and that it is said when they have."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from conftest import config, listener, service, web
from ctl_testing import OK, REFUSED, ok
from echo_testing import connection, echo, only_the_first_is_reset
from health_testing import events_of
from lab import VIP, find_program, wait_for

MB = 1 << 20


def state_path(name, of="web"):
    return "/v1/services/%s/backends/%s/state" % (of, name)


def state(d, name, of="web"):
    return d.api.must("GET", state_path(name, of)).json


def answers(lab, n=6):
    return {lab.ask("client", VIP).backend for _ in range(n)}


def drained_events(d):
    """All events backend_drained so far."""
    return [e for e in events_of(d, 0.3) if e["type"] == "backend_drained"]


class Waiting:
    """fnatctl backend drain --wait, running."""

    def __init__(self, d, *args):
        argv = [find_program("fnatctl"), "--socket", d.socket, "backend", "drain"] + list(args)
        self.proc = d.lab.popen("lb", argv + ["--wait"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, timeout=10):
        """Exit status, and the last line of stdout as JSON."""
        out, err = self.proc.communicate(timeout=timeout)
        lines = out.splitlines()
        return self.proc.returncode, json.loads(lines[-1]) if lines else err

    def goes_on(self):
        return self.proc.poll() is None


class Download(threading.Thread):
    """A rate limited file from a backend, by one connection."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.got, self.ended = 0, None
        self.sock = lab.connect("client", VIP, 80, timeout=20)
        self.sock.sendall(b"GET /slow/large HTTP/1.0\r\n\r\n")
        self.got = len(self.sock.recv(1000))
        self.start()

    def run(self):
        try:
            while True:
                part = self.sock.recv(65536)
                if not part:
                    break
                self.got += len(part)
        except OSError:
            pass
        self.ended = time.monotonic()
        self.sock.close()


def test_wait_ends_with_the_last_download(lab, start):
    """Not before it has ended, and soon after, although conntrack remembers it for minutes."""
    lab.web["b1"].file("large", 3 * MB)
    d = start(web(lab, names=["b1", "b2"]))
    d.api.must("PUT", state_path("b2"), {"state": "draining"})
    download = Download(lab)
    d.api.must("PUT", state_path("b2"), {"state": "enabled"})
    waiting = Waiting(d, "web/b1")
    wait_for(lambda: state(d, "b1")["state"] == "draining", 5, "the drain")
    assert answers(lab) == {"b2"}
    wait_for(lambda: state(d, "b1")["drain"].get("connections") == 1, 5, "the count")
    assert state(d, "b1")["drain"]["done"] is False
    while download.ended is None:
        assert waiting.goes_on() or download.ended
        assert "b1" not in {e["backend"] for e in drained_events(d)} or download.ended
    assert download.got > 3 * MB
    status, end = waiting.end(15)
    assert status == OK
    assert end["drain"]["reason"] == "all_gone" and end["drain"]["connections"] == 0
    assert time.monotonic() - download.ended < 15  # TIME_WAIT: 120
    events = drained_events(d)
    assert [(e["service"], e["backend"], e["reason"], e["connections"]) for e in events] == \
        [("web", "b2", "all_gone", 0), ("web", "b1", "all_gone", 0)][-len(events):]
    assert answers(lab) == {"b2"}
    assert lab.conntrack("-p", "tcp", "--state", "TIME_WAIT")


def test_deadline_keeps(lab, start):
    d = start(echo(lab))
    s, who = connection(lab)
    with s:
        begin = time.monotonic()
        status, end = Waiting(d, "web/" + who, "--deadline", "1").end()
        assert 0.9 < time.monotonic() - begin < 10
        assert status == REFUSED
        assert end["drain"]["reason"] == "deadline" and end["drain"]["connections"] == 1
        assert end["drain"]["cut"] is False
        s.sendall(b"still there")
        assert s.recv(100) == b"still there"
    event, = drained_events(d)
    assert event["reason"] == "deadline" and event["connections"] == 1 and not event["cut"]
    # Once is enough.
    time.sleep(0.6)
    assert len(drained_events(d)) == 1


def test_cut_resets_the_client(lab, start, loose):
    d = start(echo(lab))
    conns = [connection(lab) for _ in range(3)]
    who = conns[0][1]
    status, end = Waiting(d, "web/" + who, "--deadline", "1", "--cut").end()
    assert status == OK
    assert end["drain"]["cut"] is True and end["drain"]["connections"] == 1
    only_the_first_is_reset(conns)


def test_terms_of_the_service(lab, start, loose):
    """drain_timeout_s and on_drain_timeout count where the command says nothing."""
    d = start(echo(lab, drain_timeout_s=1, on_drain_timeout="cut"))
    s, who = connection(lab)
    with s:
        d.api.must("PATCH", "/v1/services/web/backends/" + who, {"state": "draining"})
        wait_for(lambda: drained_events(d), 5, "the end")
        drain = state(d, who)["drain"]
        assert drain["on_drain_timeout"] == "cut" and drain["reason"] == "deadline"
        s.sendall(b"anybody?")
        with pytest.raises(ConnectionResetError):
            s.recv(100)


def test_udp_drains_when_its_entries_end(lab, start):
    d = start(config(lab, dns=service(lab, [listener(VIP, 53, "udp")], port=53)))
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_udp_timeout": 1})
    try:
        begin = time.monotonic()
        who = lab.udp_ask("client", VIP, 53).backend
        status, end = Waiting(d, "dns/" + who).end()
        assert status == OK and end["drain"]["reason"] == "all_gone"
        assert time.monotonic() - begin > 0.3
    finally:
        lab.sysctl("lb", {"net/netfilter/nf_conntrack_udp_timeout": 30})


def test_one_without_connections_is_drained_at_once(lab, start):
    d = start(echo(lab))
    status, end = Waiting(d, "web/b1").end()
    assert status == OK and end["drain"]["connections"] == 0


@pytest.mark.parametrize("how", ["enabled", "removed"])
def test_wait_ends_when_it_does_not_drain_any_more(lab, start, how):
    d = start(echo(lab))
    s, who = connection(lab)
    with s:
        waiting = Waiting(d, "web/" + who)
        wait_for(lambda: "drain" in state(d, who), 5, "the drain")
        if how == "enabled":
            assert ok(d, "backend", "enable", "web/" + who)["result"] == "enabled"
            assert state(d, who) == {"state": "enabled"}
        else:
            d.api.must("DELETE", "/v1/services/web/backends/" + who)
        assert waiting.proc.wait(5) == REFUSED
        assert not drained_events(d)


def test_disable_and_enable(lab, start):
    d = start(web(lab))
    assert ok(d, "backend", "disable", "web/b1")["result"] == "disabled"
    assert answers(lab) == {"b2", "b3"}
    ok(d, "backend", "drain", "web/b2")
    assert answers(lab) == {"b3"}
    ok(d, "backend", "enable", "web/b1")
    ok(d, "backend", "enable", "web/b2")
    assert answers(lab) == {"b1", "b2", "b3"}


def test_a_drain_goes_on_after_a_restart(lab, again):
    d = again("drains", echo(lab)).wait_ready()
    s, who = connection(lab)
    with s:
        waiting = Waiting(d, "web/" + who, "--deadline", "600")
        wait_for(lambda: "connections" in state(d, who).get("drain", {}), 5, "the drain")
        before = state(d, who)["drain"]
        d.stop(signal.SIGKILL)
        d = again("drains").wait_ready()
        after = state(d, who)["drain"]
        assert after["since_ms"] == before["since_ms"]
        assert after["deadline_ms"] == before["deadline_ms"]
        wait_for(lambda: state(d, who)["drain"].get("connections") == 1, 5, "the count")
        assert waiting.goes_on() and not drained_events(d)
    status, end = waiting.end()
    assert status == OK and end["drain"]["reason"] == "all_gone"
    event, = drained_events(d)
    assert event["backend"] == who
    # What was said is not said again.
    d.stop()
    d = again("drains").wait_ready()
    assert state(d, who)["drain"]["done"] is True
    time.sleep(0.6)
    assert not drained_events(d)


def test_another_address_drains_anew(lab, again):
    """What is remembered of a name is about the address it had; files that say none of any."""
    doc = web(lab)
    doc["services"]["web"]["backends"]["b1"]["state"] = "draining"
    path = lab.write_config(doc, "drain.json")
    memory = os.path.join(lab.path("drainmemory.state"), "drains.json")

    def since_after(d):
        wait_for(lambda: state(d, "b1")["drain"].get("done"), 5, "the drain")
        d.stop()
        return again("drainmemory", None, "--config-readonly", path).wait_ready()
    d = again("drainmemory", None, "--config-readonly", path).wait_ready()
    since = state(d, "b1")["drain"]["since_ms"]
    d = since_after(d)
    assert state(d, "b1")["drain"]["since_ms"] == since
    for change in ({"port": 8081}, {"address": lab.backend_set(["b3"])["b3"]["address"]}):
        doc["services"]["web"]["backends"]["b1"].update(change)
        lab.write_config(doc, "drain.json")
        d = since_after(d)
        assert state(d, "b1")["drain"]["since_ms"] > since
        since = state(d, "b1")["drain"]["since_ms"]
    wait_for(lambda: state(d, "b1")["drain"].get("done"), 5, "the drain")
    d.stop()
    with open(memory, encoding="utf-8") as f:
        old = json.load(f)
    for key in ("address", "port"):
        del old["web"]["b1"][key]
    with open(memory, "w", encoding="utf-8") as f:
        json.dump(old, f)
    d = again("drainmemory", None, "--config-readonly", path).wait_ready()
    assert state(d, "b1")["drain"]["since_ms"] == since


def test_file_mode(lab, again):
    """States can be set, outlive a restart and SIGHUP, and give way to what the file says anew."""
    doc = web(lab)
    path = lab.write_config(doc, "drain.json")
    d = again("filedrain", None, "--config-readonly", path).wait_ready()
    assert d.api.patch("/v1/services/web/backends/b1", {"weight": 3}).status == 409
    status, end = Waiting(d, "web/b1").end()
    assert status == OK
    assert end["state"] == "draining" and end["state_of_file"] == "enabled"
    assert answers(lab) == {"b2", "b3"}
    ok(d, "backend", "disable", "web/b2")
    assert answers(lab) == {"b3"}
    generation = d.api.status()["generation"]
    doc["services"]["web"]["backends"]["b3"]["weight"] = 7
    lab.write_config(doc, "drain.json")
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: d.api.status()["generation"] > generation, 5, "the file")
    assert answers(lab) == {"b3"}
    d.stop(signal.SIGKILL)
    d = again("filedrain", None, "--config-readonly", path).wait_ready()
    assert answers(lab) == {"b3"}
    assert state(d, "b2") == {"state": "disabled", "state_of_file": "enabled"}
    ok(d, "backend", "enable", "web/b2")
    assert answers(lab) == {"b2", "b3"}
    # The file's word, when it is another one, is the last.
    doc["services"]["web"]["backends"]["b1"]["state"] = "disabled"
    lab.write_config(doc, "drain.json")
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: state(d, "b1")["state"] == "disabled", 5, "the file")
    assert state(d, "b1")["state_of_file"] == "disabled"


@pytest.mark.parametrize("body,pointer", [
    ({"state": "gone"}, "/state"),
    ({}, "/state"),
    ({"state": "enabled", "drain_timeout_s": 5}, "/state"),
    ({"state": "disabled", "on_drain_timeout": "cut"}, "/state"),
    ({"state": "draining", "drain_timeout_s": -1}, "/drain_timeout_s"),
    ({"state": "draining", "drain_timeout_s": 2678401}, "/drain_timeout_s"),
    ({"state": "draining", "on_drain_timeout": "reset"}, "/on_drain_timeout"),
    ({"state": "draining", "weight": 1}, "/weight"),
])
def test_bad_states(lab, start, body, pointer):
    d = start(web(lab))
    r = d.api.put(state_path("b1"), body)
    assert r.status == 422 and r.json["problems"][0]["pointer"] == pointer, r


def test_terms_are_checked_and_shown(lab, start):
    d = start(web(lab))
    path = "/v1/services/web"
    for patch, member in [({"drain_timeout_s": -1}, "drain_timeout_s"),
                          ({"drain_timeout_s": "1"}, "drain_timeout_s"),
                          ({"on_drain_timeout": "reset"}, "on_drain_timeout")]:
        r = d.api.patch(path, patch)
        assert r.status == 422 and member in r.text, r
    ok(d, "service", "set", "web", "drain_timeout_s=60", "on_drain_timeout=cut")
    shown = ok(d, "service", "show", "web")
    assert shown["drain_timeout_s"] == 60 and shown["on_drain_timeout"] == "cut"
    assert d.api.get(state_path("nobody")).status == 404
    assert d.api.put(state_path("nobody"), {"state": "draining"}).status == 404


def test_dry_run_and_if_match(lab, start):
    d = start(web(lab))
    generation = d.api.status()["generation"]
    r = d.api.must("PUT", state_path("b1") + "?dry_run=1", {"state": "draining"})
    assert r.json["operations"] and state(d, "b1") == {"state": "enabled"}
    stale = {"If-Match": '"%d"' % (generation - 1)}
    assert d.api.put(state_path("b1"), {"state": "draining"}, headers=stale).status == 412
    assert state(d, "b1") == {"state": "enabled"}
