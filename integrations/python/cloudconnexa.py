"""The CloudConnexa API with the token of cloudconnexa-auth. Python 3.9 or newer, nothing to install.

    python3 cloudconnexa.py https://acme.api.openvpn.com/api/v1/networks
"""

import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """urllib would send the token on to wherever a redirect points."""

    def redirect_request(self, *_):
        return None


class Client:
    """Keeps the headers of each origin until they expire."""

    def __init__(self, program="cloudconnexa-auth"):
        self._program = program
        self._kept = {}
        self._opener = urllib.request.build_opener(_NoRedirect)

    def open(self, url, data=None, method=None, headers=None):
        """The answer of one API request; a refused token is replaced once."""
        for is_last in (False, True):
            authorization = self._headers(url)
            request = urllib.request.Request(
                url, data=data, method=method, headers={**(headers or {}), **authorization}
            )
            try:
                return self._opener.open(request)
            except urllib.error.HTTPError as error:
                if error.code != 401 or is_last:
                    raise
                error.close()
            self._drop(url, authorization["Authorization"])

    def _headers(self, url):
        origin = urllib.parse.urlsplit(url)[:2]
        headers, expires = self._kept.get(origin, ({}, None))
        if expires is None or expires <= datetime.now(timezone.utc):
            answer = self._ask("get", {"uri": url})
            headers = {name: values[0] for name, values in answer["headers"].items()}
            if "Authorization" not in headers:
                raise ValueError(f"no profile of cloudconnexa-auth covers {origin[1]}")
            expires = datetime.strptime(answer["expires"], "%Y-%m-%dT%H:%M:%S%z")
            self._kept[origin] = headers, expires
        return headers

    def _drop(self, url, authorization):
        """Drops the token that was refused, here and in the cache, and no other."""
        self._kept.pop(urllib.parse.urlsplit(url)[:2], None)
        self._ask("erase", {"uri": url, "token": authorization.split()[1]})

    def _ask(self, verb, request):
        # The reason of a failure is on stderr already.
        answer = subprocess.run(
            [self._program, verb],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(answer.stdout)


if __name__ == "__main__":
    with Client().open(sys.argv[1]) as answer:
        sys.stdout.buffer.write(answer.read())
