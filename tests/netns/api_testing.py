# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the API share: a daemon, objects to configure it with, and claims about answers."""

import re

import pytest

jsonschema = pytest.importorskip("jsonschema", reason="apt-get install python3-jsonschema")
pytest.importorskip("yaml", reason="apt-get install python3-yaml")

from conftest import listener  # noqa: E402
from namespaces import wait_for  # noqa: E402
from openapi import CheckedApi  # noqa: E402

MERGE = {"Content-Type": "application/merge-patch+json"}

POOL = {"addresses": ["10.1.0.50-10.1.0.59"]}
SERVICE = {"listeners": [listener("192.0.2.10")], "pool": "lan",
           "backends": {"a": {"address": "10.1.0.11", "port": 8080}, "b": {"address": "10.1.0.12"}}}
SERVICE_FULL = {"listeners": [listener("192.0.2.10")], "forward": "fullnat", "pool": "lan",
                "scheduler": "wrr", "on_unavailable": "reject",
                "backends": {"a": {"address": "10.1.0.11", "port": 8080, "weight": 1},
                             "b": {"address": "10.1.0.12", "weight": 1}}}
CONFIG = {"pools": {"lan": POOL}, "services": {"web": SERVICE}}


@pytest.fixture
def api(start):
    daemon = start()
    api = CheckedApi(daemon.socket, keep=True)
    api.daemon = daemon
    return api


@pytest.fixture
def web(api):
    """The API of a daemon that has CONFIG."""
    api.must("PUT", "/v1/config", CONFIG)
    return api


def problem(response, status, pointer=None, message=None):
    """It is this problem."""
    assert response.status == status, response
    problems = response.json["problems"]
    if pointer is not None:
        assert pointer in [p["pointer"] for p in problems], response
    if message is not None:
        assert any(re.search(message, p["message"]) for p in problems), response
    return response


class unchanged:
    """Within: neither generation nor configuration nor the kernel's ruleset change."""

    def __init__(self, api):
        self.api = api

    def look(self):
        r = self.api.get("/v1/config")
        return r.generation, r.json, self.api.daemon.lab.nft("-n", "list", "ruleset")

    def __enter__(self):
        wait_for(lambda: self.api.status()["garbage"] == 0, 10, "what earlier changes left is removed")
        self.before = self.look()

    def __exit__(self, kind, *rest):
        if kind is None:
            assert self.look() == self.before
