#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server behind fnat that knows its clients: it asks the balancer who is behind each connection.

usage: origin.py PORT ANSWERER:PORT

FULLNAT hides the client's address from the backend. fnatd tells it when started with

    fnatd --origin-listen 10.1.0.1:4040 --origin-allow 10.1.0.0/24

Ask when a connection is accepted, not later: when it has ended, the balancer has forgotten it.
"""

import socket
import sys

TIMEOUT_S, TRIES = 0.2, 3


def endpoint(address, port):
    """As fnat writes it: an IPv6 address in brackets."""
    return "[%s]:%d" % (address, port) if ":" in address else "%s:%d" % (address, port)


def parse_endpoint(text):
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def plain(address):
    """Of an IPv4 connection that an IPv6 socket accepted."""
    return address[7:] if address.startswith("::ffff:") else address


def origin(conn, answerer, protocol="tcp"):
    """((client, port), (virtual address, port), service) of an accepted connection; None: not known."""
    (local, local_port), (own, own_port) = conn.getpeername()[:2], conn.getsockname()[:2]
    question = "%s %s %s\n" % (protocol, endpoint(plain(local), local_port), endpoint(plain(own), own_port))
    family = socket.AF_INET6 if ":" in answerer[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(TIMEOUT_S)
        s.connect(answerer)
        for _ in range(TRIES):
            try:
                s.send(question.encode())
                words = s.recv(1024).decode().split()
            except OSError:  # lost, or nobody there
                continue
            if words[:1] == ["ok"]:
                return parse_endpoint(words[1]), parse_endpoint(words[2]), words[3]
            return None
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.splitlines()[2])
    answerer = parse_endpoint(sys.argv[2])
    with socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            conn, _ = server.accept()
            with conn:
                found = origin(conn, answerer)
                text = "nobody knows you\n"
                if found:
                    (client, port), (virtual, _), service = found
                    text = "you are %s, port %d, and came to %s of %s\n" % (client, port, virtual, service)
                conn.sendall(text.encode())


if __name__ == "__main__":
    main()
