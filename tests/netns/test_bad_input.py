# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything is validated before anything is done; an error names the path, the value and what was
expected. Each document is tried with --check, as --config, and through the API; afterwards daemon,
kernel and traffic are as they were."""

import json
import tempfile

import pytest

from conftest import config, listener, web
from lab import VIP, VIP2, VIP6, Fnatd, find_program

BACKEND = {"address": "10.1.0.11", "port": 8080}
POOL = {"addresses": ["10.1.0.50-10.1.0.53"]}
WEB = "/services/web"


def doc(pools=None, services=None, **fields):
    """One good service "web" and one good pool "lan", with fields of the service replaced; None
    removes one."""
    one = {"listeners": [listener()], "pool": "lan", "backends": {"a": dict(BACKEND)}}
    one.update(fields)
    one = {k: v for k, v in one.items() if v is not None}
    return {"pools": {"lan": POOL} if pools is None else pools,
            "services": {"web": one, **(services or {})}}


def with_listener(**fields):
    return doc(listeners=[dict(listener(), **fields)])


def with_backend(**fields):
    return doc(backends={"a": dict(BACKEND, **fields)})


def with_pool(*addresses):
    return doc(pools={"lan": {"addresses": list(addresses)}})


def text(d):
    return json.dumps(d)


# name: (document, JSON pointer, words the message must have)
INVALID = {
    "unknown field": (doc(schedulr="rr"), WEB + "/schedulr", ["scheduler"]),
    "unknown field at the top": ({"servces": {}}, "/servces", ["services"]),
    "unknown field of a listener": (with_listener(prot="tcp"), WEB + "/listeners/0/prot", []),
    "unknown field of a backend": (with_backend(wieght=1), WEB + "/backends/a/wieght", ["weight"]),
    "unknown field of a pool": (doc(pools={"lan": dict(POOL, adresses=[])}),
                                "/pools/lan/adresses", ["addresses"]),
    "service is a number": ({"services": {"web": 7}}, WEB, ["object"]),
    "services is an array": ({"services": []}, "/services", ["object"]),
    "root is an array": ([], "", ["object"]),
    "root is a string": ("fnat", "", ["object"]),
    "listeners is an object": (doc(listeners={}), WEB + "/listeners", ["array"]),
    "no listeners": (doc(listeners=[]), WEB + "/listeners", []),
    "listeners absent": (doc(listeners=None), WEB + "/listeners", ["required"]),
    "port is a string": (with_listener(port="80"), WEB + "/listeners/0/port", ["80", "integer"]),
    "port is abc": (with_listener(port="abc"), WEB + "/listeners/0/port", ["abc"]),
    "port is a fraction": (with_listener(port=80.5), WEB + "/listeners/0/port", ["80.5"]),
    "port is true": (with_listener(port=True), WEB + "/listeners/0/port", []),
    "port is null": (with_listener(port=None), WEB + "/listeners/0/port", []),
    "port 0": (with_listener(port=0), WEB + "/listeners/0/port", ["0", "65535"]),
    "port 65536": (with_listener(port=65536), WEB + "/listeners/0/port", ["65536", "65535"]),
    "port -1": (with_listener(port=-1), WEB + "/listeners/0/port", ["-1"]),
    "backend's port 65536": (with_backend(port=65536), WEB + "/backends/a/port", ["65536"]),
    "weight negative": (with_backend(weight=-1), WEB + "/backends/a/weight", ["-1", "65535"]),
    "weight 65536": (with_backend(weight=65536), WEB + "/backends/a/weight", ["65536", "65535"]),
    "weight 2^63": (with_backend(weight=2 ** 63), "", []),
    "weight 1e300": (with_backend(weight=1e300), WEB + "/backends/a/weight", []),
    "weight is a string": (with_backend(weight="1"), WEB + "/backends/a/weight", []),
    "protocol unknown": (with_listener(protocol="icmp"), WEB + "/listeners/0/protocol",
                         ["icmp", "tcp"]),
    "scheduler unknown": (doc(scheduler="wlcc"), WEB + "/scheduler", ["wlcc", "wrr"]),
    "forward unknown": (doc(forward="dr"), WEB + "/forward", ["dr", "fullnat"]),
    "refusal unknown": (doc(on_unavailable="panic"), WEB + "/on_unavailable", ["panic", "drop"]),
    "listener's address wrong": (with_listener(address="192.0.2.300"),
                                 WEB + "/listeners/0/address", ["192.0.2.300"]),
    "listener's address a name": (with_listener(address="www.example.org"),
                                  WEB + "/listeners/0/address", ["www.example.org"]),
    "listener's address multicast": (with_listener(address="224.0.0.1"),
                                     WEB + "/listeners/0/address", ["224.0.0.1"]),
    "listener's address any": (with_listener(address="0.0.0.0"),
                               WEB + "/listeners/0/address", ["0.0.0.0"]),
    "backend's address wrong": (with_backend(address="10.1.0"), WEB + "/backends/a/address",
                                ["10.1.0"]),
    "backend without address": (doc(backends={"a": {"port": 80}}), WEB + "/backends/a/address",
                                ["required"]),
    "listener without a backend of its family":
        (with_listener(address=VIP6), WEB + "/listeners/0", ["IPv6"]),
    "listener without a pool address of its family":
        (doc(listeners=[listener(VIP6)], backends={"a": {"address": "fd00:1::11"}}),
         WEB + "/pool", ["lan", "IPv6"]),
    "pool empty": (with_pool(), "/pools/lan/addresses", []),
    "pool without addresses": (doc(pools={"lan": {}}), "/pools/lan/addresses", ["required"]),
    "pool missing": (doc(pool=None), WEB + "/pool", ["required"]),
    "pool unknown": (doc(pool="wan"), WEB + "/pool", ["wan"]),
    "pool address wrong": (with_pool("10.1.0.x"), "/pools/lan/addresses/0", ["10.1.0.x"]),
    "pool range backwards": (with_pool("10.1.0.9-10.1.0.1"), "/pools/lan/addresses/0",
                             ["10.1.0.9-10.1.0.1"]),
    "pool range of two families": (with_pool("10.1.0.9-fd00::1"), "/pools/lan/addresses/0", []),
    "pool prefix with host bits": (with_pool("10.1.0.1/24"), "/pools/lan/addresses/0",
                                   ["10.1.0.1/24"]),
    "pool too large": (with_pool("10.0.0.0/8"), "/pools/lan/addresses/0",
                       ["10.0.0.0/8", "65536"]),
    "pool too large, IPv6": (with_pool("fd00::/8"), "/pools/lan/addresses/0", ["65536"]),
    "pool addresses twice": (with_pool("10.1.0.50-10.1.0.59", "10.1.0.55"),
                             "/pools/lan/addresses/1", ["10.1.0.55"]),
    "listener twice": (doc(listeners=[listener(), listener()]), WEB + "/listeners/1", [VIP]),
    "listener of two services":
        (doc(services={"zoo": {"listeners": [listener()], "pool": "lan", "backends": {}}}),
         "/services/zoo/listeners/0", [VIP, "web"]),
    "backend twice": (doc(backends={"a": BACKEND, "b": BACKEND}), WEB + "/backends/b/address",
                      ["10.1.0.11", "8080", "a"]),
    "name of 3000 characters": (doc(services={"n" * 3000: {
        "listeners": [listener(VIP2)], "pool": "lan", "backends": {}}}), "/services/nnn", ["60"]),
    "empty name": (doc(backends={"": BACKEND}), WEB + "/backends/", []),
    "name with a space": (doc(backends={"a b": BACKEND}), WEB + "/backends/a b", ["a b"]),
    "name with a quote": (doc(pools={"lan": POOL, 'x"': POOL}), "/pools/x", []),
    "name with a slash": (doc(backends={"a/b": BACKEND}), WEB + "/backends/a~1b", ["a/b"]),
}

DEEP = 100000
SYNTAX = {
    "empty": ("", ["empty"]),
    "blank": ("  \n ", ["line"]),
    "cut off": (text(doc())[:-20], ["line 1", "column"]),
    "stray comma": ('{\n "pools": {,}\n}', ["line 2", "column"]),
    "text after the end": (text(doc()) + " x", ["line 1", "column"]),
    "two documents": (text(doc()) * 2, ["line 1"]),
    "comment": ("/* fnat */" + text(doc()), ["line 1"]),
    "number too large": ('{"pools": {}, "services": %s}' % ("9" * 400), ["line 1"]),
    "100,000 levels of arrays": ("[" * DEEP + "]" * DEEP, []),
    "100,000 levels of objects": ('{"a":' * DEEP + "1" + "}" * DEEP, []),
    "100,000 levels inside": ('{"services": {"web": %s}}' % ("[" * DEEP + "]" * DEEP), []),
    "key twice": ('{"pools": {}, "pools": {}}', ["pools"]),
    "key twice inside": (text(doc()).replace('"port": 8080', '"port": 8080, "port": 8081'),
                         ["port"]),
    "NUL byte": (text(doc()).replace("lan", "la\0n"), ["line 1"]),
    "NUL byte at the end": (text(doc()) + "\0", []),
    "NUL, escaped": (text(doc()).replace("lan", "la\\u0000n"), []),
    "not UTF-8": (text(doc()).encode().replace(b"lan", b"la\xff"), ["line 1"]),
    "overlong UTF-8": (text(doc()).encode().replace(b"lan", b"la\xc0\xaf"), ["line 1"]),
    "UTF-16": (text(doc()).encode("utf-16"), []),
    "lone surrogate": (text(doc()).replace("lan", "la\\ud800n"), []),
    "binary": (bytes(range(256)) * 100, []),
}


@pytest.fixture(scope="module")
def daemon(session_lab):
    """One daemon for all documents: none may leave a trace in it."""
    lab = session_lab
    with Fnatd(lab, web(lab), log_level="error") as d:
        d.kept = lab.connect("client", VIP, 80)
        yield d
        d.kept.close()
    lab.nft("flush", "ruleset")


def state(lab, d):
    return (lab.nft_generation(), d.api.status()["generation"], d.api.get("/v1/config").text)


def problems(r):
    assert r.headers["Content-Type"] == "application/problem+json", r
    j = r.json
    assert j["status"] == r.status and j["title"] and j["detail"] == j["problems"][0]["message"]
    return [(p["pointer"], p["message"]) for p in j["problems"]]


def check_unchanged(lab, d, before):
    assert state(lab, d) == before
    assert lab.ask("client", VIP)


def run_fnatd(lab, option, document, name):
    """In a namespace without fnat, so that what it should not do would show."""
    path = lab.write_config(document, name)
    args = [find_program("fnatd"), option, path]
    if option == "--config":
        args += ["--foreground", "--socket", lab.path("bad.sock"), "--state-dir",
                 tempfile.mkdtemp(dir=lab.dir)]
    r = lab.run("client", args, check=False, timeout=20)
    assert r.returncode == 1, r
    assert lab.nft("list", "ruleset", ns="client") == ""
    assert path in r.stderr, r
    return path, r.stderr


def matches(pointer, message, want, words):
    return (pointer == want or want.endswith("nnn") and pointer.startswith(want)
            or want.endswith("/x") and pointer.startswith(want)) and \
        all(w in message for w in words)


@pytest.mark.parametrize("name", INVALID)
def test_invalid_document(session_lab, daemon, name):
    lab, (document, pointer, words) = session_lab, INVALID[name]
    before = state(lab, daemon)
    r = daemon.api.put("/v1/config", text(document))
    assert r.status == (400 if name == "weight 2^63" else 422), r
    found = problems(r)
    assert name == "weight 2^63" or any(matches(p, m, pointer, words) for p, m in found), found
    for option in ("--check", "--config"):
        path, err = run_fnatd(lab, option, text(document), "invalid.json")
        assert all(w in err for w in words), err
        if name != "weight 2^63":
            assert "%s: %s" % (path, pointer) in err, err
        assert len(err) < 5000, "a message that nobody reads: %d bytes" % len(err)
    check_unchanged(lab, daemon, before)


@pytest.mark.parametrize("name", SYNTAX)
def test_not_json(session_lab, daemon, name):
    lab, (document, words) = session_lab, SYNTAX[name]
    before = state(lab, daemon)
    r = daemon.api.put("/v1/config", document)
    assert r.status == 400, r
    found = problems(r)
    assert all(w in found[0][1] for w in words), found
    for option in ("--check", "--config"):
        _, err = run_fnatd(lab, option, document, "syntax.json")
        assert all(w in err for w in words), err
        assert len(err) < 5000
    check_unchanged(lab, daemon, before)


def test_several_errors_at_once(session_lab, daemon):
    lab = session_lab
    document = doc(pool="wan", scheduler="wlcc", listeners=[listener(port=0), listener(VIP, 70000)],
                   backends={"a": {"address": "x"}, "b": dict(BACKEND, weight=-3)})
    document["pools"]["p"] = {"addresses": []}
    want = {"/pools/p/addresses", WEB + "/scheduler", WEB + "/listeners/0/port",
            WEB + "/listeners/1/port", WEB + "/backends/a/address", WEB + "/backends/b/weight"}
    r = daemon.api.put("/v1/config", document)
    assert r.status == 422 and want <= {p for p, _ in problems(r)}, r
    _, err = run_fnatd(lab, "--check", document, "several.json")
    assert all(p in err for p in want), err


def test_a_thousand_errors(session_lab, daemon):
    """Told of, but not all: the list ends somewhere."""
    document = doc(backends={"b%d" % i: {"address": "bad"} for i in range(1000)})
    r = daemon.api.put("/v1/config", document)
    assert r.status == 422 and 10 <= len(problems(r)) <= 100


def test_over_the_limit(session_lab, daemon):
    """16 MB over HTTP by default; the body of a document that says so is not even read."""
    lab = session_lab
    before = state(lab, daemon)
    r = daemon.api.put("/v1/config", b" " * (17 << 20))
    assert r.status == 413, r
    assert "16" in r.text
    check_unchanged(lab, daemon, before)
    assert daemon.api.put("/v1/config", text(web(lab)) + " " * (15 << 20)).status == 200
    check_unchanged(lab, daemon, before)


def test_file_over_the_limit(session_lab):
    """256 MB from a file; a larger one is refused by its size."""
    lab = session_lab
    path = lab.write_config("{}", "huge.json")
    with open(path, "r+b") as f:
        f.truncate((256 << 20) + 1)
    r = lab.run("client", [find_program("fnatd"), "--check", path], check=False, timeout=20)
    assert r.returncode == 1 and "256" in r.stderr, r


def test_odd_files(session_lab):
    lab = session_lab
    for path in (lab.dir, "/dev/null", "/proc/self/mem"):
        r = lab.run("client", [find_program("fnatd"), "--check", path], check=False, timeout=20)
        assert r.returncode == 1 and path in r.stderr, r


@pytest.mark.parametrize("method,path,body,status,pointer", [
    ("PATCH", "/v1/services/web", {"scheduler": "wlcc"}, 422, WEB + "/scheduler"),
    ("PATCH", "/v1/services/web", {"nonsense": 1}, 422, WEB + "/nonsense"),
    ("PATCH", "/v1/services/web", {"backends": {"b1": {"weight": 70000}}}, 422,
     WEB + "/backends/b1/weight"),
    ("PATCH", "/v1/services/web", [], 422, WEB),
    ("PATCH", "/v1/services/web", {"pool": None}, 422, WEB),
    ("PUT", "/v1/services/web/backends/b9", {"address": "10.1.0.11", "port": 8080}, 422, WEB),
    ("PUT", "/v1/services/web/backends/b9", {"address": "fe80::x"}, 422,
     WEB + "/backends/b9/address"),
    ("PUT", "/v1/services/web2", {"listeners": [listener()], "pool": "lan"}, 422,
     "/services/web2/listeners/0"),
    ("DELETE", "/v1/pools/lan", None, 422, ""),
    ("PUT", "/v1/pools/lan", {"addresses": ["fd00:1::50"]}, 422, ""),
    ("PUT", "/v1/pools/" + "p" * 3000, {"addresses": ["10.1.0.1"]}, 422, ""),
    ("PUT", "/v1/services/web", '{"listeners": [', 400, ""),
    ("DELETE", "/v1/services/absent", None, 404, ""),
    ("PATCH", "/v1/services/absent", {}, 404, ""),
    ("GET", "/v1/nonsense", None, 404, ""),
    ("PUT", "/v1/status", {}, 405, ""),
])
def test_bad_requests(session_lab, daemon, method, path, body, status, pointer):
    lab = session_lab
    before = state(lab, daemon)
    r = daemon.api.request(method, path, body)
    assert r.status == status or status == 422 and r.status in (400, 409), r
    assert any(p.startswith(pointer) for p, _ in problems(r)), r
    check_unchanged(lab, daemon, before)


def test_an_established_connection_saw_nothing_of_it(daemon):
    """The connection that was there before all bad documents still works."""
    daemon.kept.sendall(b"GET / HTTP/1.0\r\n\r\n")
    assert b" 200 " in daemon.kept.recv(4096)


def test_a_good_document_next_to_a_bad_one(session_lab):
    """The documents above are bad for the reason they are named after: this one passes."""
    lab = session_lab
    for document in (doc(), with_listener(port=65535), with_backend(weight=65535),
                     with_backend(weight=0), with_pool("10.1.0.0/24"), {}, config(lab),
                     doc(services={"n" * 60: {"listeners": [listener(VIP2)], "pool": "lan",
                                              "backends": {}}})):
        path = lab.write_config(text(document), "fine.json")
        r = lab.run("client", [find_program("fnatd"), "--check", path], check=False)
        assert r.returncode == 0, (document, r)
