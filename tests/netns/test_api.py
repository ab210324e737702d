# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API promises, asked of a running fnatd. Every answer is also held against api/openapi.yaml."""

import copy
import glob
import json
import os
import random
import re
import threading

import pytest

from api_testing import (MERGE, POOL, SERVICE, SERVICE_FULL, CONFIG, api, listener, problem,  # noqa: F401
                         unchanged, web)
from daemon import Api
from openapi import TOP, CheckedApi, Description

EXAMPLES = sorted(glob.glob(os.path.join(TOP, "api", "examples", "*.json")))
EXAMPLES = [f for f in EXAMPLES if os.path.basename(f) != "config.json"]


# -- the description


def test_description_has_every_route():
    """openapi.yaml has what the table of routes has, and nothing else."""
    with open(os.path.join(TOP, "src", "api", "routes.c"), encoding="utf-8") as f:
        rows = re.findall(r'^\t\{ "([A-Z]+)", "(/[^"]*)"', f.read(), re.M)
    described = Description()
    assert rows
    assert set(rows) == {(m, p) for p in described.doc["paths"] for m in described.methods(p)}


def test_options_say_what_is_described(api):
    for pattern in Description().doc["paths"]:
        methods = Description().methods(pattern)
        allow = set(api.request("OPTIONS", re.sub("[{}]", "", pattern)).headers["Allow"].split(", "))
        assert allow == methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())


def substitute(value, generation):
    text = json.dumps(value).replace("${generation}", str(generation))
    return json.loads(text)


def matches(got, wanted):
    """${any} stands for anything; objects may have more members than wanted."""
    if wanted == "${any}":
        return True
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(k in got and matches(got[k], v)
                                             for k, v in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(matches, got, wanted))
    return got == wanted


