# SPDX-License-Identifier: GPL-2.0-or-later
"""Fixtures: one laboratory for all tests of a process, a fresh daemon and a clean kernel for each."""

import os
import shutil
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import lab as lab_module  # noqa: E402
from lab import VIP, VIP6, Lab  # noqa: E402

CLIENTS = 60
TIME_WAIT = "net/ipv4/tcp_max_tw_buckets"


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than five seconds")


# What takes longest comes first, so that processes that share the files end together.
LONGEST = ("test_stress.py", "test_soak.py", "test_stats.py", "test_api_clients.py", "test_load.py", "test_faults.py",
           "test_health_hooks.py", "test_connections.py", "test_health_types.py", "test_events.py", "test_crash.py")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_sessionstart(session):
    lab_module.remove_stale()
    # ^C and kill end the session through exceptions, so that the labs are removed.
    signal.signal(signal.SIGTERM, lambda *a: sys.exit(143))


@pytest.fixture(scope="session")
def session_lab():
    reason = lab_module.missing()
    if reason:
        pytest.skip(reason)
    with Lab(backends=3, clients=CLIENTS) as the_lab:
        # Clients of many tests share few ports: a connection that a backend remembers from another
        # test would be answered as an old one, and begun twice.
        for b in the_lab.backends:
            the_lab.sysctl(b, {TIME_WAIT: 0})
        the_lab.web = {b: the_lab.nginx(b, (8080, 80)) for b in the_lab.backends}
        the_lab.udp = {b: the_lab.udp_server(b, (53, 5300)) for b in the_lab.backends}
        the_lab.tcp = {b: the_lab.tcp_server(b, (9000,)) for b in the_lab.backends}
        yield the_lab


def clean(the_lab):
    """The balancer as if no fnatd had ever run, and the servers as if nobody had asked."""
    the_lab.nft("flush", "ruleset", check=False)
    the_lab.conntrack_flush()
    for server in the_lab.udp.values():
        server.count = 0
        server.seen.clear()


def end(daemons):
    for d in daemons:
        if d.proc.poll() is None:
            d.stop(lab_module.END)


@pytest.fixture
def lab(session_lab):
    """The laboratory: client, lb and b1 to b3, each with nginx on 8080 and 80 (lab.web), UDP on 53
    and 5300 (lab.udp), TCP on 9000 (lab.tcp)."""
    session_lab.daemons = []
    first = session_lab.process_count()
    session_lab.keep_sysctls()
    yield session_lab
    end(session_lab.daemons)
    session_lab.end_processes(first)
    session_lab.restore_sysctls()
    clean(session_lab)


@pytest.fixture
def loose(lab):
    """As the kernel comes: a segment in the middle of a connection gets to the rules."""
    name = "net/netfilter/nf_conntrack_tcp_loose"
    lab.sysctl("lb", {name: 1})


@pytest.fixture
def start(lab):
    """start(config, "--option", ...) starts fnatd in the balancer; ended after the test."""
    def fn(config=None, *args, wait=True, **kw):
        daemon = lab_module.Fnatd(lab, config, args, wait=False, **kw)
        lab.daemons.append(daemon)
        return daemon.wait_ready() if wait else daemon
    return fn


@pytest.fixture
def again(lab):
    """again(name, config, "--option", ...): a daemon, not waited for, whose state directory is the
    name's as long as the test lasts."""
    names = set()

    def fn(name, cfg=None, *args, **kw):
        daemon = lab_module.Fnatd(lab, cfg, args, name=name, wait=False, **kw)
        lab.daemons.append(daemon)
        names.add(name)
        return daemon
    yield fn
    end(lab.daemons)
    for name in names:
        shutil.rmtree(lab.path(name + ".state"), ignore_errors=True)


def listener(address=VIP, port=80, protocol="tcp"):
    return {"address": address, "protocol": protocol, "port": port}


def service(lab, listeners=None, scheduler="rr", weights=None, names=None, port=8080, families=(4,),
            **more):
    """A service object: the lab's backends, by default one IPv4 listener VIP:80/tcp, rr."""
    backends = {}
    for f in families:
        for name, b in lab.backend_set(names, port, f, weights).items():
            backends[name if f == 4 else name + "-6"] = b
    return dict({"listeners": listeners or [listener()], "pool": "lan", "scheduler": scheduler,
                 "backends": backends}, **more)


def config(lab, **services):
    """A document with the lab's pool and the services given by name."""
    return {"pools": lab.pool(), "services": services}


def web(lab, **kw):
    return config(lab, web=service(lab, **kw))


def dual(lab, **kw):
    """web over both families."""
    kw.setdefault("listeners", [listener(), listener(VIP6)])
    return config(lab, web=service(lab, families=(4, 6), **kw))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the daemons said, under a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed:
        the_lab = item.funcargs.get("lab")
        for d in getattr(the_lab, "daemons", []):
            report.sections.append(("log of %s" % d.name, d.log()[-8000:]))


def pytest_terminal_summary(terminalreporter):
    """Why a test was run again: one that then passes would leave no trace of it."""
    for report in terminalreporter.stats.get("rerun", []):
        crash = getattr(report.longrepr, "reprcrash", None)
        why = "%s:%d: %s" % (os.path.basename(crash.path), crash.lineno, crash.message) if crash else str(report.longrepr)
        terminalreporter.write_line("AGAIN %s: %s" % (report.nodeid, why.partition("\n")[0][:300]))
