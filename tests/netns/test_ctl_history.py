# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatctl over time: history, differences, ways back, events; nouns and verbs; the raw API."""

import grp
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress

import pytest

from conftest import config, dual, listener, service, web
from ctl_testing import OK, REFUSED, UNREACHABLE, USAGE, ok, on_terminal, refused
from lab import VIP, find_program
from namespaces import wait_for


@pytest.fixture
def daemon(lab, start):
    return start(dual(lab, scheduler="wrr", weights=[2, 1, 1]))


def generation(daemon):
    return daemon.api.status()["generation"]


def weight(daemon, name="b1"):
    return daemon.api.get("/v1/services/web/backends/" + name).json["weight"]


# -- generations


def test_history(daemon):
    first = generation(daemon)
    ok(daemon, "backend", "set", "web/b1", "weight=5")
    ok(daemon, "backend", "set", "web/b1", "weight=6")
    history = ok(daemon, "history")["history"]
    assert [g["generation"] for g in history] == [first + 2, first + 1, first]
    assert ok(daemon, "history", "--max", "1")["history"] == history[:1]
    assert ok(daemon, "history", "--before", str(first + 2), "--max=1")["history"] == history[1:2]
    code, text = on_terminal(daemon, "history")
    assert code == OK and text.split("\n")[0].split() == "GENERATION TIME BY PID OBJECTS WHAT".split()
    assert re.search(r"^ +%d  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  root +\d+ +1  PATCH /v1/services/web/"
                     r"backends/b1$" % (first + 2), text, re.M), text
    refused(daemon, "history", "--max", "0")


def test_diff(daemon):
    first = generation(daemon)
    ok(daemon, "backend", "set", "web/b1", "weight=5")
    ok(daemon, "backend", "add", "web/x", "address=10.1.0.13", "port=99")
    ok(daemon, "service", "set", "web", "scheduler=rr", "listeners=%s:80/tcp,%s:81/tcp" % (VIP, VIP))
    ok(daemon, "pool", "add", "small", "addresses=10.1.0.60")
    last = generation(daemon)
    answer = daemon.api.get("/v1/diff?from=%d" % first).json
    assert ok(daemon, "diff", str(first)) == answer
    assert ok(daemon, "diff", str(first), str(last)) == answer
    code, text = on_terminal(daemon, "diff", str(first))
    assert code == OK
    lines = text.splitlines()
    assert "~ service web: backends.b1.weight 2 -> 5" in lines
    assert "+ service web: backends.x.address 10.1.0.13" in lines
    assert "+ service web: backends.x.port 99" in lines
    assert "~ service web: scheduler wrr -> rr" in lines
    assert "+ service web: listeners %s:81/tcp" % VIP in lines
    assert sum("listeners" in line for line in lines) == 2  # and the IPv6 one is gone
    assert "+ pool small: addresses 10.1.0.60" in lines
    back = on_terminal(daemon, "diff", str(last), str(first))[1].splitlines()
    assert "~ service web: backends.b1.weight 5 -> 2" in back
    assert "- pool small: addresses 10.1.0.60" in back
    assert on_terminal(daemon, "diff", str(last))[1] == "nothing differs\n"
    coloured = on_terminal(daemon, "diff", str(first), env={"TERM": "xterm", "NO_COLOR": ""})[1]
    assert "\x1b[32m+ pool small" in coloured
    assert "99999" in refused(daemon, "diff", "99999")[0]
    assert "not a generation's number" in refused(daemon, "diff", "x", status=USAGE)[0]


def test_rollback(daemon):
    first = generation(daemon)
    ok(daemon, "backend", "set", "web/b1", "weight=5")
    assert ok(daemon, "rollback", str(first), "-n")["dry_run"] is True
    assert weight(daemon) == 5
    assert ok(daemon, "rollback", str(first)) == {"generation": first + 2, "result": "rolled back"}
    assert weight(daemon) == 2
    assert ok(daemon, "rollback", str(first)) == {"generation": first + 2, "result": "unchanged"}
    assert on_terminal(daemon, "rollback", str(first + 1)) == (
        OK, "configuration rolled back (generation %d)\n" % (first + 3))
    assert len(refused(daemon, "rollback", "99999")) == 1
    assert "not a generation's number" in refused(daemon, "rollback", "1x", status=USAGE)[0]
    refused(daemon, "rollback", str(first), "--if-match", "1")


