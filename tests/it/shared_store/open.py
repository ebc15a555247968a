"""Opens a shared entry by docs/fleet.md alone, with another implementation of the cryptography.

usage: open.py FLEET.MD TOKEN_URL KEY VALUE_HEX   (CLIENT_ID and CLIENT_SECRET in the environment)

Checks the test vectors of the document first. XChaCha20-Poly1305 is HChaCha20 and then
ChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03); HChaCha20 is below.
"""

import hashlib
import json
import os
import struct
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        s[z] ^= s[x]
        s[z] = ((s[z] << turn) | (s[z] >> (32 - turn))) & 0xFFFFFFFF


def hchacha20(key, nonce):
    s = list(struct.unpack("<4I8I4I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for column in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(s, *column)
        for diagonal in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(s, *diagonal)
    return struct.pack("<8I", *(s[:4] + s[12:]))


def hkdf(secret, salt, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def name(secret, identity):
    info = b"cloudconnexa-auth shared store v1 name\n" + identity.encode()
    return hkdf(secret, None, info, 16).hex()


def unseal(secret, identity, kind, value):
    assert value[0] == 1, "version"
    salt, nonce, sealed = value[1:33], value[33:57], value[57:]
    key = hkdf(secret, salt, b"cloudconnexa-auth shared store v1 seal", 32)
    authenticated = f"cloudconnexa-auth shared store v1\n{kind}\n{identity}\n".encode()
    cipher = ChaCha20Poly1305(hchacha20(key, nonce[:16]))
    return cipher.decrypt(bytes(4) + nonce[16:], sealed, authenticated)


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
