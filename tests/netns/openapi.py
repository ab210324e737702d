# SPDX-License-Identifier: GPL-2.0-or-later
"""api/openapi.yaml as a judge of requests and answers; the validator is python3-jsonschema's."""

import json
import os
import re

import jsonschema
import yaml

from daemon import Api

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Description:
    def __init__(self, path=os.path.join(TOP, "api", "openapi.yaml")):
        with open(path, encoding="utf-8") as f:
            self.doc = yaml.safe_load(f)
        self.resolver = jsonschema.RefResolver("", self.doc)
        self.paths = []
        for pattern, item in self.doc["paths"].items():
            regex = re.sub(r"\\?\{[^}]*\\?\}", "[^/]*", re.escape(pattern))
            self.paths.append((re.compile(regex + r"\Z"), pattern, item))

    def deref(self, node):
        while isinstance(node, dict) and set(node) == {"$ref"}:
            node = self.resolver.resolve(node["$ref"])[1]
        return node

    def operation(self, method, target):
        """The description of what answers this, or None."""
        path = re.sub("^http://[^/]*", "", target.split("?")[0])
        for regex, _, item in self.paths:
            if regex.match(path):
                return item.get("get" if method == "HEAD" else method.lower())
        return None

    def methods(self, pattern):
        return {m.upper() for m in self.doc["paths"][pattern] if m != "parameters"}

    def validate(self, value, schema):
        jsonschema.Draft202012Validator(
            schema, resolver=self.resolver,
            format_checker=jsonschema.draft202012_format_checker).validate(value)

    def check_request(self, method, target, body):
        """An accepted body is as described."""
        operation = self.operation(method, target)
        described = self.deref(operation.get("requestBody"))
        if described:
            for content in described["content"].values():
                self.validate(body, content["schema"])

    def check_response(self, method, target, response):
        operation = self.operation(method, target)
        if operation is None:  # no such path or method: an error, and OPTIONS
            described = self.doc["components"]["responses"]["Problem"]
            if response.status < 400:
                assert method == "OPTIONS" and response.status == 204, (method, target, response)
                return
        else:
            responses = operation["responses"]
            described = self.deref(responses.get(str(response.status)) or responses["default"])
            if str(response.status) not in responses:
                assert response.status >= 400, "%s %s: %r is not described" % (
                    method, target, response)
        self.check_headers(described, response)
        self.check_content(method, described, response)

    def check_headers(self, described, response):
        for name, header in described.get("headers", {}).items():
            header = self.deref(header)
            if name in response.headers:
                value = response.headers[name]
                if header["schema"].get("type") == "integer":
                    value = int(value)
                self.validate(value, header["schema"])
            else:
                assert not header.get("required"), "%s is missing in %r" % (name, response)
        assert response.status != 405 or "Allow" in response.headers
        assert response.status != 503 or "Retry-After" in response.headers

    def check_content(self, method, described, response):
        content = described.get("content")
        if not content:
            assert response.body == b"", response
            return
        media = response.headers.get_content_type()
        assert media in content, (media, response)
        if method == "HEAD":
            assert response.body == b""
            return
        if media.endswith("ndjson"):
            for line in response.text.splitlines():
                self.validate(json.loads(line), content[media]["schema"])
            return
        value = response.json if media.endswith("json") else response.text
        self.validate(value, content[media]["schema"])
        if media == "application/problem+json":
            assert value["status"] == response.status
            assert value["detail"] == value["problems"][0]["message"]


class CheckedApi(Api):
    """Every answer is held against the description."""

    description = None

    def request(self, method, path, body=None, headers=None):
        if CheckedApi.description is None:
            CheckedApi.description = Description()
        response = super().request(method, path, body, headers)
        CheckedApi.description.check_response(method, path, response)
        if response.status < 300 and isinstance(body, (dict, list)):
            CheckedApi.description.check_request(method, path, body)
        return response