@pytest.mark.parametrize("path", EXAMPLES, ids=[os.path.basename(p)[:-5] for p in EXAMPLES])
def test_example(start, path):
    with open(os.path.join(TOP, "api", "examples", "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    with open(path, encoding="utf-8") as f:
        example = json.load(f)
    api = CheckedApi(start().socket)
    generation = api.must("PUT", "/v1/config", config).generation
    request = substitute(example["request"], generation)
    r = api.request(request["method"], request["path"], request.get("body"), request.get("headers"))
    wanted = substitute(example["response"], r.generation)
    assert r.status == wanted["status"], r
    for name, value in wanted.get("headers", {}).items():
        assert matches(r.headers[name], value), (name, r.headers[name])
    if "body" not in wanted:
        assert r.body == b""
    elif isinstance(wanted["body"], str):
        assert re.search(wanted["body"], r.text), r
    else:
        assert matches(r.json, wanted["body"]), r


# -- objects


def test_service_life(api):
    api.must("PUT", "/v1/pools/lan", POOL)
    r = api.put("/v1/services/web", SERVICE)
    assert (r.status, r.json) == (201, SERVICE_FULL)
    first = r.generation
    r = api.put("/v1/services/web", SERVICE)
    assert (r.status, r.json, r.generation) == (200, SERVICE_FULL, first)  # idempotent
    r = api.patch("/v1/services/web", {"scheduler": "rr", "backends": {"b": None}}, headers=MERGE)
    assert r.status == 200 and r.generation == first + 1
    assert r.json["scheduler"] == "rr" and list(r.json["backends"]) == ["a"]
    assert api.get("/v1/services/web").json == r.json
    assert api.get("/v1/services").json == {"web": r.json}
    r = api.delete("/v1/services/web")
    assert (r.status, r.body, r.generation) == (204, b"", first + 2)
    problem(api.get("/v1/services/web"), 404, message="no such service")
    problem(api.delete("/v1/services/web"), 404, message="no such service")
    problem(api.patch("/v1/services/web", {}, headers=MERGE), 404)
    assert api.get("/v1/services").json == {}


def test_backend_life(web):
    url = "/v1/services/web/backends/"
    assert web.get(url + "a").json == SERVICE_FULL["backends"]["a"]
    r = web.put(url + "c", {"address": "10.1.0.13", "weight": 5})
    assert (r.status, r.json) == (201, {"address": "10.1.0.13", "weight": 5})
    r = web.put(url + "c", {"address": "10.1.0.13", "weight": 6})
    assert (r.status, r.json["weight"]) == (200, 6)
    r = web.patch(url + "c", {"weight": None, "port": 81}, headers=MERGE)
    assert (r.status, r.json) == (200, {"address": "10.1.0.13", "weight": 1, "port": 81})
    assert list(web.get(url[:-1]).json) == ["a", "b", "c"]
    problem(web.put(url + "d", {"address": "10.1.0.13", "port": 81}), 422,
            "/services/web/backends/d/address", "already used by backend")
    assert web.delete(url + "c").status == 204
    problem(web.delete(url + "c"), 404, message='backend "c": no such backend')
    problem(web.get(url + "c"), 404)
    problem(web.patch(url + "c", {}, headers=MERGE), 404)
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"address": "10.1.0.14"} if method in ("PUT", "PATCH") else None
        problem(web.request(method, "/v1/services/no/backends/a", body), 404, message="no such service")
    problem(web.get("/v1/services/no/backends"), 404)
    assert web.get("/v1/services/web").json == SERVICE_FULL


def test_pool_life(web):
    r = web.put("/v1/pools/other", {"addresses": ["10.1.0.60", "fd00:1::60-fd00:1::61"]})
    assert r.status == 201
    r = web.patch("/v1/pools/other", {"addresses": ["10.1.0.61"]}, headers=MERGE)
    assert (r.status, r.json) == (200, {"addresses": ["10.1.0.61"]})
    assert set(web.get("/v1/pools").json) == {"lan", "other"}
    with unchanged(web):
        problem(web.delete("/v1/pools/lan"), 409, "/pools/lan", "still used by service")
        problem(web.put("/v1/pools/lan", {"addresses": ["fd00:1::60"]}), 422, "/pools/lan/addresses")
        problem(web.put("/v1/pools/lan", {"addresses": []}), 422)
        problem(web.patch("/v1/pools/no", {}, headers=MERGE), 404)
    assert web.delete("/v1/pools/other").status == 204
    problem(web.delete("/v1/pools/other"), 404)


def test_whole_configuration(web):
    full = {"pools": {"lan": POOL}, "services": {"web": SERVICE_FULL}}
    r = web.get("/v1/config")
    assert r.json == full
    again = web.put("/v1/config", r.json)
    assert (again.status, again.json) == (200, {"generation": r.generation})
    r = web.put("/v1/config", {})
    assert r.json == {"generation": again.generation + 1}
    assert web.get("/v1/config").json == {"pools": {}, "services": {}}


def test_names(web):
    for name in ("a" * 60, "A.b_c-9", "0"):
        assert web.put("/v1/services/web/backends/" + name, {"address": "10.1.0.20"}).status == 201
        assert web.delete("/v1/services/web/backends/%" + name[0].encode().hex() + name[1:]).status == 204
    bad = ["a" * 61, "a" * 3000, "-a", ".", "a%20b", "a%2Fb", "%C3%A9", "%FF", "a%22", "a%0A", ""]
    with unchanged(web):
        for name in bad:
            for url, body in (("/v1/services/", SERVICE), ("/v1/pools/", POOL),
                              ("/v1/services/web/backends/", {"address": "10.1.0.20"})):
                problem(web.put(url + name, body), 422)
                problem(web.get(url + name), 404)
        problem(web.get("/v1/services/%00"), 400)
        problem(web.get("/v1/services/%zz"), 400)
        problem(web.get("/v1/services/" + "a" * 9000), 414)


# -- HTTP


def test_preconditions(web):
    url = "/v1/services/web/backends/a"
    g = web.get(url).generation
    body = {"address": "10.1.0.11", "weight": 9}
    with unchanged(web):
        for tag in ('"%d"' % (g - 1), '"%d"' % (g + 1), 'W/"%d"' % g, '"x"'):
            problem(web.put(url, body, headers={"If-Match": tag}), 412, message="generation is %d" % g)
        problem(web.put(url, body, headers={"If-None-Match": "*"}), 412)
        problem(web.put(url, body, headers={"If-None-Match": '"%d"' % g}), 412)
        problem(web.put(url + "2", body, headers={"If-Match": "*"}), 412)
        problem(web.put(url, body, headers={"If-Match": str(g)}), 400)
        problem(web.delete(url, headers={"If-Match": '"1234567"'}), 412)
        problem(web.put("/v1/config", {}, headers={"If-Match": '"1234567"'}), 412)
    assert web.put(url, body, headers={"If-Match": '"1", "%d"' % g}).generation == g + 1
    assert web.put(url, {"address": "10.1.0.11"}, headers={"If-Match": "*"}).status == 200
    other = {"address": "10.1.0.13"}
    assert web.put(url + "2", other, headers={"If-None-Match": "*"}).status == 201


def test_not_modified(web):
    for url in ("/v1/config", "/v1/services", "/v1/services/web", "/v1/pools", "/v1/pools/lan",
                "/v1/services/web/backends", "/v1/services/web/backends/a"):
        tag = web.get(url).headers["ETag"]
        r = web.get(url, headers={"If-None-Match": tag})
        assert (r.status, r.headers["ETag"]) == (304, tag)
        assert web.get(url, headers={"If-None-Match": "W/" + tag}).status == 304
        assert web.get(url, headers={"If-None-Match": '"0"'}).status == 200
    web.must("DELETE", "/v1/services/web/backends/b")
    assert web.get("/v1/services", headers={"If-None-Match": tag}).status == 200


def test_no_update_is_lost(web):
    """Read, add one, write if nobody else did: the sum is right."""
    def add(n):
        mine = Api(web.path, keep=True)
        while n:
            r = mine.get("/v1/services/web/backends/a")
            body = dict(r.json, weight=r.json["weight"] + 1)
            n -= mine.put("/v1/services/web/backends/a", body,
                          headers={"If-Match": r.headers["ETag"]}).status == 200

    threads = [threading.Thread(target=add, args=(20,)) for _ in range(5)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert web.get("/v1/services/web/backends/a").json["weight"] == 101


def test_patches_meet_what_is_there(web):
    """Patches of different fields at the same time: none undoes another."""
    def patch(i):
        mine = Api(web.path, keep=True)
        for weight in range(2, 32):
            assert mine.patch("/v1/services/web", {"backends": {"w%d" % i: {
                "address": "10.1.0.%d" % (100 + i), "weight": weight}}}).status == 200

    threads = [threading.Thread(target=patch, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    backends = web.get("/v1/services/web/backends").json
    assert [backends["w%d" % i]["weight"] for i in range(6)] == [31] * 6


def test_dry_run(web):
    with unchanged(web):
        r = web.must("PUT", "/v1/services/web/backends/c?dry_run=1", {"address": "10.1.0.13"})
        assert r.json["generation"] == r.generation
        texts = [op["text"] for op in r.json["operations"]]
        assert any(re.match(r"add element inet fnat slots4\S* .*10\.1\.0\.13", t) for t in texts), texts
        r = web.must("DELETE", "/v1/services/web?dry_run=true")
        assert any(op["op"] == "delete element" for op in r.json["operations"])
        assert web.must("PUT", "/v1/config?dry_run", CONFIG).json["operations"] == []
        r = web.must("POST", "/v1/changes?dry_run=1", {"changes": [
            {"method": "DELETE", "path": "/v1/services/web"},
            {"method": "DELETE", "path": "/v1/pools/lan"}]})
        assert {op["stage"] for op in r.json["operations"]} == {1, 2}
        problem(web.put("/v1/services/web?dry_run=1", {"pool": "no"}), 422)
        problem(web.delete("/v1/services/no?dry_run=1"), 404)
        problem(web.delete("/v1/services/web?dry-run=1"), 400, message='did you mean "dry_run"')
        problem(web.delete("/v1/services/web?dry_run=yes"), 400)
        problem(web.get("/v1/services?dry_run=1"), 400)
    assert web.must("DELETE", "/v1/services/web?dry_run=0").status == 204


def test_methods_and_paths(web):
    for url in ("/", "/v1", "/v1/", "/v2/config", "/v1/services/web/", "/v1/services/web/backends/a/b",
                "/v1/servicesx", "//v1/config", "/v1/config/x", "/" + "/".join("abcdefghijklm")):
        problem(web.get(url), 404)
    problem(web.delete("/v1/config"), 405)
    problem(web.post("/v1/services/web", SERVICE), 405)
    problem(web.get("/v1/verify"), 405)
    assert problem(web.put("/v1/status", {}), 405).headers["Allow"] == "GET, HEAD, OPTIONS"
    problem(web.request("BREW", "/v1/config"), 501)
    assert web.get("http://fnat/v1/pools/lan").json == POOL


def test_head(web):
    for url in ("/v1/config", "/v1/services/web", "/v1/status", "/v1/services/no", "/v1/ruleset"):
        get, head = web.get(url), web.request("HEAD", url)
        assert (head.status, head.body) == (get.status, b"")
        for name in ("ETag", "Content-Type", "Transfer-Encoding"):
            assert head.headers[name] == get.headers[name], (url, name)


def test_content_types(web):
    url, body = "/v1/services/web", json.dumps(SERVICE)
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert web.put(url, body, headers={"Content-Type": kind}).status == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx",
                 "application/merge-patch+json"):
        problem(web.put(url, body, headers={"Content-Type": kind}), 415)
    r = problem(web.patch(url, "{}", headers={"Content-Type": "text/plain"}), 415)
    assert "application/merge-patch+json" in r.headers["Accept-Patch"]
    assert web.patch(url, "{}", headers={"Content-Type": "application/json"}).status == 200


BAD_BODIES = {
    "empty": (b"", 400, "empty"),
    "no JSON": (b"\n\n  {\"pool\": }", 400, r"line 3, column \d+"),
    "more after the end": (b"{} {}", 400, None),
    "cut": (b'{"pool": "la', 400, None),
    "NUL": (b'{"pool": "\x00"}', 400, None),
    "escaped NUL": (b'{"pool": "\\u0000"}', 400, "NUL"),
    "not UTF-8": (b'{"pool": "\xff"}', 400, "UTF-8"),
    "lone surrogate": (b'{"pool": "\\ud800"}', 400, None),
    "duplicate key": (b'{"pool": "a", "pool": "b"}', 400, "duplicate"),
    "nested": (b"[" * 100000, 400, "deep"),
    "nested objects": (b'{"a":' * 100000, 400, "deep"),
    "huge number": (b'{"backends": {"a": {"address": "10.1.0.9", "weight": 1e999}}}', 400, None),
    "array": (b"[]", 422, None),
    "null": (b"null", 422, None),
    "text": (b'"pool"', 422, None),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body(web, name):
    body, status, message = BAD_BODIES[name]
    headers = {"Content-Type": "application/json"}
    with unchanged(web):
        for method, url in (("PUT", "/v1/services/web"), ("PATCH", "/v1/services/web"),
                            ("PUT", "/v1/config"), ("PUT", "/v1/pools/lan"),
                            ("POST", "/v1/changes"), ("PUT", "/v1/services/web/backends/a"),
                            ("PATCH", "/v1/services/web/backends/a")):
            problem(web.request(method, url, body, headers), status, message=message)


def test_all_problems_at_once(web):
    bad = copy.deepcopy(CONFIG)
    bad["services"]["web"]["scheduler"] = "wr"
    bad["services"]["web"]["listeners"][0]["port"] = 0
    bad["services"]["web"]["pol"] = 1
    bad["services"]["two"] = dict(SERVICE, pool="lam")
    bad["pools"]["lan"] = {"addresses": ["10.1.0.0/33"]}
    with unchanged(web):
        r = problem(web.put("/v1/config", bad), 422)
        pointers = {p["pointer"] for p in r.json["problems"]}
        assert {"/services/web/scheduler", "/services/web/listeners/0/port", "/services/web/pol",
                "/pools/lan/addresses/0"} <= pointers
        many = {"services": {"s%d" % i: {} for i in range(100)}}
        r = problem(web.put("/v1/config", many), 422)
        assert len(r.json["problems"]) == 64 and r.json["more_problems"] >= 100


def test_body_limit(start):
    api = CheckedApi(start(None, "--max-body", "100000").socket)
    problem(api.put("/v1/config", b" " * 100001), 413)
    problem(api.put("/v1/config", b" " * 99990 + b"x"), 400)
    assert api.put("/v1/config", b" " * 99998 + b"{}").status == 200


# -- lists of changes


def test_changes_are_one(web):
    g = web.get("/v1/config").generation
    r = web.must("POST", "/v1/changes", {"changes": [
        {"method": "PUT", "path": "/v1/pools/p2", "body": {"addresses": ["10.1.0.60"]}},
        {"method": "PATCH", "path": "/v1/services/web", "body": {"pool": "p2"}},
        {"method": "DELETE", "path": "/v1/pools/lan"},
        {"method": "PUT", "path": "/v1/services/web/backends/c", "body": {"address": "10.1.0.13"}},
        {"method": "PATCH", "path": "/v1/services/web/backends/c", "body": {"weight": 3}},
        {"method": "DELETE", "path": "/v1/services/web/backends/a"},
        {"method": "PUT", "path": "/v1/services/dns", "body": dict(SERVICE, pool="p2", listeners=[
            listener("192.0.2.11")])}]})
    assert r.json["generation"] == r.generation == g + 1
    assert [x["status"] for x in r.json["results"]] == [201, 200, 204, 201, 200, 204, 201]
    config = web.get("/v1/config").json
    assert set(config["pools"]) == {"p2"} and set(config["services"]) == {"web", "dns"}
    assert config["services"]["web"]["backends"] == {
        "b": {"address": "10.1.0.12", "weight": 1}, "c": {"address": "10.1.0.13", "weight": 3}}
    assert web.must("POST", "/v1/changes", {"changes": []}).generation == g + 1


def test_changes_are_all_or_nothing(web):
    good = {"method": "DELETE", "path": "/v1/services/web/backends/a"}
    for bad, status, pointer in [
            ({"method": "DELETE", "path": "/v1/services/no"}, 404, ""),
            ({"method": "DELETE", "path": "/v1/services/web/backends/a"}, 404, ""),
            ({"method": "DELETE", "path": "/v1/pools/lan"}, 422, "/services/web/pool"),
            ({"method": "PUT", "path": "/v1/services/x", "body": {}}, 422, "/services/x/pool"),
            ({"method": "GET", "path": "/v1/services/web"}, 422, "/changes/1/path"),
            ({"method": "PUT", "path": "/v1/config", "body": {}}, 422, "/changes/1/path"),
            ({"method": "POST", "path": "/v1/changes", "body": {}}, 422, "/changes/1/path"),
            ({"method": "DELETE", "path": "/v1/services/web?dry_run=1"}, 422, "/changes/1/path"),
            ({"method": "DELETE", "path": "/v1/%zz"}, 422, "/changes/1/path"),
            ({"method": "DELETE", "path": "/v1/services/web", "body": {}}, 422, "/changes/1/body"),
            ({"method": "PUT", "path": "/v1/services/web"}, 422, "/changes/1/body"),
            ({"method": "DELETE"}, 422, "/changes/1/path"),
            ({"method": 1, "path": "/"}, 422, "/changes/1/method"),
            ({"method": "DELETE", "path": "/v1/services/web", "x": 1}, 422, "/changes/1"),
            ([], 422, "/changes/1")]:
        with unchanged(web):
            problem(web.post("/v1/changes", {"changes": [good, bad]}), status, pointer)
    for body in ({}, {"changes": {}}, {"changes": [], "x": 1}, {"changes": [good] * 10001}):
        problem(web.post("/v1/changes", body), 422)


# -- against a plain model


def random_step(rng, config, api):
    """One random operation on the daemon and on the plain model; what is in doubt, the daemon's word decides."""
    services = config["services"]
    what = rng.choice(["service", "service", "backend", "backend", "backend", "pool", "patch", "delete"])
    name = "s%d" % rng.randrange(4)
    service = {"listeners": [listener("192.0.2.1", 80 + rng.randrange(5))], "forward": "fullnat",
               "pool": "p%d" % rng.randrange(3), "scheduler": rng.choice(["rr", "wrr", "random", "sh", "fo"]),
               "on_unavailable": rng.choice(["reject", "drop"]), "backends": {}}
    backend = {"address": "10.1.0.%d" % rng.randrange(10, 14), "weight": rng.randrange(4)}
    b = "b%d" % rng.randrange(3)
    after = copy.deepcopy(config)
    if what == "service":
        r = api.put("/v1/services/" + name, service)
        after["services"][name] = service
    elif what == "backend":
        r = api.put("/v1/services/%s/backends/%s" % (name, b), backend)
        if name in services:
            after["services"][name]["backends"][b] = backend
    elif what == "pool":
        r = api.put("/v1/pools/" + service["pool"], POOL)
        after["pools"][service["pool"]] = POOL
    elif what == "patch":
        patch = {"backends": {b: rng.choice([None, {"weight": 7}])}, "scheduler": None}
        r = api.patch("/v1/services/" + name, patch, headers=MERGE)
        if name in services:
            after["services"][name]["scheduler"] = "wrr"
            if patch["backends"][b] is None:
                after["services"][name]["backends"].pop(b, None)
            elif b in after["services"][name]["backends"]:
                after["services"][name]["backends"][b]["weight"] = 7
    else:
        kind, key = rng.choice([("services", name), ("pools", service["pool"])])
        r = api.delete("/v1/%s/%s" % (kind, key))
        after[kind].pop(key, None)
    return r, after


def write_defaults(config):
    """What is hashed is said where it matters."""
    for s in config["services"].values():
        s.pop("hash", None)
        if s["scheduler"] == "sh":
            s["hash"] = {"key": "source", "prefix4": 32, "prefix6": 128}
    return config


def is_consistent(config):
    listeners = [json.dumps(x) for s in config["services"].values() for x in s["listeners"]]
    targets_differ = all(len({x["address"] for x in s["backends"].values()}) == len(s["backends"])
                         for s in config["services"].values())
    return (len(set(listeners)) == len(listeners) and targets_differ and
            all(s["pool"] in config["pools"] for s in config["services"].values()))


@pytest.mark.parametrize("seed", range(3))
def test_random_walk(api, seed):
    rng = random.Random(seed)
    config, generation = {"pools": {}, "services": {}}, api.get("/v1/config").generation
    n_accepted = 0
    for _ in range(150):
        r, after = random_step(rng, config, api)
        write_defaults(after)
        if r.status < 300:
            assert is_consistent(after), r
            generation += after != config
            config = after
            n_accepted += 1
        else:
            assert r.status in (404, 409, 422), r
        now = api.get("/v1/config")
        assert now.json == config, r
        assert now.generation == generation
    assert n_accepted > 30
    api.must("POST", "/v1/verify")
    assert api.must("POST", "/v1/verify").json == {"operations": 0}
