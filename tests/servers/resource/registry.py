"""A container registry, as far as listing tags goes (OCI Distribution Specification, /v2/).

    https://HOST/v2/acme/app/       one tag, 1.0.0
"""

import json


def handle(method, path, headers, body, context):
    if path == "/v2/":
        return 200, {"Content-Type": "application/json"}, b"{}"
    if path.partition("?")[0] == "/v2/acme/app/tags/list":
        tags = {"name": "acme/app", "tags": ["1.0.0"]}
        return 200, {"Content-Type": "application/json"}, json.dumps(tags)
    return None
