"""A private Terraform registry: service discovery, one module, and a log-in that gives foreign tokens.

    HOST/acme/network/cloudconnexa  version 1.0.0

As Terraform has it: discovery is open to anybody, the module's versions and its address need an
accepted token, and the archive itself is at an address that is its own permission: it is sent no
token, and one that comes with a token is refused.
"""

import json
import secrets

from archives import tar_gz

CONTENT = tar_gz({"main.tf": b'output "answer" {\n  value = "42"\n}\n'})
MODULE = "/terraform/v1/modules/acme/network/cloudconnexa"
VERSION = "1.0.0"
ARCHIVE = f"/terraform/archives/{secrets.token_hex(8)}/network-{VERSION}.tar.gz"
SERVICES = {
    "modules.v1": "/terraform/v1/modules/",
    "login.v1": {
        "client": "terraform-cli",
        "grant_types": ["authz_code"],
        "authz": "/terraform/oauth/authorization",
        "token": "/terraform/oauth/token",
        # Terraform listens on one of them, taken at random.
        "ports": [20000, 60000],
    },
}
TOKEN_OF_LOGIN = "token-of-a-person"

# What a person's browser, a log-in and everybody ask for.
PUBLIC = ("/.well-known/", "/terraform/archives/", "/terraform/oauth/")


def handle(method, path, headers, body, context):
    if path == "/.well-known/terraform.json":
        return answer(SERVICES)
    if path == "/terraform/oauth/token":
        return answer({"access_token": TOKEN_OF_LOGIN, "token_type": "bearer"})
    if path == ARCHIVE:
        if headers.get("Authorization"):
            return 400, {"Content-Type": "text/plain"}, "this address takes no token\n"
        return 200, {"Content-Type": "application/gzip"}, CONTENT
    if path == f"{MODULE}/versions":
        return answer({"modules": [{"versions": [{"version": VERSION}]}]})
    if path == f"{MODULE}/{VERSION}/download":
        return 204, {"X-Terraform-Get": context.url + ARCHIVE}, b""
    return None


def answer(value):
    return 200, {"Content-Type": "application/json"}, json.dumps(value)
