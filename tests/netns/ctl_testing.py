# SPDX-License-Identifier: GPL-2.0-or-later
"""fnatctl under test: on a terminal, in a pipe, refused."""

import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios

from lab import find_program

OK, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


def on_terminal(daemon, *args, width=200, env=None):
    """fnatctl with stdout on a terminal: (exit status, text)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    argv = [find_program("fnatctl"), "--socket", daemon.socket] + list(args)
    proc = daemon.lab.popen("lb", argv, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                            env=dict(os.environ, **(env or {"TERM": "dumb"})))
    os.close(slave)
    out = b""
    while True:
        if not select.select([master], [], [], 20)[0]:
            raise AssertionError("fnatctl hangs; so far: %r" % out)
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(master)
    return proc.wait(20), out.decode().replace("\r\n", "\n")


def ok(daemon, *args, **kw):
    """stdout of a fnatctl that must succeed, as JSON."""
    r = daemon.ctl(*args, **kw)
    assert r.returncode == OK, r.stderr
    assert r.stderr == ""
    return json.loads(r.stdout)


def refused(daemon, *args, status=REFUSED, **kw):
    """stderr's lines of a fnatctl that must not succeed."""
    r = daemon.ctl(*args, **kw)
    assert r.returncode == status, (r.returncode, r.stdout, r.stderr)
    assert r.stdout == ""
    assert "\x1b" not in r.stderr
    return r.stderr.splitlines()
