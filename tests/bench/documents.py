# SPDX-License-Identifier: GPL-2.0-or-later
"""The same S services x B backends for fnatd (JSON), for nft (a chain and a map each) and for nftlb."""

import json

POOL_SIZE = 16
PORT, BACKEND_PORT = 80, 8080


def _dotted(base, i):
    n = base + i
    return "%d.%d.%d.%d" % (n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255)


def listener_address(i):
    """Each service has an address of its own, in 100.64.0.0/10."""
    return _dotted(0x64400000, i)


def backend_address(service, backend, n_backends):
    """All backends differ: 10.0.0.0/8."""
    return _dotted(0x0a000000, 256 + service * n_backends + backend)


def unused_address(i):
    """Of backends that the documents do not name: 10.128.0.0/9."""
    return _dotted(0x0a800000, i)


def pool_addresses():
    return [_dotted(0xac1f0032, i) for i in range(POOL_SIZE)]  # 172.31.0.50 ...


def service_name(i):
    return "s%d" % i


def backend(service, i, n_backends, weight=1):
    return {"address": backend_address(service, i, n_backends), "port": BACKEND_PORT, "weight": weight}


def service(i, n_backends, scheduler, protocol="tcp"):
    return {"listeners": [{"address": listener_address(i), "protocol": protocol, "port": PORT}],
            "pool": "lan", "scheduler": scheduler,
            "backends": {"b%d" % b: backend(i, b, n_backends) for b in range(n_backends)}}


def fnat(path, n_services, n_backends=10, scheduler="wrr"):
    """Write fnatd's configuration; its size in bytes. Piecewise: 100,000 x 10 is 90 MB."""
    with open(path, "w") as f:
        f.write('{"pools": %s,\n "services": {' % json.dumps({"lan": {"addresses": pool_addresses()}}))
        for i in range(n_services):
            f.write('%s\n"%s": %s' % ("," if i else "", service_name(i), json.dumps(service(i, n_backends, scheduler))))
        f.write("}}\n")
        return f.tell()


def _nft_rule(i, n_backends, ports=None):
    """The rule of one service's chain; ports: {backend: another port}."""
    slots = ", ".join("%d : %s . %d" % (b, backend_address(i, b, n_backends), (ports or {}).get(b, BACKEND_PORT))
                      for b in range(n_backends))
    return "meta l4proto tcp dnat ip to numgen inc mod %d map { %s }" % (n_backends, slots)


def nft(path, n_services, n_backends=10):
    """What nftables balancers write: a chain and an anonymous map a service, one verdict map."""
    pool = pool_addresses()
    with open(path, "w") as f:
        f.write("table ip peer {\n map services { type ipv4_addr . inet_proto . inet_service : verdict; }\n")
        for i in range(n_services):
            f.write(" chain s%d { %s; }\n" % (i, _nft_rule(i, n_backends)))
        f.write(" chain prerouting { type nat hook prerouting priority -100;"
                " ip daddr . meta l4proto . th dport vmap @services; }\n")
        f.write(" chain postrouting { type nat hook postrouting priority 100; ct status dnat"
                " snat ip to jhash ip saddr . tcp sport mod %d map { %s }; }\n}\n"
                % (len(pool), ", ".join("%d : %s" % x for x in enumerate(pool))))
        f.write("add element ip peer services { %s }\n" % ", ".join(
            "%s . tcp . %d : goto s%d" % (listener_address(i), PORT, i) for i in range(n_services)))


def nft_change(i, n_backends, port):
    """One backend's port, as text for nft -f."""
    return "flush chain ip peer s%d\nadd rule ip peer s%d %s\n" % (i, i, _nft_rule(i, n_backends, {0: port}))


def nftlb_farm(i, n_backends):
    return {"name": service_name(i), "family": "ipv4", "virtual-addr": listener_address(i),
            "virtual-ports": str(PORT), "source-addr": pool_addresses()[0], "mode": "snat", "protocol": "tcp",
            "scheduler": "rr", "state": "up",
            "backends": [{"name": "b%d" % b, "ip-addr": backend_address(i, b, n_backends), "port": str(BACKEND_PORT),
                          "state": "up"} for b in range(n_backends)]}


def nftlb(path, n_services, n_backends=10):
    with open(path, "w") as f:
        json.dump({"farms": [nftlb_farm(i, n_backends) for i in range(n_services)]}, f)
