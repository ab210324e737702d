# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot fail, fails: netlink at each call in turn, memory at each allocation, the clock, file descriptors. After
each, daemon, store and kernel agree, and the next change works."""

import contextlib
import http.client
import os
import resource
import struct
import time

import pytest

from conftest import web
from daemon import find_program, is_sanitized
from lab import VIP
from namespaces import wait_for
from syscalls import injected

SEND, RECEIVE = "sendto,sendmsg", "recvfrom,recvmsg,recvmmsg"
# More calls of one kind than a change and a verification make.
CALLS_MAX = 12


def document(lab, n):
    """Number n differs from all others in slots, listeners and pools."""
    config = web(lab, scheduler="wrr", weights=[n % 5 + 1, 1, 2])
    config["pools"]["extra"] = {"addresses": ["10.1.0.%d" % (100 + n % 50)]}
    config["services"]["extra"] = {
        "listeners": [{"address": "192.0.2.99", "protocol": "udp", "port": 1000 + n}], "pool": "extra",
        "backends": {"a": {"address": "10.1.0.11"}}}
    return config


def port_of(config):
    return config["services"]["extra"]["listeners"][0]["port"]


def agree(d):
    """Kernel and daemon; returns the configuration."""
    assert d.api.post("/v1/verify").json["operations"] == 0
    return d.api.must("GET", "/v1/config").json


@pytest.mark.slow
@pytest.mark.parametrize("calls, errors", [(SEND, ("ENOBUFS", "ENOMEM", "EINTR", "EBUSY")),
                                           (RECEIVE, ("ENOBUFS", "ENOMEM", "EINTR", "EAGAIN"))])
def test_netlink_fails_at_each_call(lab, start, calls, errors):
    """A change is answered as what it is: there, or refused; and so is a verification."""
    d = start(document(lab, 0))
    n, outcomes = 0, set()
    for error in errors:
        for when in range(1, CALLS_MAX + 1):
            n += 1
            before = port_of(d.api.must("GET", "/v1/config").json)
            with injected(d, "%s:error=%s:when=%d" % (calls, error, when)):
                answer = d.api.put("/v1/config", document(lab, n))
                d.api.post("/v1/verify")
            assert answer.status in (200, 500, 502, 503), answer
            outcomes.add(answer.status == 200)
            now = port_of(agree(d))
            assert now == (1000 + n if answer.status == 200 else before), (error, when, answer)
    assert True in outcomes
    n += 1
    assert d.api.put("/v1/config", document(lab, n)).status == 200
    assert port_of(agree(d)) == 1000 + n
    assert lab.ask("client", VIP)


@contextlib.contextmanager
def short_of_memory(lab, again, name):
    """start(n): a daemon; arm(n): its allocation number n from now fails; left(): how many were not reached."""
    path = lab.path(name + ".countdown")
    with open(path, "wb") as f:
        f.write(struct.pack("=q", 0))

    def arm(n):
        with open(path, "r+b") as f:
            f.write(struct.pack("=q", n))

    def left():
        with open(path, "rb") as f:
            return struct.unpack("=q", f.read(8))[0]

    def start(config=None):
        arm(0)
        wrapper = ["env", "LD_PRELOAD=" + find_program("failmalloc.so"), "FAILMALLOC=" + path]
        return again(name, config, wrapper=wrapper).wait_ready()
    yield start, arm, left


@pytest.mark.slow
@pytest.mark.skipif(is_sanitized(), reason="a sanitizer has its own malloc")
@pytest.mark.parametrize("operation", ["put", "delete", "history", "verify"])
def test_memory_runs_out_at_each_allocation(lab, again, operation):
    """fnatd may end (it says of what); what was answered is there when it starts again."""
    n_crashes, change, n, is_reached = 0, 0, 1, True
    with short_of_memory(lab, again, "memory-" + operation) as (start, arm, left):
        d = start(document(lab, 0))
        while is_reached:
            change += 1
            before = port_of(d.api.must("GET", "/v1/config").json)
            arm(n)
            status = ask(d, operation, document(lab, change))
            is_reached = left() == 0
            arm(0)
            if is_reached and has_ended(d):
                n_crashes += 1
                assert "out of memory" in d.log() or d.proc.returncode != 0
                d = start()
            now = agree(d)["services"]
            if operation == "put":
                allowed = {200: {1000 + change}, None: {before, 1000 + change}}.get(status, {before})
                assert port_of({"services": now}) in allowed, (n, status)
            elif "extra" not in now:
                assert operation == "delete" and status in (None, 200, 204)
            assert d.api.put("/v1/config", document(lab, change)).status == 200
            # Each of the first, then fewer: most are in loops over the same things.
            n += max(1, n // 4)
    assert n > 20 and n_crashes > 0
    assert lab.ask("client", VIP)


def has_ended(d):
    """It may have answered and ended only then, in another thread."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        if d.api.get("/v1/status").status == 200 and d.api.post("/v1/verify").status == 200:
            return False
    d.proc.wait(20)
    return True


