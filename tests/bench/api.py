# SPDX-License-Identifier: GPL-2.0-or-later
"""The API under load: changes from several connections at once, the whole configuration, and what others notice."""

import select
import time

import harness
from client import Bystander, Connection
from control import N_BACKENDS, Changes, config_file, count
from daemons import Daemon

CHANGES_PER_S, P99_MS = 2000, 1.0
GET_CONFIG_S, STALL_MS = 0.150, 10.0


def pipelined(daemon, n_connections, depth, n, changes):
    """(changes/s, latencies in ms): each connection always has `depth` requests on the way."""
    conns = {c.sock.fileno(): c for c in (daemon.connect() for _ in range(n_connections))}
    sent = {fd: [] for fd in conns}
    requests = [changes.slots() for _ in range(n)]
    latencies, poll = [], select.poll()
    for fd in conns:
        poll.register(fd, select.POLLIN)

    def feed(fd, how_many):
        batch = [requests.pop() for _ in range(min(how_many, len(requests)))]
        if batch:
            sent[fd] += [time.perf_counter()] * len(batch)
            conns[fd].send(b"".join(batch))

    begin = time.perf_counter()
    for fd in conns:
        feed(fd, depth)
    while any(sent.values()):
        for fd, _ in poll.poll(60000):
            n_answers = 0
            while sent[fd]:
                status, body = conns[fd].answer()
                if status // 100 != 2:
                    raise RuntimeError("%d %r" % (status, body[:500]))
                latencies.append((time.perf_counter() - sent[fd].pop(0)) * 1000)
                n_answers += 1
                if not conns[fd].rest:
                    break
            feed(fd, n_answers)
    seconds = time.perf_counter() - begin
    for conn in conns.values():
        conn.close()
    return n / seconds, latencies


def throughput(report, group, daemon, changes, n, rounds, limits):
    """Several ways to send many changes. limits: of the deepest pipeline, and of a change that waits for no other."""
    ways = {"1 connection, one at a time": (1, 1), "4 connections, one at a time each": (4, 1),
            "4 connections x 16 pipelined": (4, 16), "64 connections, one at a time each": (64, 1)}
    result = harness.interleaved(rounds, {
        way: (lambda c=c, d=d: pipelined(daemon, c, d, n, changes)) for way, (c, d) in ways.items()})
    for way, (n_connections, depth) in ways.items():
        rates = [rate for rate, _ in result[way]]
        latencies = [ms for _, l in result[way] for ms in l]
        report.rounds(group, way, rates, "/s", (">=", limits[0]) if limits and depth > 1 else None)
        report.add(group, way + ", p50", harness.percentile(latencies, 50), "ms")
        report.add(group, way + ", p99", harness.percentile(latencies, 99), "ms",
                   limit=("<=", limits[1]) if limits and n_connections * depth == 1 else None)


def many_in_one(report, group, daemon, changes, n_changes, rounds):
    """POST /v1/changes: one batch, one fsync."""
    def one():
        request, before = changes.many(n_changes), daemon.status()["batches"]
        ms = daemon.connection.timed(request) * 1000
        return ms, daemon.status()["batches"] - before

    results = [one() for _ in range(rounds)]
    report.rounds(group, "%d changes in one request" % n_changes, [ms for ms, _ in results], "ms")
    report.rounds(group, "%d changes in one request, batches" % n_changes, [b for _, b in results], "", ("<=", 1))


def whole_configuration(report, group, daemon, rounds):
    """GET /v1/config, and another client's waits meanwhile beside the same without it."""
    data = Connection.encode("GET", "/v1/config")
    quiet = Bystander(daemon.socket)
    time.sleep(0.5)
    quiet = quiet.stop()
    by = Bystander(daemon.socket)
    times, n_bytes = [], 0
    conn = daemon.connect()
    for _ in range(rounds):
        begin = time.perf_counter()
        n_bytes = len(conn.must(data))
        times.append(time.perf_counter() - begin)
    waits = by.stop()
    conn.close()
    name = "GET /v1/config (%.1f MB)" % (n_bytes / 1e6)
    report.add(group, name + ", the first since the start", times[0], "s", limit=("<=", GET_CONFIG_S))
    report.rounds(group, name + ", again", times[1:], "s", ("<=", GET_CONFIG_S))
    for name, samples, limit in (("quiet", quiet, None), ("meanwhile", waits, ("<=", STALL_MS))):
        ms = [s * 1000 for s in samples]
        report.add(group, "another client, %s, p99" % name, harness.percentile(ms, 99), "ms")
        report.add(group, "another client, %s, longest wait" % name, max(ms), "ms", limit=limit)


def bystander_during_load(report, group, daemon, path):
    """PUT of the whole configuration: one batch of all elements, while another client asks."""
    with open(path, "rb") as f:
        body = f.read()
    daemon.connection.must(Connection.encode("PUT", "/v1/config", {}))
    by = Bystander(daemon.socket, "/v1/status")
    head = "PUT /v1/config HTTP/1.1\r\nHost: fnat\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    seconds = daemon.connection.timed((head % len(body)).encode() + body)
    ms = [s * 1000 for s in by.stop()]
    report.add(group, "PUT /v1/config of all (%.1f MB)" % (len(body) / 1e6), seconds, "s")
    report.add(group, "another client meanwhile, p99", harness.percentile(ms, 99), "ms")
    report.add(group, "another client meanwhile, longest wait", max(ms), "ms", limit=("<=", STALL_MS))


def run(report, lab, size, n, rounds, scratch, where, state_dir):
    group, is_durable = "API, %s services x %d backends, %s" % (count(size), N_BACKENDS, where), state_dir is not None
    path = config_file(lab, size, "wrr")
    daemon = Daemon(lab, scratch(), path, state_dir=state_dir)
    limits = None if is_durable else (CHANGES_PER_S, P99_MS)
    changes = Changes(size, seed=2)
    throughput(report, group, daemon, changes, n, rounds, limits)
    many_in_one(report, group, daemon, changes, 100, rounds * 3)
    if not is_durable:
        whole_configuration(report, group, daemon, rounds * 2)
        bystander_during_load(report, group, daemon, path)
    daemon.flush()
