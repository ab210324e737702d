# SPDX-License-Identifier: GPL-2.0-or-later
"""A flowtable of the operator's beside fnat: established connections take a short cut, and stay translated and known."""

import pytest

from conftest import config, listener, service
from lab import VIP, VIP6, LabError, wait_for
from test_stats import of

BYTES = 1000000
FLOWTABLE = """
table inet fast {
    flowtable f { hook ingress priority 0; devices = { client0, br0 }; }
    chain forward { type filter hook forward priority 0; ct state established meta l4proto tcp flow add @f; }
}"""


@pytest.fixture(autouse=True)
def flowtable(lab):
    try:
        lab.nft_load(FLOWTABLE)
    except LabError as e:
        pytest.skip("the kernel has no flowtables: %s" % e)


def receive(conn, n):
    while n > 0:
        n -= len(conn.recv(65536)) or pytest.fail("the connection ended early")


@pytest.mark.parametrize("vip", [VIP, VIP6])
def test_connections_in_a_flowtable(lab, start, vip):
    """What the flowtable carried is missing from packets and bytes (fnat(7)); the connection is not."""
    daemon = start(config(lab, web=service(lab, [listener(VIP), listener(VIP6)], families=(4, 6))))
    for b in lab.backends:
        lab.web[b].file("large", BYTES)
    with lab.connect("client", vip, 80) as conn:
        for _ in range(3):
            conn.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            receive(conn, BYTES)
        assert "OFFLOAD" in lab.run("lb", ["conntrack", "-L", "-f", "ipv6" if ":" in vip else "ipv4"]).stdout
        assert daemon.api.must("GET", "/v1/connections?count=1").json == {"connections": 1}
    wait_for(lambda: of(daemon)["conns"] == 1, 20, "the connection")