def test_apply_and_confirm(daemon, lab):
    first = generation(daemon)
    path = lab.write_config(web(lab, scheduler="sh"), "new.json")
    done = ok(daemon, "apply", path, "--confirm", "60")
    assert done["confirm"]["rollback_to"] == first and 0 < done["confirm"]["seconds_left"] <= 60
    assert re.search(r"^confirm +generation %d comes back in \d+ (s|min \d+ s) unless" % first,
                     on_terminal(daemon, "status")[1], re.M)
    assert len(refused(daemon, "apply", path, "--confirm", "60")) == 1
    assert ok(daemon, "confirm") == {"generation": first + 1, "result": "confirmed"}
    assert len(refused(daemon, "confirm")) == 1
    assert ok(daemon, "service", "show", "web")["scheduler"] == "sh"


def slow_to_tell(path, to):
    """A Unix socket in front of fnatd's that passes questions for the status on after 1.5 s."""
    front = socket.socket(socket.AF_UNIX)
    front.bind(path)
    front.listen()

    def carry(a, b, is_slow):
        with suppress(OSError):
            while data := a.recv(65536):
                if is_slow and b"GET /v1/status" in data:
                    time.sleep(1.5)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)

    def serve():
        with suppress(OSError):
            while True:
                client, _ = front.accept()
                back = socket.socket(socket.AF_UNIX)
                back.connect(to)
                threading.Thread(target=carry, args=(client, back, True), daemon=True).start()
                threading.Thread(target=carry, args=(back, client, False), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return front


def test_taken_back_before_it_is_told(daemon, lab):
    """fnatctl asks what waits to be confirmed, and by then the time is over."""
    first, path = generation(daemon), lab.path("slow.sock")
    with slow_to_tell(path, daemon.socket):
        for i, fmt in enumerate(("json", "table")):
            r = lab.ctl(path, "-o", fmt, "apply", lab.write_config(web(lab, scheduler="sh"), "new.json"), "--confirm", "1")
            assert r.returncode == OK, r.stderr
            assert generation(daemon) == first + 2 * i + 2
            if fmt == "json":
                assert json.loads(r.stdout) == {"generation": first + 1, "result": "applied", "confirm": None,
                                                "taken_back": True}
            else:
                assert r.stdout.endswith("\nit was not confirmed in time, and is taken back already\n")
    # One that changes nothing, as ever.
    r = lab.ctl(daemon.socket, "-o", "table", "apply", lab.write_config(daemon.api.must("GET", "/v1/config").json), "--confirm", "60")
    assert r.stdout.endswith("\nnothing was changed by it: there is nothing to confirm\n")


def test_what_is_not_confirmed_comes_back(daemon, lab):
    path = lab.write_config(web(lab, scheduler="sh"), "new.json")
    code, text = on_terminal(daemon, "apply", path, "--confirm", "2")
    assert code == OK and "comes back in" in text and "`fnatctl confirm`" in text
    wait_for(lambda: ok(daemon, "service", "show", "web")["scheduler"] == "wrr", 10, "the way back")


@pytest.mark.parametrize("change,undone", [
    (["backend", "set", "web/b1", "weight=7"], lambda web: web["backends"]["b1"]["weight"] == 2),
    (["backend", "set", "web/new", "address=10.1.0.13", "port=99"],
     lambda web: "new" not in web["backends"]),
    (["backend", "drain", "web/b1"], lambda web: "state" not in web["backends"]["b1"]),
    (["backend", "del", "web/b1"], lambda web: "b1" in web["backends"]),
], ids=["set", "new", "drain", "del"])
def test_one_object_to_be_confirmed(daemon, change, undone):
    get = lambda: ok(daemon, "service", "show", "web")  # noqa: E731
    assert undone(get())
    first = generation(daemon)
    done = ok(daemon, *change, "--confirm", "2")
    assert done["result"] in ("changed", "created", "draining", "removed")
    assert done["confirm"] is not None and done["generation"] == first + 1
    wait_for(lambda: generation(daemon) == first + 2, 10, "the way back")
    assert undone(get())
    # As it was in between: what the way back made undone.
    then = daemon.api.must("GET", "/v1/diff?from=%d&to=%d" % (first, first + 1)).json["changes"]
    assert len(then) == 1 and not undone(then[0]["after"])


def test_confirm_is_refused_as_a_change_is(daemon):
    lines = refused(daemon, "backend", "set", "web/b1", "weight=99999", "--confirm", "5")
    assert len(lines) == 1 and "weight" in lines[0]
    assert "nope" in refused(daemon, "del", "backend", "web/nope", "--confirm", "5")[0]
    wait_for(lambda: daemon.api.status()["confirm"] is None, 5, "nothing to confirm")


# -- nouns and verbs


def test_nouns_and_verbs(daemon):
    ok(daemon, "pool", "add", "small", "addresses=10.1.0.60")
    assert ok(daemon, "pool", "list") == ok(daemon, "show", "pools")
    assert ok(daemon, "pool", "show", "small") == ok(daemon, "show", "pool", "small")
    done = ok(daemon, "service", "add", "dns", "listeners=%s:53/udp" % VIP, "pool=small")
    assert done == {"generation": generation(daemon), "result": "created"}
    lines = refused(daemon, "service", "add", "dns", "listeners=%s:54/udp" % VIP, "pool=small")
    assert lines == ["fnatctl: service dns exists already: `fnatctl service set` changes it"]
    assert ok(daemon, "backend", "add", "dns/a", "address=10.1.0.11")["result"] == "created"
    refused(daemon, "backend", "add", "dns/a", "address=10.1.0.12")
    assert ok(daemon, "backend", "list", "dns") == ok(daemon, "service", "show", "dns")["backends"]
    assert set(ok(daemon, "backend", "list")) == {"web", "dns"}
    assert ok(daemon, "backend", "show", "dns/a") == ok(daemon, "show", "backend", "dns/a")
    assert re.search(r"^dns/a +10.1.0.11 +1$", on_terminal(daemon, "backend", "list")[1], re.M)
    assert re.search(r"^weight +1$", on_terminal(daemon, "backend", "show", "dns/a")[1], re.M)
    assert ok(daemon, "service", "list") == ok(daemon, "show", "services")
    ok(daemon, "backend", "del", "dns/a")
    ok(daemon, "service", "del", "dns")
    ok(daemon, "pool", "del", "small")
    assert ok(daemon, "config", "show") == ok(daemon, "show", "config")


@pytest.mark.parametrize("command,name", [
    ("service show wbe", "web"), ("backend drain web/b1x", "b1"), ("backend show wbe/b1", "web"),
    ("pool del lam", "lan"), ("backend del web/b1x --confirm 5", "b1"),
    ("get /v1/services/wbe/placements", "web"), ("status wbe", "web"),
])
def test_mistyped_names(daemon, command, name):
    lines = refused(daemon, *command.split())
    assert len(lines) == 2 and lines[1] == 'fnatctl: did you mean "%s"?' % name


def test_drain_and_enable(daemon):
    show = lambda: ok(daemon, "backend", "show", "web/b1")  # noqa: E731
    assert ok(daemon, "backend", "drain", "web/b1")["result"] == "draining"
    assert show()["state"] == "draining" and weight(daemon) == 2
    assert ok(daemon, "backend", "enable", "web/b1")["result"] == "enabled"
    assert "state" not in show() and weight(daemon) == 2
    ok(daemon, "backend", "set", "web/b1", "weight=0")
    ok(daemon, "backend", "enable", "web/b1")
    assert weight(daemon) == 1
    ok(daemon, "backend", "enable", "web/b1", "9")
    assert weight(daemon) == 9
    ok(daemon, "backend", "enable", "web/b1")
    assert weight(daemon) == 9
    assert ok(daemon, "backend", "drain", "web/b1", "-n")["operations"]
    assert weight(daemon) == 9
    assert "not a weight" in refused(daemon, "backend", "enable", "web/b1", "x", status=USAGE)[0]
    assert "nope" in refused(daemon, "backend", "drain", "web/nope")[0]


# -- events


def follow(daemon, *args):
    argv = [find_program("fnatctl"), "--socket", daemon.socket, "events"] + list(args)
    return daemon.lab.popen("lb", argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_events_in_a_pipe(daemon):
    proc = follow(daemon, "--since", "0")
    try:
        ok(daemon, "backend", "set", "web/b1", "weight=5")
        event = json.loads(proc.stdout.readline())
        while event.get("what") != "PATCH /v1/services/web/backends/b1":
            event = json.loads(proc.stdout.readline())
        ok(daemon, "backend", "set", "web/b1", "weight=6")
        assert json.loads(proc.stdout.readline())["event"] == event["event"] + 1
        daemon.stop()
        assert proc.wait(5) == UNREACHABLE
        assert "fnatctl events --since %d" % (event["event"] + 1) in proc.stderr.read()
    finally:
        proc.kill()
        proc.communicate()


def test_events_for_people(daemon):
    ok(daemon, "backend", "set", "web/b1", "weight=5")
    ok(daemon, "pool", "add", "small", "addresses=10.1.0.60")
    proc = follow(daemon, "--since", "0", "-o", "table")
    try:
        text = ""
        while "small" not in text:
            text += proc.stdout.readline()
        assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  generation %d by root \(pid \d+\), PATCH "
                         r"/v1/services/web/backends/b1: service web changed$"
                         % (generation(daemon) - 1), text, re.M), text
    finally:
        proc.kill()
        proc.communicate()


def test_events_that_were_missed(daemon):
    ok(daemon, "backend", "set", "web/b1", "weight=5")
    r = daemon.ctl("events", "--since", "17", "-o", "table")
    assert r.returncode == REFUSED and "dropped: " in r.stdout


# -- the API itself


def test_raw(daemon):
    path = "/v1/services/web/backends/b1"
    backend = ok(daemon, "get", path)
    assert ok(daemon, "put", path, json.dumps(dict(backend, weight=4)))["weight"] == 4
    assert ok(daemon, "patch", path, '{"weight":5}')["weight"] == 5
    assert ok(daemon, "patch", path, "@-", input='{"weight":6}')["weight"] == 6
    assert ok(daemon, "patch", path, '{"weight":7}', "--dry-run")["dry_run"] is True
    assert ok(daemon, "post", "/v1/verify") == {"operations": 0}
    changes = {"changes": [{"method": "PATCH", "path": path, "body": {"weight": 8}}]}
    assert ok(daemon, "post", "/v1/changes", json.dumps(changes))["results"] == [{"status": 200}]
    r = daemon.ctl("delete", path)
    assert (r.returncode, r.stdout, r.stderr) == (OK, "", "")
    assert "nope" in refused(daemon, "delete", "/v1/services/nope")[0]
    assert "POST is not allowed here" in refused(daemon, "post", "/v1/status")[0]
    assert refused(daemon, "patch", path, "{x")[0].startswith("fnatctl: argument:1:2: ")
    refused(daemon, "patch", "/v1/services/web", '{"pool":"lan"}', "--if-match", "1")
    code, text = on_terminal(daemon, "get", "/v1/pools")
    assert code == OK and text.startswith('{\n  "lan"')


def test_metrics(daemon):
    r = daemon.ctl("metrics")
    assert r.returncode == OK and "# TYPE " in r.stdout
    assert on_terminal(daemon, "metrics")[0] == OK


# -- large and slow


def test_progress_on_a_terminal_only(daemon):
    """A daemon that takes its time: a line on the terminal, which is gone in the end."""
    def stopped(fn):
        daemon.proc.send_signal(signal.SIGSTOP)
        timer = threading.Timer(2.5, daemon.proc.send_signal, [signal.SIGCONT])
        timer.start()
        try:
            return fn()
        finally:
            timer.join()
    code, text = stopped(lambda: on_terminal(daemon, "verify", env={"TERM": "xterm"}))
    assert code == OK and "\rfnatd works on it, 1 s\x1b[K" in text
    assert text.endswith("\r\x1b[Kthe kernel's table is as it should be\n")
    assert stopped(lambda: on_terminal(daemon, "verify")) == (
        OK, "the kernel's table is as it should be\n")  # one that cannot go back
    assert stopped(lambda: ok(daemon, "verify")) == {"operations": 0}


def test_large_configuration(lab, start):
    """What is piped is what the API says, byte for byte; on a terminal it is the same, indented."""
    many = {"s%04d" % i: service(lab, listeners=[listener(port=1000 + i)]) for i in range(3000)}
    daemon = start()
    path = lab.write_config(config(lab, **many), "many.json")
    assert ok(daemon, "apply", path)["result"] == "applied"
    text = daemon.api.get("/v1/config").text
    assert daemon.ctl("show", "config").stdout == text.rstrip("\n") + "\n"
    code, shown = on_terminal(daemon, "show", "config")
    assert code == OK and shown == json.dumps(json.loads(text), indent=2) + "\n"


# -- access, waiting


@pytest.fixture
def nobody(lab):
    user = pwd.getpwnam("nobody")
    os.chmod(lab.dir, 0o755)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def test_access_denied(lab, start, nobody):
    daemon = start(web(lab), "--group", "daemon", "--read-group", "nogroup")
    assert ok(daemon, "service", "list", **nobody)
    lines = refused(daemon, "backend", "set", "web/b1", "weight=5", **nobody)
    assert len(lines) == 2 and "may not change anything" in lines[0]
    assert lines[1].startswith("fnatctl: members of group daemon may: `usermod -aG daemon USER`")
    member = dict(nobody, extra_groups=[grp.getgrnam("daemon").gr_gid])
    assert ok(daemon, "backend", "set", "web/b1", "weight=5", **member)["result"] == "changed"


def test_no_access_at_all(lab, start, nobody):
    daemon = start(web(lab), "--group", "daemon")
    lines = refused(daemon, "service", "list", status=UNREACHABLE, **nobody)
    assert len(lines) == 1 and "only root and members of group daemon may" in lines[0]


def test_status_waits_for_the_daemon(lab, start):
    argv = [find_program("fnatctl"), "--socket", lab.path("late.sock"), "status", "--wait",
            "--timeout", "20"]
    proc = lab.popen("lb", argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    start(web(lab), name="late")
    out, err = proc.communicate(timeout=20)
    assert proc.returncode == OK and err == "" and json.loads(out)["services"] == 1
    r = lab.ctl(lab.path("never.sock"), "status", "--wait", "--timeout", "1")
    assert r.returncode == UNREACHABLE and "is fnatd running?" in r.stderr
