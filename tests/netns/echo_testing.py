# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that stay, to a service of the echo servers, and how one ends that is cut."""

import time

import pytest

from conftest import config, listener, service
from lab import VIP
from servers import parse_reply


def echo(lab, **kw):
    return config(lab, web=service(lab, [listener(VIP, 9000)], port=9000, **kw))


def connection(lab, port=9000):
    """A TCP connection to the echo servers, and who has it."""
    s = lab.connect("client", VIP, port, timeout=10)
    return s, parse_reply(s.recv(200).decode()).backend


def is_echoed(s, text):
    s.sendall(text)
    return s.recv(100) == text


def only_the_first_is_reset(conns):
    """connection()s: the first one's client gets a reset for what it sends next, not a timeout; no other is touched."""
    gone, who = conns[0]
    begin = time.monotonic()
    gone.sendall(b"anybody?")
    with pytest.raises(ConnectionResetError):
        gone.recv(100)
    assert time.monotonic() - begin < 1
    for s, other in conns[1:]:
        assert other != who and is_echoed(s, b"not me")
    for s, _ in conns:
        s.close()
