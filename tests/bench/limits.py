# SPDX-License-Identifier: GPL-2.0-or-later
"""New UDP flows through a service whose backends have max_connections, beside the same without; and
through a pool one of whose addresses is gone around.

With an exact limit the kernel walks the living connections of a backend at each new one of it, so the
cost is one of how many live; with tokens ("budget") it is not. From an empty connection table on, so many
flows begin that half of them live on average.
What the program costs is measured without fnatd, what the events cost that it counts by beside it.

What a local address without ports costs the flows of its pool is one lookup more, and that is put in
by hand where fnatd has left the ruleset, as rules/detour.nft has it: towards one of the backends one
of the addresses is gone around.
"""

import json

import flows
from daemons import Daemon
from namespaces import wait_for

# "auto" counts up to 1,000 of a service, that is 100 a backend; beyond, "budget" is what is advised.
BUDGET_LIMIT, WANTED_AT = 1.5, (100, 1000)
DETOUR_LIMIT = 1.15
LIVING = (100, 1000, 3000)


def _document(lab, name, limit):
    service = {"listeners": [{"address": flows.VIP, "protocol": "udp", "port": flows.PORT}], "pool": "lan",
               "scheduler": "rr", "limit": limit or "exact",
               "backends": {"b%d" % i: {"address": a, "port": flows.PORT} for i, a in enumerate(flows.BACKENDS)}}
    for b in service["backends"].values() if limit else ():
        b["max_connections"] = 1000000
    path = lab.path("limits-%s.json" % name)
    with open(path, "w") as f:
        json.dump({"pools": {"lan": {"addresses": flows.POOL}}, "services": {"measured": service}}, f)
    return path


def _through_fnatd(lab, name, limit, is_alone=False):
    path = flows.Path(lab, name)
    daemon = Daemon(lab, path.lb, _document(lab, name, limit))

    def is_open():
        limits = daemon.connection.get("/v1/services/measured/limits")["backends"]
        return all(b.get("room", 0) is not None for b in limits.values())
    wait_for(is_open, 10, "gates of " + name)
    if is_alone:
        daemon.stop()
    return path


def _detour():
    """What fnatd adds while one address has no ports left towards one backend."""
    size, parts = len(flows.POOL), 8  # DETOUR_PARTS
    elements = ", ".join("%s . udp . %d . %d : %s" % (flows.BACKENDS[0], flows.PORT, part * size, flows.POOL[1 + part])
                         for part in range(parts))
    return ("add map inet fnat detour-lan4 { typeof ip daddr . meta l4proto . th dport . numgen inc mod 65536 : ip saddr; "
            "elements = { %s }; }\n"
            "insert rule inet fnat pool-lan snat ip to ip daddr . meta l4proto . th dport . "
            "jhash ip saddr . th sport mod %d seed 0x6c616472 map @detour-lan4:1024-65535\n" % (elements, size * parts))


def detour(report, lab, rounds):
    """From an empty table on: new flows alone."""
    paths = {"none": _through_fnatd(lab, "dn", None, True), "detour": _through_fnatd(lab, "dd", None, True)}
    lab.nft_load(_detour(), ns=paths["detour"].lb)
    group = "New UDP flows through a pool with an address that is gone around, one core"
    result = flows.measure(paths, rounds, _once(1000))
    for name in paths:
        report.rounds(group, name + ", time of a packet", result[name], "ns")
    report.ratio(group, "time of detour / none", result["detour"], result["none"], ("<=", DETOUR_LIMIT))


def _once(living):
    def fn(path):
        path.flush()
        return path.send(2 * living * len(flows.BACKENDS))
    return fn


def run(report, lab, rounds):
    paths = {"rr": _through_fnatd(lab, "lr", None, True), "exact": _through_fnatd(lab, "lx", "exact", True),
             "budget": _through_fnatd(lab, "lb", "budget", True),
             "exact, with fnatd": _through_fnatd(lab, "le", "exact"),
             "budget, with fnatd": _through_fnatd(lab, "lu", "budget"),
             "fast, with fnatd": _through_fnatd(lab, "lf", "fast")}
    for living in LIVING:
        group = "New UDP flows with max_connections, %d living a backend, one core" % living
        result = flows.measure(paths, rounds, _once(living))
        for name in paths:
            report.rounds(group, name + ", time of a packet", result[name], "ns")
        wanted = ("<=", BUDGET_LIMIT) if living in WANTED_AT else None
        for name in list(paths)[1:]:
            report.ratio(group, "time of %s / rr" % name, result[name], result["rr"], wanted if name == "budget" else None)
