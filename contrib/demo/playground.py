#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A balancer with real traffic to look at, all of it in network namespaces.

    playground.py            make it, send traffic, show what the backends saw, remove it
    playground.py --keep     the same, but leave it up and say how to enter it
    playground.py --clean    remove one that was kept

The client, the balancer and three backends are the laboratory of the tests (tests/netns/lab.py); each backend runs nginx
and a UDP echo server, the balancer runs fnatd with playground.json. What is shown comes from the backends' own logs.
Exit status 0 only when every request was answered, both addresses of each were rewritten, and the shares were as configured.

A kept playground belongs to a process in the background, which removes it when it is told to end.
"""

import collections
import contextlib
import ipaddress
import json
import os
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "netns"))
import lab as netlab  # noqa: E402

CONFIG = HERE / "playground.json"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
KEPT = pathlib.Path("/run/fnat-playground.pid")

# What the client does: title, virtual address, protocol, port, how often.
Traffic = collections.namedtuple("Traffic", "title address protocol port requests")
TRAFFIC = [
    Traffic("HTTP", netlab.VIP, "tcp", 80, 12),
    Traffic("HTTP over IPv6", netlab.VIP6, "tcp", 80, 12),
    Traffic("UDP", netlab.VIP, "udp", 7, 12),
]

# One request as a backend saw it.
Seen = collections.namedtuple("Seen", "backend client destination")


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"


def http_requests(lab, webs, traffic):
    """Requests with curl, each over a connection of its own; then what nginx's access logs say is new."""
    url = f"http://{endpoint(traffic.address, traffic.port)}/"
    before = {name: len(web.log()) for name, web in webs.items()}
    for _ in range(traffic.requests):
        answer = lab.run("client", ["curl", "-sS", "-g", "--max-time", "5", "-o", "/dev/null", url], check=False)
        if answer.returncode != 0:
            print(f"  {answer.stderr.strip()}")
    seen = []
    for name, web in webs.items():
        for line in web.log()[before[name]:]:  # REMOTE:PORT SERVER:PORT "REQUEST" STATUS
            client, destination = line.split()[:2]
            seen.append(Seen(name, tuple(client.rsplit(":", 1)), tuple(destination.rsplit(":", 1))))
    return seen


def udp_requests(lab, traffic):
    """Datagrams, each from a port of its own; the backends answer with what they saw."""
    seen = []
    for _ in range(traffic.requests):
        try:
            reply = lab.udp_ask("client", traffic.address, traffic.port)
            seen.append(Seen(reply.backend, (reply.remote_addr, reply.remote_port), (reply.server_addr, reply.server_port)))
        except OSError as error:
            print(f"  {endpoint(traffic.address, traffic.port)}/udp: {error}")
    return seen


