# SPDX-License-Identifier: GPL-2.0-or-later
"""The control plane: load, change, lanes, and what the kernel alone takes for the same."""

import itertools
import json
import os
import random
import time

import documents
import harness
from client import Connection
from daemons import Daemon, build_program, control_ns, kernel_memory_mb

N_BACKENDS = 10

# Wanted, per number of services: seconds to load, MB of fnatd's peak memory.
LOAD_LIMITS = {1000: (0.2, 40), 10000: (1, 150), 100000: (12, 1536)}
P50_MS, P99_MS, RATIO, FSYNCS = 0.3, 1.0, 1.5, 1.25


def count(n):
    return "{:,}".format(n)


def config_file(lab, n, scheduler, n_backends=N_BACKENDS):
    path = lab.path("%s-%d-%d.json" % (scheduler, n, n_backends))
    documents.fnat(path, n, n_backends, scheduler)
    return path


def raw_batch(lab, ns, config, changes=0, lanes=None, omit=()):
    """What rawbatch.c says of the configuration, in a namespace (where it leaves the table)."""
    argv = [build_program("rawbatch")]
    if changes:
        argv += ["--changes", str(changes)]
    if lanes is not None:
        argv += ["--lanes", str(lanes)]
    for rule in omit:
        argv += ["--omit", rule]
    return json.loads(lab.run(ns, argv + [config], timeout=300).stdout)


class Scratch:
    """Namespaces that are used once: removing one costs the caller nothing."""

    def __init__(self, lab):
        self.lab, self.n = lab, 0

    def __call__(self):
        self.n += 1
        return control_ns(self.lab, "x%d" % self.n)


class Load:
    """Starts of fnatd with one file; what is seen besides the time is kept."""

    def __init__(self, lab, scratch, config, **how):
        self.lab, self.scratch, self.config, self.how = lab, scratch, config, how
        self.cpu, self.peak, self.after, self.kernel = [], [], [], []

    def __call__(self):
        ns, before = self.scratch(), kernel_memory_mb()
        daemon = Daemon(self.lab, ns, self.config, **self.how)
        self.cpu.append(daemon.cpu_s())
        self.kernel.append(kernel_memory_mb() - before)
        self.peak.append(daemon.memory_mb())
        self.after.append(daemon.memory_mb("VmRSS"))
        daemon.flush()
        return daemon.start_s

    def report(self, report, group, name, times, limits):
        report.rounds(group, name + ", start to committed", times, "s", limits and ("<=", limits[0]))
        report.rounds(group, name + ", CPU time of that", self.cpu, "s")
        report.rounds(group, name + ", peak memory", self.peak, "MB", limits and ("<=", limits[1]))
        report.rounds(group, name + ", memory after that", self.after, "MB")


def load(report, lab, size, scheduler, rounds, scratch):
    """From the start of fnatd to the committed ruleset, beside the kernel's part of it."""
    group = "Load, %s services x %d backends, %s" % (count(size), N_BACKENDS, scheduler)
    config = config_file(lab, size, scheduler)
    from_file = Load(lab, scratch, config, is_file_mode=True)
    seeding = Load(lab, scratch, config, state_dir=lab.dir)

    def raw():
        ns = scratch()
        result = raw_batch(lab, ns, config)
        lab.nft("flush", "ruleset", ns=ns)
        return result

    result = harness.interleaved(rounds, {"file": from_file, "store": seeding, "raw": raw})
    floor = [r["kernel_ms"] / 1000 for r in result["raw"]]
    from_file.report(report, group, "--config-readonly", result["file"], LOAD_LIMITS.get(size))
    seeding.report(report, group, "--config, seeding a store", result["store"], LOAD_LIMITS.get(size))
    report.rounds(group, "kernel memory (whole machine, about)", from_file.kernel, "MB")
    report.rounds(group, "floor: the same batch, sendmsg to acknowledgement", floor, "s")
    report.rounds(group, "rawbatch: parse, plan and encode",
                  [(r["parse_ms"] + r["plan_ms"] + r["encode_ms"]) / 1000 for r in result["raw"]], "s")
    report.ratio(group, "--config-readonly / floor", result["file"], floor)


class Changes:
    """Requests that change one thing of a random service each; the same sequence for each daemon."""

    def __init__(self, n_services, seed=1):
        self.n, self.random = n_services, random.Random(seed)
        self.places, self.weights, self.extra = itertools.count(), {}, None

    def _pick(self):
        return self.random.randrange(self.n)

    def _move(self, service, backend):
        """Path and body of another port and address, which no backend ever had: the program stays."""
        place = next(self.places)
        return ("/v1/services/s%d/backends/b%d" % (service, backend),
                {"address": documents.unused_address(place), "port": 20000 + place % 20000})

    def slots(self):
        return Connection.encode("PATCH", *self._move(self._pick(), self.random.randrange(N_BACKENDS)))

    def many(self, n):
        """The same for n services, in one request."""
        moves = [self._move(service, 0) for service in self.random.sample(range(self.n), n)]
        return Connection.encode("POST", "/v1/changes", {"changes": [
            {"method": "PATCH", "path": path, "body": body} for path, body in moves]})

    def weight(self):
        """1 and 2 in turn: another number of slots, so another program."""
        service = self._pick()
        weight = self.weights[service] = 3 - self.weights.get(service, 1)
        return Connection.encode("PATCH", "/v1/services/s%d/backends/b0" % service, {"weight": weight})

    def membership(self):
        """A backend is added; the next time it is removed."""
        if self.extra is None:
            self.extra = self._pick()
            body = documents.backend(self.extra, 99999, N_BACKENDS)
            return Connection.encode("PUT", "/v1/services/s%d/backends/extra" % self.extra, body)
        service, self.extra = self.extra, None
        return Connection.encode("DELETE", "/v1/services/s%d/backends/extra" % service)


