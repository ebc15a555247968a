"""Opens a shared entry by docs/fleet.md alone, with another implementation of the cryptography.

usage: open.py FLEET.MD TOKEN_URL KEY VALUE_HEX   (CLIENT_ID and CLIENT_SECRET in the environment)

Checks the test vectors of the document first.
"""

import hashlib
import json
import os
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def hkdf(secret, salt, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def name(secret, identity):
    info = b"cloudconnexa-auth shared store v2 name\n" + identity.encode()
    return hkdf(secret, None, info, 16).hex()


def unseal(secret, identity, kind, value):
    assert value[0] == 2, "version"
    salt, sealed = value[1:33], value[33:]
    key = hkdf(secret, salt, b"cloudconnexa-auth shared store v2 seal", 32)
    authenticated = f"cloudconnexa-auth shared store v2\n{kind}\n{identity}\n".encode()
    return ChaCha20Poly1305(key).decrypt(bytes(12), sealed, authenticated)


def vectors(document):
    rows = {}
    for line in open(document, encoding="utf-8"):
        cells = line.strip().split(" | ")
        if len(cells) == 2 and cells[0].startswith("| ") and cells[1].endswith("` |"):
            rows[cells[0][2:]] = cells[1][1:-3]
    secret, identity = rows["client secret"].encode(), rows["identity"]
    assert rows["key of the token"] == f"cloudconnexa-auth:{{{name(secret, identity)}}}:token"
    for kind in ("token", "cooldown"):
        plain = unseal(secret, identity, kind, bytes.fromhex(rows[f"{kind}, sealed"]))
        assert plain.decode() == rows[f"{kind}, plain"], kind


document, token_url, key, value = sys.argv[1:]
vectors(document)
form = hashlib.sha256(b"cloudconnexa-auth identity v1\n")
for field in (token_url, os.environ["CLIENT_ID"]):
    form.update(struct.pack(">Q", len(field)) + field.encode())
for _absent in ("scope", "audience"):
    form.update(struct.pack(">Q", 2**64 - 1))
secret, identity = os.environ["CLIENT_SECRET"].encode(), form.hexdigest()
assert key == f"cloudconnexa-auth:{{{name(secret, identity)}}}:token", key
print(json.loads(unseal(secret, identity, "token", bytes.fromhex(value)))["access_token"])