def wanted_shares(config, traffic):
    """Requests that each backend host should get, from the configuration's weights."""
    service = next(
        service for service in config["services"].values()
        for listener in service["listeners"]
        if (listener["address"], listener["protocol"], listener["port"]) == (traffic.address, traffic.protocol, traffic.port)
    )
    is_v6 = ":" in traffic.address
    weights = {
        name.split("-")[0]: backend.get("weight", 1)
        for name, backend in service["backends"].items()
        if (":" in backend["address"]) == is_v6
    }
    return {name: traffic.requests * weight // sum(weights.values()) for name, weight in weights.items()}


def show(traffic, seen, client):
    """The table: a row for each backend."""
    print(f"\n{traffic.title}: the client {client} sent {traffic.requests} requests to {endpoint(traffic.address, traffic.port)}")
    print(f"  {'backend':8} {'requests':>8}   {'came from (the first of them)':32} {'and went to':24} from how many addresses")
    for name in sorted({one.backend for one in seen}):
        rows = [one for one in seen if one.backend == name]
        sources = {address for address, _ in (one.client for one in rows)}
        print(f"  {name:8} {len(rows):8}   {endpoint(*rows[0].client):32} {endpoint(*rows[0].destination):24} {len(sources)}")


def complaints(config, traffic, seen, pool):
    """What is not as it should be, as sentences."""
    found = []
    counts = dict(collections.Counter(one.backend for one in seen))
    want = wanted_shares(config, traffic)
    if counts != want:
        found.append(f"the backends got {counts}, the configuration says {want}")
    strangers = {one.client[0] for one in seen if ipaddress.ip_address(one.client[0].strip("[]")) not in pool}
    if strangers:
        found.append(f"backends saw clients that are no local address: {', '.join(sorted(strangers))}")
    own = {netlab.Lab.backend_addr(one.backend, 6 if ":" in traffic.address else 4) for one in seen}
    foreign = {one.destination[0] for one in seen} - own
    if foreign:
        found.append(f"backends were addressed as {', '.join(sorted(foreign))}")
    return [f"{traffic.title}: {text}" for text in found]


def heading(text):
    print(f"\n-- {text} " + "-" * max(0, 100 - len(text)))


def print_table(lab):
    """nft's listing, without what is long: the sets' and maps' further elements, and the base chains."""
    heading("the program in the kernel (nft list table inet fnat, shortened)")
    wanted, shown = ("map services4", "map slots4", "map pool", "chain dispatch", "chain rr", "chain pool"), collections.Counter()
    lines, printing = 0, False
    for line in lab.nft("list", "table", "inet", "fnat").splitlines():
        if line.startswith("\t") and line.endswith("{") and not line.startswith("\t\t"):
            kind = next((kind for kind in wanted if line.strip().startswith(kind)), None)
            shown[kind] += 1
            printing, lines = kind is not None and shown[kind] == 1, 0
        if printing:
            lines += 1
            is_end = line == "\t}"
            if lines <= 8 or is_end:
                print(line.expandtabs(4))
            elif lines == 9:
                print("            ...")
            printing = not is_end


def print_how_to_enter(lab, daemon):
    ctl = netlab.find_program("fnatctl")
    print(f"""
The playground stays up. As root:

  the client      ip netns exec {lab.netns('client')} curl http://{netlab.VIP}/
  the balancer    ip netns exec {lab.netns('lb')} nft list table inet fnat
                  ip netns exec {lab.netns('lb')} conntrack -L
  a backend       ip netns exec {lab.netns('b1')} tcpdump -ni any
  fnatctl         alias fnatctl='{ctl} --socket {daemon.socket}'
                  fnatctl status; fnatctl set backend web/b1 weight=0
  fnatd's log     {daemon.log_path}

  to remove it    sudo ./quickstart clean""")


def demonstrate(lab):
    """Everything that can be seen; returns (daemon, complaints)."""
    config = json.loads(CONFIG.read_text())
    webs = {name: lab.nginx(name, ports=(8080,)) for name in lab.backends}
    for name in lab.backends:
        lab.udp_server(name, ports=(7,))
    lab.sysctl("lb", {"net/netfilter/nf_conntrack_events": "1"})
    daemon = lab.fnatd(CONFIG.read_text())
    pool = {ipaddress.ip_address(address) for family in (4, 6) for address in lab.pool_addrs(family)}

    heading("what each backend saw")
    found = []
    for traffic in TRAFFIC:
        seen = http_requests(lab, webs, traffic) if traffic.protocol == "tcp" else udp_requests(lab, traffic)
        show(traffic, seen, netlab.CLIENT6 if ":" in traffic.address else netlab.CLIENT)
        found += complaints(config, traffic, seen, pool)
    if not found:
        print(f"\nEach came from one of the {len(pool)} local addresses of pool \"lan\" and went to the backend's own address:")
        print("the kernel rewrote both. The backends have no route to the client.")

    heading("fnatctl status")
    status = daemon.ctl("--output", "table", "status")
    print((status.stdout + status.stderr).rstrip())
    if status.returncode != 0:
        found.append(f"fnatctl status: exit status {status.returncode}")
    print_table(lab)
    return daemon, found


@contextlib.contextmanager
def undisturbed_end(lab):
    """The lab's removal is not cut short by a second Ctrl-C."""
    try:
        yield lab
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        lab.close()
        print("\nThe playground is removed.")


def run(keep, on_shown):
    """Make the laboratory and show it; with keep, hold it until a signal. on_shown(status) once all is shown."""
    try:
        with undisturbed_end(netlab.Lab(backends=3)) as lab:
            print(f"Client, balancer and {len(lab.backends)} backends are up as network namespaces {lab.prefix}*")
            daemon, found = demonstrate(lab)
            for text in found:
                print(f"\nplayground: {text}", file=sys.stderr)
            if found:
                print(f"\nfnatd's log:\n{daemon.log()}", file=sys.stderr)
            if keep:
                print_how_to_enter(lab, daemon)
                on_shown(1 if found else 0)
                signal.pause()
            return 1 if found else 0
    except (netlab.LabError, OSError) as error:
        print(f"playground: {error}", file=sys.stderr)
        return 1


def kept_pid():
    """The process that holds a kept playground, or None."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(KEPT.read_text())
        if b"playground.py" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


def detach():
    """The terminal belongs to others from here on."""
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)


def keep_in_background():
    """A child makes and holds the playground; the parent ends when all is shown."""
    if kept_pid():
        print("playground: one is up already; remove it with: sudo ./quickstart clean", file=sys.stderr)
        return 1
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        KEPT.write_text(f"{os.getpid()}\n")

        def on_shown(status):
            detach()
            os.write(writer, bytes([status]))
            os.close(writer)

        try:
            return run(True, on_shown)
        finally:
            KEPT.unlink(missing_ok=True)
    os.close(writer)
    try:
        answer = os.read(reader, 1)
    except BaseException:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        raise
    return answer[0] if answer else 1


def clean():
    pid = kept_pid()
    if pid:
        os.kill(pid, signal.SIGTERM)
        netlab.wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 30, "the playground's end")
    netlab.remove_stale()
    print("The playground is removed." if pid else "There is no playground.")
    return 0


def on_signal(number, _frame):
    sys.exit(128 + number)


def main(arguments):
    if arguments not in ([], ["--keep"], ["--clean"]):
        print(__doc__, file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("playground: needs root, to make network namespaces", file=sys.stderr)
        return 1
    for number in SIGNALS:
        signal.signal(number, on_signal)
    sys.stdout.reconfigure(line_buffering=True)
    if arguments == ["--clean"]:
        return clean()
    netlab.remove_stale()
    return keep_in_background() if arguments else run(False, None)


sys.exit(main(sys.argv[1:]))
