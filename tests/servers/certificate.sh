#!/usr/bin/env bash
# Makes a certificate for localhost, 127.0.0.1 and ::1, and a CA of its own, in DIR:
#   ca.pem (what clients have to trust), server.pem and server.key
set -euo pipefail
cd -- "$1"
make_one() {
  openssl req -batch -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -config /dev/null "$@" 2>/dev/null
}
# A name of its own: two authorities of one name confuse clients that look them up by it.
make_one -keyout ca.key -out ca.pem -subj "/CN=test CA $(openssl rand -hex 8)" \
  -addext basicConstraints=critical,CA:TRUE
make_one -keyout server.key -out server.pem -subj /CN=localhost -CA ca.pem -CAkey ca.key \
  -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth \
  -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1
rm ca.key
