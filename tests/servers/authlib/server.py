"""An OAuth 2.0 server (Authlib on Flask) for the integration tests.

Environment: CLIENT_ID (default "client"), CLIENT_SECRET (default "sec:ret/+%&= ~"),
TTL (seconds, default 600), PORT (default 0: any free one).
Prints one line, "listening http://127.0.0.1:PORT/token", when ready. Ends when stdin closes.
"""

import os
import sys
import threading
from hmac import compare_digest

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # plain http, read on import

from authlib.integrations.flask_oauth2 import AuthorizationServer  # noqa: E402
from authlib.oauth2.rfc6749 import ClientMixin, grants  # noqa: E402
from flask import Flask  # noqa: E402
from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: E402

CLIENT_ID = os.environ.get("CLIENT_ID", "client")
CLIENT_SECRET = os.environ.get("CLIENT_SECRET", "sec:ret/+%&= ~")
TTL = int(os.environ.get("TTL", "600"))
PORT = int(os.environ.get("PORT", "0"))
AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
SCOPES = ["read", "write"]


class Client(ClientMixin):
    def get_client_id(self):
        return CLIENT_ID

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return " ".join(s for s in (scope or "").split() if s in SCOPES)

    def check_client_secret(self, client_secret):
        return compare_digest(client_secret.encode(), CLIENT_SECRET.encode())

    def check_endpoint_auth_method(self, method, endpoint):
        return endpoint != "token" or method in AUTH_METHODS

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"


class ClientCredentials(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS


def end_with_stdin():
    while os.read(0, 4096):
        pass
    os._exit(0)


def main():
    app = Flask("authlib-test-server")
    app.config["OAUTH2_TOKEN_EXPIRES_IN"] = {"client_credentials": TTL}
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: Client() if client_id == CLIENT_ID else None,
        save_token=lambda token, request: None,
    )
    server.register_grant(ClientCredentials)
    app.post("/token")(lambda: server.create_token_response())

    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    http = make_server("127.0.0.1", PORT, app, threaded=True)
    threading.Thread(target=end_with_stdin, daemon=True).start()
    print(f"listening http://127.0.0.1:{http.server_port}/token", flush=True)
    http.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
