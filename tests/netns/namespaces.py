# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces: enter one, remove what dead runs left."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000
NETNS_DIR = "/run/netns"
PREFIX = "fnat-"

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    pass


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        err = ctypes.get_errno()
        raise OSError(err, "setns: " + os.strerror(err))


@contextlib.contextmanager
def in_netns(name):
    """The calling thread, and what it starts, is in the named namespace meanwhile."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd = os.open(os.path.join(NETNS_DIR, name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(fd)
        finally:
            os.close(fd)
        yield
    finally:
        _setns(before)
        os.close(before)


def wait_for(cond, timeout=5.0, what=None, interval=0.01):
    """Poll until cond() is true and return its value; LabError after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        value = cond()
        if value:
            return value
        if time.monotonic() > end:
            raise LabError("timeout (%g s) waiting for %s" % (timeout, what or cond))
        time.sleep(interval)


def remove_stale(prefix=PREFIX):
    """Remove what runs that died (killed, out of memory) left: namespaces of dead pids."""
    if not os.path.isdir(NETNS_DIR):
        return
    for name in os.listdir(NETNS_DIR):
        m = re.match(re.escape(prefix) + r"(\d+)-", name)
        if m and not os.path.exists("/proc/" + m.group(1)):
            remove_netns([name])


def remove_netns(names):
    """End what still runs in the namespaces, then remove them."""
    for name in names:
        for pid in _pids_in(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    batch = "".join("netns del %s\n" % n for n in names)
    subprocess.run(["ip", "-force", "-batch", "-"], input=batch.encode(), stderr=subprocess.DEVNULL,
                   check=False)


def _pids_in(name):
    try:
        want = os.stat(os.path.join(NETNS_DIR, name))
    except OSError:
        return []
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            st = os.stat("/proc/%s/ns/net" % pid)
            if (st.st_dev, st.st_ino) == (want.st_dev, want.st_ino) and int(pid) != os.getpid():
                found.append(int(pid))
    return found
