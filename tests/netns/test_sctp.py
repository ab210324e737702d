# SPDX-License-Identifier: GPL-2.0-or-later
"""SCTP, by raw packets: few kernels here have its sockets, but all can translate it."""

import socket

import pytest

from conftest import config, listener, service
from lab import CLIENT, CLIENT6, VIP, VIP6
from packets import (SCTP, SCTP_INIT, SCTP_INIT_ACK, Sniffer, ip, is_sctp_valid, sctp_init,
                     sctp_init_ack, send_ip)

TAG, TAG_BACK = 0x11223344, 0x55667788


@pytest.mark.parametrize("family", [4, 6])
def test_handshake_is_translated(lab, start, family):
    vip, client = (VIP, CLIENT) if family == 4 else (VIP6, CLIENT6)
    start(config(lab, s=service(lab, [listener(VIP, 5000, "sctp"), listener(VIP6, 5000, "sctp")],
                                names=["b2"], port=5001, families=(4, 6))))

    def is_sctp(p):
        return p.proto == SCTP
    # Raw sockets keep the hosts from answering "protocol unreachable".
    af = socket.AF_INET if family == 4 else socket.AF_INET6
    with lab.socket("client", af, socket.SOCK_RAW, SCTP), \
            lab.socket("b2", af, socket.SOCK_RAW, SCTP), \
            Sniffer(lab, "b2", "eth0", is_sctp) as at_backend, \
            Sniffer(lab, "client", "eth0", is_sctp) as at_client:
        send_ip(lab, "client", ip(client, vip, sctp_init(40000, 5000, TAG)))
        init = at_backend.wait(lambda p: not p.outgoing)
        assert init.src in lab.pool_addrs(family) and init.sport == 40000
        assert (init.dst, init.dport) == (lab.backend_addr("b2", family), 5001)
        assert init.payload[12] == SCTP_INIT and is_sctp_valid(init)

        send_ip(lab, "b2", ip(init.dst, init.src,
                              sctp_init_ack(init.dport, init.sport, TAG, TAG_BACK)))
        ack = at_client.wait(lambda p: not p.outgoing)
        assert (ack.src, ack.sport, ack.dst, ack.dport) == (vip, 5000, client, 40000)
        assert ack.payload[12] == SCTP_INIT_ACK and is_sctp_valid(ack)
