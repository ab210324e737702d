# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatd --on-change, the examples of it, and what is known of backends over a restart."""

import json
import os
import shutil
import subprocess
import time

import pytest

from conftest import web
from health_testing import check, refuse, wait_state, wait_who_answers, who_answers
from namespaces import wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@pytest.fixture
def hook(lab):
    """A program that writes its arguments to a file; lines() has them."""
    path = lab.path("hook")
    with open(path, "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nfor a; do printf "%%s|" "$a"; done >>%s.log; echo >>%s.log\n' % (path, path))
    os.chmod(path, 0o755)

    class Hook:
        program = path

        @staticmethod
        def lines():
            if not os.path.exists(path + ".log"):
                return []
            with open(path + ".log", encoding="utf-8") as log:
                return [line[:-1].split("|")[:-1] for line in log if line.endswith("\n")]
    yield Hook
    os.unlink(path)
    if os.path.exists(path + ".log"):
        os.unlink(path + ".log")


def test_arguments(lab, start, hook):
    d = start(web(lab, names=["b1"], check=check("tcp")), "--on-change", hook.program)
    wait_state(d, "b1", "up")
    allow = refuse(lab, "b1")
    try:
        wait_for(lambda: ["backend_state", "web", "b1", "going_down", "down", "connect: Connection refused"]
                 in hook.lines(), 20)
        wait_for(lambda: ["serving", "web", "ipv4", "normal", "none"] in hook.lines(), 20)
    finally:
        allow()
    wait_for(lambda: ["serving", "web", "ipv4", "none", "normal"] in hook.lines(), 20)


def test_limited(lab, start, hook):
    """Many changes at once: ten a second, each backend's last one."""
    many = {"x%d" % i: {"address": "10.1.0.11", "port": 20000 + i} for i in range(100)}
    doc = web(lab, check=check("tcp", port=9999, fall=1))
    doc["services"]["web"]["backends"] = many
    t0 = time.monotonic()
    d = start(doc, "--on-change", hook.program)
    wait_for(lambda: len(hook.lines()) >= 20, 20)
    assert time.monotonic() - t0 >= 1.5
    d.api.must("PATCH", "/v1/services/web", {"check": {"port": 8080}})  # all come up again
    wait_for(lambda: len({line[2] for line in hook.lines() if line[0] == "backend_state" and line[4] == "up"}) == 100, 60)
    assert len(hook.lines()) < 3 * 100


def test_a_program_that_is_not_there(lab, start):
    d = start(web(lab, check=check("tcp")), "--on-change", "/nonexistent/program")
    d.wait_log("hook: /nonexistent/program: No such file or directory", 20)
    assert who_answers(lab) == {"b1", "b2", "b3"}


def test_keepalived_track_file(lab, start, monkeypatch):
    """The example of the package, with its directory here."""
    program, track = lab.path("on-change"), lab.path("track")
    with open(os.path.join(TOP, "contrib/examples/on-change-keepalived"), encoding="utf-8") as f:
        text = f.read().replace("/run/fnat/track", track)
    with open(program, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(program, 0o755)

    def value():
        try:
            with open(track + "/web", encoding="utf-8") as f:
                return int(f.read())
        except FileNotFoundError:
            return None
    d = start(web(lab, names=["b1"], check=check("tcp")), "--on-change", program)
    wait_state(d, "b1", "up")
    allow = refuse(lab, "b1")
    try:
        wait_for(lambda: value() == -254, 20)
    finally:
        allow()
    wait_for(lambda: value() == 0, 20)
    shutil.rmtree(track)


def test_bird(lab):
    """The example of the package: a route for each virtual address that is served."""
    bird, vips = lab.path("bird"), lab.path("vips")
    with open(vips, "w", encoding="utf-8") as f:
        f.write("web 192.0.2.10/32\nweb 2001:db8:2::10/128\ndns 192.0.2.11/32\n")

    def run(*args):
        subprocess.run([os.path.join(TOP, "contrib/examples/on-change-bird"), *args], check=True, env=dict(
            os.environ, FNAT_BIRD_DIR=bird, FNAT_VIPS=vips, FNAT_BIRDC="true"))

    def routes(family):
        with open("%s/%s.conf" % (bird, family), encoding="utf-8") as f:
            return f.read().splitlines()
    run("serving", "web", "ipv4", "none", "normal")
    run("serving", "dns", "ipv4", "none", "sorry")
    run("serving", "web", "ipv6", "none", "normal")
    assert sorted(routes("ipv4")) == ["route 192.0.2.10/32 unreachable;", "route 192.0.2.11/32 unreachable;"]
    assert routes("ipv6") == ["route 2001:db8:2::10/128 unreachable;"]
    if shutil.which("bird"):
        conf = lab.path("bird.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write("router id 192.0.2.1;\n")
            for family in ("ipv4", "ipv6"):
                f.write('protocol static fnat_%s {\n%s;\ninclude "%s/%s.conf";\n}\n'
                        % (family, family, bird, family))
        subprocess.run(["bird", "-p", "-c", conf], check=True)
    run("serving", "web", "ipv4", "normal", "none")
    run("backend_state", "web", "b1", "up", "down", "x")
    assert routes("ipv4") == ["route 192.0.2.11/32 unreachable;"]
    shutil.rmtree(bird)


def test_restart(lab, start):
    """What was down stays out of use from the first moment on, until a check says otherwise."""
    allow = refuse(lab, "b2")
    try:
        d = start(web(lab, check=check("tcp")))
        wait_state(d, "b2", "down")
        d.api.must("PATCH", "/v1/services/web", {"check": {"interval_ms": 3600000, "timeout_ms": 3600000}})
        wait_for(lambda: d.api.get("/v1/services/web/health").json["backends"]["b1"]["state"] == "up", 20)
        d.stop()
    finally:
        allow()
    # Now it would be well, but nobody has asked: hold back what is asked.
    lab.nft_load("table inet hole { chain in { type filter hook input priority 0; "
                 "ip saddr 10.1.0.1 tcp dport 8080 drop; }; }", ns="b2")
    try:
        d = start(None, name=d.name)
        assert who_answers(lab, 30) == {"b1", "b3"}
        assert d.api.get("/v1/services/web/health").json["backends"]["b2"]["down"]
    finally:
        lab.nft("delete", "table", "inet", "hole", ns="b2")
    d.wait_log("web/b2 unknown -> up", 20)
    wait_who_answers(lab, {"b1", "b2", "b3"})


def test_restart_without_the_check(lab, start):
    """A backend that is remembered as down, and is not checked any more, is used."""
    allow = refuse(lab, "b2")
    try:
        d = start(web(lab, check=check("tcp")))
        wait_state(d, "b2", "down")
        d.stop()
    finally:
        allow()
    path = lab.path(d.name + ".state/health.json")
    with open(path, encoding="utf-8") as f:
        assert json.load(f) == {"web": {"b2": "down"}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"gone": {"x": "down"}, "web": {"nosuch": "down", "b1": "down", "b2": 7}}, f)
    d = start(None, name=d.name)
    wait_for(lambda: who_answers(lab, 30) == {"b1", "b2", "b3"}, 10)
    d.stop()
    with open(path, "w", encoding="utf-8") as f:
        f.write("{rubbish")
    d = start(None, name=d.name)
    assert "what was down is not known" in d.log()
