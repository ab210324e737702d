# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets by hand: build, send, sniff. For protocols without sockets here, and for bad ones.

Formats: RFC 791, 8200, 768, 9293, 9260 (SCTP), 792 and 4443 (ICMP).
"""

import socket
import struct
import threading
import time
from collections import namedtuple

from namespaces import LabError

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SCTP_DATA, SCTP_INIT, SCTP_INIT_ACK, SCTP_ABORT = 0, 1, 2, 6
UDP, TCP, ICMP, ICMP6, SCTP = 17, 6, 1, 58, 132
ETH_P_ALL, ETH_P_IP, ETH_P_IP6 = 3, 0x0800, 0x86dd
PACKET_OUTGOING = 4


def is6(addr):
    return ":" in addr


def _pton(addr):
    return socket.inet_pton(socket.AF_INET6 if is6(addr) else socket.AF_INET, addr)


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ 0x82f63b78 if n & 1 else n >> 1
        table.append(n)
    return table


_CRC32C = _crc32c_table()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xff] ^ crc >> 8
    return crc ^ 0xffffffff


def _pseudo(src, dst, proto, length):
    if is6(src):
        return _pton(src) + _pton(dst) + struct.pack("!IHBB", length, 0, 0, proto)
    return _pton(src) + _pton(dst) + struct.pack("!BBH", 0, proto, length)


def udp(src, dst, sport, dport, payload=b""):
    length = 8 + len(payload)
    head = struct.pack("!HHHH", sport, dport, length, 0)
    csum = checksum(_pseudo(src, dst, UDP, length) + head + payload) or 0xffff
    return UDP, head[:6] + struct.pack("!H", csum) + payload


def tcp(src, dst, sport, dport, flags, seq=1000, ack=0, payload=b""):
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 5 << 4, flags, 65535, 0, 0)
    csum = checksum(_pseudo(src, dst, TCP, len(head) + len(payload)) + head + payload)
    return TCP, head[:16] + struct.pack("!H", csum) + head[18:] + payload


def sctp(sport, dport, vtag, *chunks):
    """chunks: (type, flags, value)."""
    body = b""
    for kind, flags, value in chunks:
        body += struct.pack("!BBH", kind, flags, 4 + len(value)) + value
        body += b"\0" * (-len(value) % 4)
    head = struct.pack("!HHI", sport, dport, vtag)
    # The CRC is the one field that goes low byte first.
    return SCTP, head + struct.pack("<I", crc32c(head + b"\0\0\0\0" + body)) + body


def sctp_init(sport, dport, tag):
    return sctp(sport, dport, 0, (SCTP_INIT, 0, struct.pack("!IIHHI", tag, 65536, 1, 1, 1)))


def sctp_init_ack(sport, dport, vtag, tag):
    cookie = struct.pack("!HH", 7, 12) + b"cookie!!"
    return sctp(sport, dport, vtag,
                (SCTP_INIT_ACK, 0, struct.pack("!IIHHI", tag, 65536, 1, 1, 1) + cookie))


def ip(src, dst, transport, ttl=64):
    """A whole IP packet around (protocol, bytes)."""
    proto, payload = transport
    if is6(src):
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, ttl) + _pton(src) + _pton(dst) + \
            payload
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, ttl, proto, 0)
    head += _pton(src) + _pton(dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def send_ip(lab, short, packet):
    """Send an IP packet as it is (any source address) from a namespace."""
    if packet[0] >> 4 == 6:
        family, dst = socket.AF_INET6, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0)
    else:
        family, dst = socket.AF_INET, (socket.inet_ntoa(packet[16:20]), 0)
    with lab.socket(short, family, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(packet, dst)


Packet = namedtuple("Packet", "src dst proto sport dport payload outgoing raw")
Packet.__doc__ = """An IP packet. sport, dport: of TCP, UDP, SCTP; ICMP: type, code. payload: after
the IP header."""


def parse_ip(raw, outgoing=False):
    """Packet, or None when it is not IP or too short. Extension headers are not looked through."""
    if len(raw) >= 20 and raw[0] >> 4 == 4:
        src, dst = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
        proto, payload = raw[9], raw[(raw[0] & 15) * 4:struct.unpack_from("!H", raw, 2)[0]]
    elif len(raw) >= 40 and raw[0] >> 4 == 6:
        src = socket.inet_ntop(socket.AF_INET6, raw[8:24])
        dst = socket.inet_ntop(socket.AF_INET6, raw[24:40])
        proto, payload = raw[6], raw[40:40 + struct.unpack_from("!H", raw, 4)[0]]
    else:
        return None
    sport = dport = 0
    if proto in (UDP, TCP, SCTP) and len(payload) >= 4:
        sport, dport = struct.unpack_from("!HH", payload)
    elif proto in (ICMP, ICMP6) and len(payload) >= 2:
        sport, dport = payload[0], payload[1]
    return Packet(src, dst, proto, sport, dport, payload, outgoing, raw)


def quoted(p):
    """The packet that an ICMP error quotes."""
    return parse_ip(p.payload[8:] + b"\0" * 8)


def is_sctp_valid(p):
    """Is the CRC32c right?"""
    want = struct.unpack_from("<I", p.payload, 8)[0]
    return crc32c(p.payload[:8] + b"\0\0\0\0" + p.payload[12:]) == want


class Sniffer:
    """Collects the IP packets on an interface for which match(packet) is true."""

    def __init__(self, lab, short, device, match=lambda p: True):
        self.match, self.packets = match, []
        with lab.ns(short):
            self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
            self._sock.bind((device, ETH_P_ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self._sock.settimeout(0.02)
        self._stop_at = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        while True:
            try:
                raw, addr = self._sock.recvfrom(65536)
            except socket.timeout:
                if self._stop_at:
                    return
                continue
            if self._stop_at and time.monotonic() > self._stop_at:
                return
            p = parse_ip(raw, addr[2] == PACKET_OUTGOING)
            if p and self.match(p):
                self.packets.append(p)

    def wait(self, cond=None, timeout=3.0, what="packet"):
        """The first packet for which cond(packet) holds; waits for it."""
        end = time.monotonic() + timeout
        while True:
            for p in list(self.packets):
                if cond is None or cond(p):
                    return p
            if time.monotonic() > end:
                raise LabError("no %s within %g s; seen: %s" % (what, timeout, self.summary()))
            time.sleep(0.005)

    def summary(self):
        return ["%s.%d > %s.%d proto %d" % (p.src, p.sport, p.dst, p.dport, p.proto)
                for p in self.packets[:20]]

    def close(self):
        """Stops after what has already arrived; the packets."""
        self._stop_at = time.monotonic() + 0.2
        self._thread.join(5)
        self._sock.close()
        return self.packets

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