KINDS = (("slots", "address and port of a backend"), ("weight", "weight of a backend (another program)"),
         ("membership", "backend added or removed"))


def timed_changes(daemons, kind, n, block=25):
    """{name: [[ms, ...] a block]}: blocks of changes in turns on each of {name: (Daemon, Changes)}."""
    def one(name):
        daemon, changes = daemons[name]
        return lambda: [daemon.connection.timed(getattr(changes, kind)()) * 1000 for _ in range(block)]

    return harness.interleaved(-(-n // block), {name: one(name) for name in daemons})


def flat(blocks):
    return [ms for block in blocks for ms in block]


def report_change(report, group, name, blocks, p50=None, p99=None):
    """p50 and p99 of all changes; the spread is that of the blocks' medians."""
    samples, medians = flat(blocks), [harness.median(b) for b in blocks]
    report.add(group, name + ", p50", harness.percentile(samples, 50), "ms", medians, p50 and ("<=", p50))
    report.add(group, name + ", p99", harness.percentile(samples, 99), "ms",
               [harness.percentile(samples, 99), max(samples)], p99 and ("<=", p99), "max: the slowest")


def raw_change(report, lab, size, scheduler, n, scratch):
    """One element replaced in one batch, without a daemon: sendmsg to acknowledgement."""
    group = "Floor of a change, %s services x %d backends, %s" % (count(size), N_BACKENDS, scheduler)
    ns = scratch()
    result = raw_batch(lab, ns, config_file(lab, size, scheduler), changes=n)
    lab.nft("flush", "ruleset", ns=ns)
    for kind, what in (("slot", "one slot"), ("verdict", "one listener's program (validates the map)")):
        for p in ("p50", "p99"):
            report.add(group, "kernel, %s, %s" % (what, p), result["%s_%s_ms" % (kind, p)], "ms")
    return result


def fsync_ms(directory, n=200):
    """[ms]: one page written at the end of a file, and fdatasync."""
    path, page, times = os.path.join(directory, "fsync"), b"x" * 4096, []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    for _ in range(n):
        begin = time.perf_counter()
        os.write(fd, page)
        os.fdatasync(fd)
        times.append((time.perf_counter() - begin) * 1000)
    os.close(fd)
    os.unlink(path)
    return times


MEMORY, DISK = "store in memory", "store on disk"


def change(report, lab, size, scheduler, n, scratch):
    """One backend changed through the API, beside the same with 10 services; durable and not."""
    raw = raw_change(report, lab, size, scheduler, min(n, 200 if size > 10000 else 1000), scratch)
    disk = harness.median(fsync_ms(lab.dir))
    daemons = {}
    for s in (size, 10):
        for where, state_dir in ((MEMORY, None), (DISK, lab.dir)):
            daemons[s, where] = (Daemon(lab, scratch(), config_file(lab, s, scheduler), state_dir=state_dir), Changes(s))
    group = "Change, %s services x %d backends, %s" % (count(size), N_BACKENDS, scheduler)
    get = Connection.encode("GET", "/v1/services/s0/backends/b0")
    large = daemons[size, MEMORY][0].connection
    report_change(report, group, "beside it: GET of a backend", [[large.timed(get) * 1000 for _ in range(500)]])
    report.add(group, "beside it: write and fdatasync of a page", disk, "ms")
    timed_changes(daemons, "slots", 50)  # warm up
    for kind, what in KINDS:
        is_slots = kind == "slots"
        blocks = timed_changes(daemons, kind, n)
        p50 = P50_MS if is_slots else P50_MS + 1.2 * raw["verdict_p50_ms"]
        for where in (MEMORY, DISK):
            name, is_disk = "%s, %s" % (what, where), where == DISK
            report_change(report, group, name, blocks[size, where], None if is_disk else p50,
                          P99_MS if is_slots and not is_disk else None)
            report.ratio(group, name + ", against 10 services", [harness.median(b) for b in blocks[size, where]],
                         [harness.median(b) for b in blocks[10, where]], ("<=", RATIO) if is_slots else None)
        cost = [harness.median(d) - harness.median(m) for d, m in zip(blocks[size, DISK], blocks[size, MEMORY])]
        report.rounds(group, what + ", cost of durability in fdatasyncs", [c / disk for c in cost], "x",
                      ("<=", FSYNCS) if is_slots else None)
    for daemon, _ in daemons.values():
        daemon.flush()


def lanes(report, lab, size, choices, n, scratch):
    """What each round-robin counter more costs a change: every commit walks all chains."""
    group = "Lanes: a change at %s services x %d backends, wrr" % (count(size), N_BACKENDS)
    config = config_file(lab, size, "wrr")
    small = Daemon(lab, scratch(), config_file(lab, 10, "wrr"))
    for choice in choices:
        daemon = Daemon(lab, scratch(), config, ("--lanes", str(choice)))
        raw_ns = scratch()
        raw = raw_batch(lab, raw_ns, config, changes=n, lanes=choice)
        blocks = timed_changes({"large": (daemon, Changes(size)), "small": (small, Changes(10))}, "slots", n)
        name = "%d lanes" % choice
        report_change(report, group, name, blocks["large"], P50_MS, P99_MS)
        report.ratio(group, name + ", against 10 services", [harness.median(b) for b in blocks["large"]],
                     [harness.median(b) for b in blocks["small"]], ("<=", RATIO))
        report.add(group, name + ", kernel alone, p50", raw["slot_p50_ms"], "ms")
        report.add(group, name + ", load", daemon.start_s, "s")
        daemon.flush()
        lab.nft("flush", "ruleset", ns=raw_ns)
    small.flush()

