"""A private npm registry.

    https://HOST/npm/               the package @acme/private 1.0.0
"""

import base64
import hashlib
import json
from urllib.parse import unquote

from archives import tar_gz

NAME = "@acme/private"
VERSION = "1.0.0"
ABOUT = {"name": NAME, "version": VERSION, "main": "index.js"}
TARBALL = tar_gz({
    "package/package.json": json.dumps(ABOUT).encode(),
    "package/index.js": b"module.exports = 42;\n",
})
TARBALL_PATH = f"/npm/{NAME}/-/private-{VERSION}.tgz"


def packument(url):
    digest = base64.b64encode(hashlib.sha512(TARBALL).digest()).decode()
    dist = {
        "tarball": url + TARBALL_PATH,
        "shasum": hashlib.sha1(TARBALL).hexdigest(),
        "integrity": "sha512-" + digest,
    }
    versions = {VERSION: {**ABOUT, "dist": dist}}
    return {"name": NAME, "dist-tags": {"latest": VERSION}, "versions": versions}


def handle(method, path, headers, body, context):
    path = unquote(path)
    if path == TARBALL_PATH:
        return 200, {"Content-Type": "application/octet-stream"}, TARBALL
    if path == f"/npm/{NAME}":
        return 200, {"Content-Type": "application/json"}, json.dumps(packument(context.url))
    return None
