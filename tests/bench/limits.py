# SPDX-License-Identifier: GPL-2.0-or-later
"""New UDP flows through a service whose backends have max_connections, beside the same without.

The kernel walks the living connections of a backend at each new one of it, so the cost is one of how
many live. From an empty connection table on, so many flows begin that half of them live on average.
What the program costs is measured without fnatd, what the events cost that it counts by beside it.
"""

import json

import flows
from daemons import Daemon
from namespaces import wait_for

# 100 living connections a backend are as many as "limit": "auto" counts; 1,000 are more than it advises.
EXACT_LIMIT, WANTED_AT = 1.5, (100, 1000)
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


def _once(living):
    def fn(path):
        path.flush()
        return path.send(2 * living * len(flows.BACKENDS))
    return fn


def run(report, lab, rounds):
    paths = {"rr": _through_fnatd(lab, "lr", None, True), "exact": _through_fnatd(lab, "lx", "exact", True),
             "exact, with fnatd": _through_fnatd(lab, "le", "exact"),
             "fast, with fnatd": _through_fnatd(lab, "lf", "fast")}
    for living in LIVING:
        group = "New UDP flows with max_connections, %d living a backend, one core" % living
        result = flows.measure(paths, rounds, _once(living))
        for name in paths:
            report.rounds(group, name + ", time of a packet", result[name], "ns")
        wanted = ("<=", EXACT_LIMIT) if living in WANTED_AT else None
        for name in list(paths)[1:]:
            report.ratio(group, "time of %s / rr" % name, result[name], result["rr"], wanted if name == "exact" else None)
