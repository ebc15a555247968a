"""A private registry for Cargo: a sparse index of one crate, its download, and `publish`.

    sparse+https://HOST/crates/index/       the crate `acme-private` 0.1.0

What is published is listed at once, or Cargo would wait for it.
"""

import hashlib
import json
import threading

from archives import tar_gz

FILES = {
    "acme-private-0.1.0/Cargo.toml":
        b'[package]\nname = "acme-private"\nversion = "0.1.0"\nedition = "2021"\n',
    "acme-private-0.1.0/src/lib.rs": b"pub const ANSWER: u32 = 42;\n",
}

lock = threading.Lock()
crates = {("acme-private", "0.1.0"): tar_gz(FILES)}


def index_path(name):
    """Where the index keeps a crate with a name of four letters or more."""
    return f"/crates/index/{name[:2]}/{name[2:4]}/{name}"


def index_line(name, version, content):
    return json.dumps(
        {
            "name": name,
            "vers": version,
            "deps": [],
            "cksum": hashlib.sha256(content).hexdigest(),
            "features": {},
            "yanked": False,
        }
    )


def publish(body):
    """The body: a length and JSON, a length and the .crate file, lengths as little-endian u32."""
    end = 4 + int.from_bytes(body[:4], "little")
    about = json.loads(body[4:end])
    content = body[end + 4 :]
    if len(content) != int.from_bytes(body[end : end + 4], "little"):
        return answer(400, {"errors": [{"detail": "the body is cut"}]})
    with lock:
        crates[about["name"], about["vers"]] = content
    nothing = {"invalid_categories": [], "invalid_badges": [], "other": []}
    return answer(200, {"warnings": nothing})


def answer(status, value):
    return status, {"Content-Type": "application/json"}, json.dumps(value)


def handle(method, path, headers, body, context):
    if (method, path) == ("PUT", "/crates/api/v1/crates/new"):
        return publish(body)
    if path == "/crates/index/config.json":
        api = context.url + "/crates"
        return answer(200, {"dl": f"{api}/api/v1/crates", "api": api, "auth-required": True})
    with lock:
        known = dict(crates)
    lines = [index_line(*key, content) for key, content in known.items() if index_path(key[0]) == path]
    if lines:
        return 200, {"Content-Type": "text/plain"}, "\n".join(lines)
    for (name, version), content in known.items():
        if path == f"/crates/api/v1/crates/{name}/{version}/download":
            return 200, {"Content-Type": "application/octet-stream"}, content
    return answer(404, {"errors": [{"detail": "no such crate"}]})