def ask(d, operation, body):
    """The status of the answer; None: there was none."""
    method, path = {"put": ("PUT", "/v1/config"), "delete": ("DELETE", "/v1/services/extra"),
                    "history": ("GET", "/v1/history"), "verify": ("POST", "/v1/verify")}[operation]
    try:
        return d.api.request(method, path, body if operation == "put" else None).status
    except (OSError, http.client.HTTPException):
        return None


@pytest.mark.parametrize("jump_s", [86400, -86400])
def test_the_clock_jumps(lab, again, jump_s):
    """What waits, waits as long as it was told to; what is numbered by time only grows."""
    library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
    if not os.path.exists(library) or is_sanitized():
        pytest.skip("no libfaketime (apt-get install faketime), or a sanitizer, which does not go with it")
    path = lab.path("clock%d" % (jump_s > 0))
    with open(path, "w") as f:
        f.write("+0")
    wrapper = ["env", "LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + path, "FAKETIME_NO_CACHE=1",
               "FAKETIME_DONT_FAKE_MONOTONIC=1"]
    name = "clock%d" % (jump_s > 0)
    d = again(name, document(lab, 0), wrapper=wrapper).wait_ready()
    first = d.api.get("/v1/status").json["generation"]
    begin = time.monotonic()
    assert d.api.put("/v1/config?confirm_s=3", document(lab, 1)).status == 200
    with open(path, "w") as f:
        f.write("%+d" % jump_s)
    assert port_of(agree(d)) == 1001  # not yet
    wait_for(lambda: d.api.get("/v1/status").json["generation"] == first + 2, 20, "the rollback")
    assert time.monotonic() - begin > 2.5
    assert port_of(agree(d)) == 1000
    assert d.api.put("/v1/config", document(lab, 2)).status == 200
    d.kill()
    d = again(name).wait_ready()
    assert port_of(agree(d)) == 1002
    assert lab.ask("client", VIP)


def test_no_file_descriptor_is_left(lab, start):
    """A connection that rests makes room for one that asks; changes work, and all is well when there are some again."""
    d = start(document(lab, 0))
    limits = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)
    resting = d.api.__class__(d.socket, keep=True)
    assert resting.get("/v1/status").status == 200
    n_open = max(int(fd) for fd in os.listdir("/proc/%d/fd" % d.pid)) + 1
    resource.prlimit(d.pid, resource.RLIMIT_NOFILE, (n_open, limits[1]))

    def changed(n):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return d.api.put("/v1/config", document(lab, n)).status == 200
    try:
        wait_for(lambda: changed(1), 20, "a change without a file descriptor to spare")
        assert lab.ask("client", VIP)
    finally:
        resource.prlimit(d.pid, resource.RLIMIT_NOFILE, limits)
    wait_for(lambda: d.api.get("/v1/services/extra").json["listeners"][0]["port"] == 1001, 20, "the change")
    assert port_of(agree(d)) == 1001
    assert changed(2) and port_of(agree(d)) == 1002
