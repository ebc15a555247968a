"""A private Go module proxy.

    GOPROXY=https://HOST/go         the module go.acme.internal/private v1.0.0

Every other module is 404.
"""

import io
import json
import zipfile

MODULE = "go.acme.internal/private"
VERSION = "v1.0.0"
MOD = f"module {MODULE}\n\ngo 1.21\n".encode()
SOURCE = b"package private\n\nconst Answer = 42\n"


def archive():
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for name, text in [("go.mod", MOD), ("private.go", SOURCE)]:
            entry = zipfile.ZipInfo(f"{MODULE}@{VERSION}/{name}", (2026, 1, 1, 0, 0, 0))
            out.writestr(entry, text)
    return content.getvalue()


INFO = json.dumps({"Version": VERSION, "Time": "2026-01-01T00:00:00Z"}).encode()
FILES = {
    f"/go/{MODULE}/@v/list": f"{VERSION}\n".encode(),
    f"/go/{MODULE}/@latest": INFO,
    f"/go/{MODULE}/@v/{VERSION}.info": INFO,
    f"/go/{MODULE}/@v/{VERSION}.mod": MOD,
    f"/go/{MODULE}/@v/{VERSION}.zip": archive(),
}


def handle(method, path, headers, body, context):
    content = FILES.get(path)
    if content is None:
        return 404, {"Content-Type": "text/plain"}, "not found\n"
    return 200, {"Content-Type": "application/octet-stream"}, content
