# SPDX-License-Identifier: GPL-2.0-or-later
"""More backends than fnatd may open files: all are asked, and files are left for others."""

import os
import subprocess

import pytest

from conftest import web
from health_testing import blackholed, check
from lab import wait_for
from probe_servers import wait_bound

FILES, BACKENDS = 600, 800
# fnatd's own, and what the API has open in between.
OTHERS = 60

UDP = {"type_": "udp", "port": 53, "payload": "?"}
DNS = {"type_": "dns", "port": 5353, "name": "www.test", "record": "A"}
TYPES = [pytest.param(options, id=options["type_"]) for options in ({"type_": "tcp", "port": 8080}, UDP, DNS)]


@pytest.fixture
def dns(lab):
    """dnsmasq on port 5353 of b1: www.test is 10.9.9.9."""
    proc = lab.popen("b1", ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=5353", "--no-resolv",
                            "--no-hosts", "--no-daemon", "--pid-file=", "--user=root", "--address=/www.test/10.9.9.9"],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_bound(lab, "b1", 5353)
    yield proc
    proc.kill()
    proc.wait()


@pytest.fixture
def many(lab, start, dns):
    """A daemon with few files and many backends, all of which are b1."""
    def fn(**options):
        doc = web(lab, check=check(**options))
        doc["services"]["web"]["backends"] = {"x%d" % i: {"address": lab.backend_addr("b1"), "port": 20000 + i}
                                              for i in range(BACKENDS)}
        return start(doc, wrapper=("prlimit", "--nofile=%d:%d" % (FILES, FILES)))
    return fn


def health(daemon):
    return daemon.api.get("/v1/services/web/health").json["backends"]


def files(daemon):
    return len(os.listdir("/proc/%d/fd" % daemon.pid))


@pytest.mark.parametrize("options", TYPES)
def test_all_are_asked(many, options):
    """Those that keep a socket do so up to half of the files; each check is made all the same."""
    d = many(interval_ms=500, timeout_ms=5000, **options)
    found = wait_for(lambda: (lambda h: h if min(b["ok"] for b in h.values()) >= 5 else None)(health(d)), 60)
    assert not [b for b in found.values() if b["failed"] or b["undone"]]
    wait_for(lambda: FILES // 2 < files(d) < FILES // 2 + OTHERS, 10)


@pytest.mark.parametrize("options", TYPES)
def test_none_answers(lab, many, options):
    """Each check waits with a socket until its timeout, so there are not enough: others wait for theirs. All are made, and
    fail for what they found; and the API answers."""
    with blackholed(lab, "b1"):
        d = many(interval_ms=500, timeout_ms=450, fall=1, **options)
        most = []

        def all_down():
            most.append(files(d))
            return all(b["down"] for b in health(d).values())
        wait_for(all_down, 60)
        found = health(d)
    assert FILES // 2 < max(most) < FILES * 3 // 4 + OTHERS
    results = {(r["result"], r["reason"].split(",")[0]) for b in found.values() for r in b["results"]}
    assert results == {("failed", "timeout")}
