# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel goes on without fnatd; the next fnatd adopts what it finds and changes what differs."""

import signal
from collections import Counter

import pytest

from conftest import config, dual, listener, service, web
from lab import VIP, VIP2, VIP6, wait_for
from listing import canonical
from watch import NftMonitor


def mixed(lab):
    """Every scheduler, both families, two pools, names that need care."""
    doc = config(
        lab,
        web=service(lab, [listener(), listener(VIP6), listener(VIP, 443)], families=(4, 6)),
        weighted=service(lab, [listener(VIP, 81)], "wrr", [3, 2, 1]),
        dns=service(lab, [listener(VIP, 53, "udp")], "random", port=53),
        sticky=service(lab, [listener(VIP, 82), listener(VIP6, 82)], "sh", families=(4, 6),
                       on_unavailable="drop"),
        empty={"listeners": [listener(VIP, 83)], "pool": "small", "backends": {}})
    doc["services"]["x.y_z-0"] = service(lab, [listener(VIP, 84, "sctp")], pool="small")
    doc["pools"]["small"] = {"addresses": ["10.1.0.64-10.1.0.65", "fd00:1::64/127"]}
    return doc


def generations(lab, d):
    return lab.nft_generation(), d.api.status()["generation"]


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("mode", [(), ("--plain-table",)])
def test_traffic_continues_and_adoption_is_silent(lab, start, sig, mode):
    doc = mixed(lab)
    d = start(doc, *mode)
    lab.ask("client", VIP)
    status = d.stop(sig)
    assert status == (0 if sig != signal.SIGKILL else -9)
    before = lab.nft("list", "table", "inet", "fnat")
    assert Counter(lab.ask("client", VIP).backend for _ in range(9)) == {"b1": 3, "b2": 3, "b3": 3}
    assert lab.udp_ask("client", VIP, 53)
    with NftMonitor(lab) as monitor:
        d = start(doc, *mode)
        assert Counter(lab.ask("client", VIP6).backend for _ in range(6)) == \
            {"b1": 2, "b2": 2, "b3": 2}
        assert monitor.lines() == []
    assert canonical(lab.nft("list", "table", "inet", "fnat")) == canonical(before)


def test_the_monitor_sees_changes(lab, start):
    """It does report elements when something differs: the test above can fail."""
    doc = mixed(lab)
    start(doc).kill()
    doc["services"]["web"]["backends"]["b1"]["port"] = 80
    with NftMonitor(lab) as monitor:
        start(doc)
        lines = monitor.lines()
    assert lines and all("element" in x and "slots4-rr" in x for x in lines), lines


def test_adoption_keeps_lanes_that_history_made(lab, start):
    """Lanes that a new daemon would give out otherwise stay where they are."""
    d = start(config(lab, **{n: service(lab, [listener(VIP, 1000 + i)])
                             for i, n in enumerate("abcd")}))
    d.api.must("DELETE", "/v1/services/a")
    d.api.must("DELETE", "/v1/services/c")
    d.api.must("PUT", "/v1/services/e", service(lab, [listener(VIP, 1009)]))
    d.api.must("PUT", "/v1/services/0", service(lab, [listener(VIP, 1010)]))
    doc = d.api.get("/v1/config").json
    d.stop()
    with NftMonitor(lab) as monitor:
        start(doc)
        assert monitor.lines() == []


def test_other_configuration_at_restart(lab, start):
    """Only what differs changes; the services that stay serve all the time."""
    doc = mixed(lab)
    start(doc).kill()
    del doc["services"]["weighted"]
    doc["services"]["new"] = service(lab, [listener(VIP2)])
    with NftMonitor(lab) as monitor:
        start(doc)
        lines = monitor.lines()
    assert lines
    assert not [x for x in lines if ". 443" in x or ". 53 " in x or ". 82" in x], lines
    assert Counter(lab.ask("client", VIP2).backend for _ in range(6)) == {"b1": 2, "b2": 2, "b3": 2}


def test_same_again_sends_nothing(lab, start):
    """diff(have, have): the kernel's generation and fnat's stay, whichever way it is asked for."""
    doc = mixed(lab)
    d = start(doc)
    before = generations(lab, d)
    d.api.must("PUT", "/v1/config", doc)
    d.api.must("PUT", "/v1/config", d.api.get("/v1/config").json)
    d.api.must("PUT", "/v1/services/web", doc["services"]["web"])
    d.api.must("PATCH", "/v1/services/web", {"scheduler": "rr"})
    d.api.must("PATCH", "/v1/services/web/backends/b1", {"weight": 1})
    d.api.must("PUT", "/v1/pools/small", doc["pools"]["small"])
    assert d.api.must("PUT", "/v1/config?dry_run=1", doc).json["operations"] == []
    assert d.api.must("POST", "/v1/verify").json["operations"] == 0
    assert generations(lab, d) == before


def test_sighup_reads_the_configuration_again(lab, start):
    path = lab.write_config(web(lab), "again.json")
    d = start(None, "--config-readonly", path)
    lab.write_config(config(lab, web=service(lab, [listener(VIP2)])), "again.json")
    d.proc.send_signal(signal.SIGHUP)
    wait_for(lambda: "192.0.2.11" in str(d.api.get("/v1/config").json))
    lab.ask("client", VIP2)
    generation = d.api.status()["generation"]
    lab.write_config('{"services": {"web": 7}}', "again.json")
    d.proc.send_signal(signal.SIGHUP)
    d.wait_log(r"/services/web")
    assert d.api.status()["generation"] == generation
    lab.ask("client", VIP2)


def test_no_configuration_is_no_order_to_remove_services(lab, start):
    """Neither a store nor a file, but services in the kernel: they are left alone, and it is said."""
    start(web(lab)).kill()
    d = start(None, wait=False)
    assert d.proc.wait(10) == 1
    assert "--config" in d.log()
    assert lab.ask("client", VIP)


def test_durable_with_a_store_only(lab, start):
    d = start(web(lab))
    assert d.api.status()["durable"] is True
    d.stop()
    path = lab.write_config(web(lab), "readonly.json")
    assert start(None, "--config-readonly", path).api.status()["durable"] is False


def test_readonly_configuration_is_read_at_every_start(lab, start):
    path = lab.write_config(web(lab), "readonly.json")
    start(None, "--config-readonly", path).kill()
    lab.write_config(config(lab, web=service(lab, [listener(VIP2)])), "readonly.json")
    start(None, "--config-readonly", path)
    assert lab.ask("client", VIP2)
    with pytest.raises(OSError):
        lab.ask("client", VIP)


def test_established_connections_survive_restarts(lab, start):
    doc = config(lab, t=service(lab, [listener(VIP, 9000)], port=None))
    d = start(doc)
    with lab.connect("client", VIP, 9000) as s:
        s.recv(200)
        for sig in (signal.SIGKILL, signal.SIGTERM):
            d.stop(sig)
            s.sendall(b"without")
            assert s.recv(100) == b"without"
            d = start(doc)
            s.sendall(b"with")
            assert s.recv(100) == b"with"


def test_dual_stack_status(lab, start):
    st = start(dual(lab)).api.status()
    assert (st["services"], st["pools"], st["backends"], st["listeners"]) == (1, 1, 6, 2)
