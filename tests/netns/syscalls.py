# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls of a running daemon: made to fail, to be slow, to kill it; counted. strace does it."""

import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest


def _end(strace):
    if strace.poll() is None:
        strace.terminate()
    try:
        strace.wait(5)
    except subprocess.TimeoutExpired:  # it sometimes waits for threads of a daemon that it killed
        strace.kill()
        strace.wait()


def thread_id(daemon, name):
    """Of the daemon's thread that is called so."""
    for task in pathlib.Path("/proc/%d/task" % daemon.pid).iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise LookupError("no thread %s" % name)


@contextlib.contextmanager
def _attached(daemon, output, options, thread=None):
    if not shutil.which("strace"):
        pytest.skip("no strace (apt-get install strace)")
    who = [str(thread_id(daemon, thread))] if thread else [str(daemon.pid), "-f"]
    argv = ["strace", "-o", output, "-p"] + who + options
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as strace:
        if "attached" not in strace.stderr.readline():
            pytest.skip("strace cannot attach")
        try:
            yield
        finally:
            _end(strace)


@contextlib.contextmanager
def injected(daemon, *faults, thread=None):
    """Each of these faults ("fdatasync:error=EIO", see strace(1)) meanwhile; of one thread or of all."""
    with _attached(daemon, "/dev/null", [o for fault in faults for o in ("-e", "inject=" + fault)],
                   thread):
        yield


class Calls:
    """The calls that were counted."""
    n = 0


@contextlib.contextmanager
def counted(daemon, call, delay_ms=0):
    """Yields Calls, whose n is there afterwards; each call takes delay_ms longer."""
    calls, path = Calls(), daemon.lab.path("calls")
    options = ["-e", "trace=" + call]
    if delay_ms:
        options += ["-e", "inject=%s:delay_exit=%d" % (call, delay_ms * 1000)]
    with _attached(daemon, path, options):
        yield calls
    with open(path) as f:
        calls.n = sum(" %s(" % call in line for line in f)
    os.unlink(path)
