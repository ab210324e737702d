# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatctl top on a real terminal, which tmux is."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from conftest import config, listener, service
from lab import VIP, VIP2, LabError, find_program, wait_for

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")


class Terminal:
    def __init__(self, path, argv, width=80, height=24):
        self.path = path
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                  " ".join(argv) + "; echo ended $?; cat")

    def tmux(self, *args):
        return subprocess.run(["tmux", "-S", self.path] + list(args), check=True, text=True,
                              stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C.UTF-8")).stdout

    def lines(self):
        return self.tmux("capture-pane", "-p").rstrip("\n").split("\n")

    def keys(self, *keys):
        self.tmux("send-keys", *keys)

    def wait(self, pattern, timeout=8):
        """Until a line is like that: the line."""
        found = []

        def seen():
            found[:] = [x for x in self.lines() if re.search(pattern, x)]
            return found
        try:
            wait_for(seen, timeout, pattern)
        except LabError:
            raise AssertionError("no %r in\n%s" % (pattern, "\n".join(self.lines())))
        return found[0]

    def resize(self, width, height):
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def close(self):
        subprocess.run(["tmux", "-S", self.path, "kill-server"], check=False)


@pytest.fixture
def top(lab):
    terminals = []

    def fn(daemon, *args, **kw):
        argv = [find_program("fnatctl"), "--socket", daemon.socket, "top"] + list(args)
        terminals.append(Terminal(lab.path("tmux%d" % len(terminals)), argv, **kw))
        return terminals[-1]
    yield fn
    for t in terminals:
        t.close()


def names(t):
    """Services and backends in the order of their lines."""
    return [x.split()[0] for x in t.lines()[3:-1] if x.strip()]


def test_top(lab, again, top):
    cfg = config(lab, web=service(lab), echo=service(lab, [listener(VIP2, 9000)], port=9000))
    d = again("top", cfg).wait_ready()
    for _ in range(3):
        assert lab.http("client", VIP)[0] == 200
    t = top(d, "-w", "1")
    assert "INPPS" in t.wait("^SERVICE")
    assert "q quit" in t.wait("q quit")  # drawn last
    lines = t.lines()
    assert len(lines) == 24 and all(len(x) <= 80 for x in lines)
    assert "q quit" in lines[-1] and lines[0].startswith("fnat")
    # Totals, sorted by connections: web first. By the name: echo first, and the other way round.
    t.keys("t")
    assert re.match(r"web +3 ", t.wait(r"^web +3 "))
    wait_for(lambda: names(t)[0] == "web" and len(names(t)) == 8, what="all rows")
    t.keys("n")
    wait_for(lambda: names(t)[0] == "echo", what="sorted by the name")
    t.keys("r")
    wait_for(lambda: names(t)[:2] == ["web", "b3"], what="the other way round")
    t.keys("b")
    wait_for(lambda: names(t) == ["web", "echo"], what="no backends")
    # New numbers come by themselves.
    assert lab.http("client", VIP)[0] == 200
    t.wait(r"^web +4 ")
    # Smaller and larger: what fits is shown, the last line stays the keys.
    t.keys("b")
    t.resize(50, 8)
    wait_for(lambda: len(names(t)) == 4 and "q quit" in t.lines()[-1], what="four rows")
    t.keys("Down")
    wait_for(lambda: names(t)[0] == "b3", what="one row down")
    t.keys("9")
    assert "TIMED-OUT" in t.wait("^SERVICE.*TIMED-OUT")
    t.resize(120, 30)
    t.wait("FAILED")
    wait_for(lambda: len(names(t)) == 8, what="all rows")
    check_restart(lab, again, top, d, t, cfg)


def check_restart(lab, again, top, d, t, cfg):
    """A daemon that hangs, goes and comes back is told, and the view goes on."""
    t.resize(80, 24)
    t.keys("1")
    d.stop()
    t.wait("is fnatd running")
    t.wait("^web +4 ")  # the last numbers stay
    again("top", cfg).wait_ready()
    wait_for(lambda: not re.search("is fnatd running", t.lines()[1]), 8, "a new answer")
    t.keys("q")
    t.wait("^ended 0")


def test_hanging_daemon(lab, start, top):
    """Keys are obeyed all the same."""
    d = start(config(lab, web=service(lab)))
    t = top(d, "web", "-w", "1")
    t.wait("^web")
    os.kill(d.pid, signal.SIGSTOP)
    try:
        t.keys("b")
        wait_for(lambda: names(t) == ["web"], what="no backends")
        t.keys("q")
        t.wait("^ended 0")
    finally:
        os.kill(d.pid, signal.SIGCONT)


def test_not_on_a_terminal(lab, start):
    d = start(config(lab, web=service(lab)))
    r = d.ctl("top")
    assert r.returncode == 1 and "top needs a terminal" in r.stderr
