"""An HTTPS server that guards everything with a token, for the tests with real clients.

It takes the token from `Authorization: Bearer TOKEN`, or from Basic with the token as password,
and asks the CloudConnexa sandbox whether it is good. What is served is up to the modules beside
this file, see README.md.

Prints one line, "listening https://localhost:PORT", when ready. Every line `record` on stdin is
answered with one line of JSON on stdout: what was asked so far. Ends when stdin closes.
"""

import argparse
import base64
import binascii
import http.client
import http.server
import importlib
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import types
import urllib.parse

HERE = pathlib.Path(__file__).parent

# First segment of a path, and the module that answers for it.
ROUTES = {
    "git": "git",
    "crates": "cargo",
    "go": "goproxy",
    "npm": "npm",
    "terraform": "terraform",
    ".well-known": "terraform",
    "v2": "registry",
    "dav": "webdav",
}

CHALLENGES = {"bearer": ["Bearer"], "basic": ["Basic"], "both": ["Bearer", "Basic"]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sandbox", required=True, help="base URL of the sandbox")
    parser.add_argument("--ca", required=True, help="the sandbox's CA, PEM")
    parser.add_argument("--directory", required=True, type=pathlib.Path,
                        help="where the modules find their files; ca.pem is written there")
    parser.add_argument("--challenge", choices=CHALLENGES, default="both")
    return parser.parse_args()


class Verifier:
    """Asks the sandbox whether a token is good."""

    def __init__(self, url, ca):
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)
        self.tls = ssl.create_default_context(cafile=ca)

    def accepts(self, token):
        connection = http.client.HTTPSConnection(*self.address, context=self.tls, timeout=30)
        try:
            connection.request("GET", "/api/v1/networks",
                               headers={"Authorization": f"Bearer {token}"})
            status = connection.getresponse().status
        except ValueError:  # no header can be made of it
            return False
        finally:
            connection.close()
        if status not in (200, 401):
            raise RuntimeError(f"the sandbox answered {status}: neither good nor bad")
        return status == 200


def token_of(authorization):
    """The scheme and the token of an Authorization header; no token where it cannot be read."""
    scheme, _, value = authorization.strip().partition(" ")
    value = value.strip()
    if scheme.lower() == "bearer":
        return "Bearer", value
    if scheme.lower() == "basic":
        try:
            return "Basic", base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return "Basic", None
    return scheme, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "resource"
    timeout = 60

    def answer(self):
        path = urllib.parse.urlsplit(self.path).path
        segment = path.split("/")[1] if path.startswith("/") else ""
        body = self.read_body()
        module = self.server.modules.get(ROUTES.get(segment, segment))
        public = path.startswith(tuple(getattr(module, "PUBLIC", ())) or ("\0",))
        authorization = self.headers.get("Authorization")
        scheme, token = token_of(authorization) if authorization else (None, None)
        entry = {"method": self.command, "path": path, "scheme": scheme, "accepted": None}
        try:
            if authorization:
                entry["accepted"] = bool(token) and self.server.verifier.accepts(token)
            self.server.record(entry)
            if not public and not entry["accepted"]:
                return self.challenge(authorization is not None)
            answer = module and module.handle(
                self.command, self.path, self.headers, body, self.server.context)
        except Exception as error:  # a test reads it; a token is in none of these
            print(f"{self.command} {path}: {type(error).__name__}: {error}", file=sys.stderr)
            answer = (500, {}, b"the test server failed\n")
        self.send(*(answer or (404, {"Content-Type": "text/plain"}, b"no such thing\n")))

    def challenge(self, was_refused):
        error = ', error="invalid_token"' if was_refused else ""
        lines = [("WWW-Authenticate", f'{scheme} realm="resource"' +
                  (error if scheme == "Bearer" else ""))
                 for scheme in CHALLENGES[self.server.scheme]]
        self.send(401, [*lines, ("Content-Type", "text/plain")], b"a token, please\n")

    def read_body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def send(self, status, headers, body):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *words):
        pass


for method in ("GET HEAD POST PUT PATCH DELETE OPTIONS "
               "PROPFIND PROPPATCH MKCOL MOVE COPY LOCK UNLOCK").split():
    setattr(Handler, f"do_{method}", Handler.answer)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, options):
        super().__init__(("127.0.0.1", int(os.environ.get("PORT", "0"))), Handler)
        self.scheme = options.challenge
        self.verifier = Verifier(options.sandbox, options.ca)
        self.lock = threading.Lock()
        self.entries = []
        url = f"https://localhost:{self.server_address[1]}"
        self.context = types.SimpleNamespace(
            url=url, authority=url.removeprefix("https://"), directory=options.directory)
        names = {path.stem for path in HERE.glob("*.py")} - {"server"}
        modules = {name: importlib.import_module(name) for name in names}
        self.modules = {name: module for name, module in modules.items()
                        if hasattr(module, "handle")}
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.directory / "server.pem", options.directory / "server.key")
        # The handshake belongs to the connection's own thread.
        self.socket = tls.wrap_socket(self.socket, server_side=True,
                                      do_handshake_on_connect=False)

    def record(self, entry):
        with self.lock:
            self.entries.append(entry)

    def handle_error(self, request, client_address):
        pass  # a client that hung up, or does not trust the certificate


def main():
    # The modules are imported from a source tree that stays as it is.
    sys.dont_write_bytecode = True
    options = arguments()
    options.directory.mkdir(parents=True, exist_ok=True)
    subprocess.run([HERE.parent / "certificate.sh", options.directory], check=True)
    server = Server(options)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening {server.context.url}", flush=True)
    for line in sys.stdin:
        if line.strip() == "record":
            with server.lock:
                print(json.dumps(server.entries), flush=True)
    os._exit(0)


main()
