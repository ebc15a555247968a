"""One WebDAV folder, read only: /dav/ with report.txt. As much as rclone's `lsf` and `cat` ask."""

import urllib.parse

FILES = {"/dav/report.txt": b"quarterly\n"}

RESPONSE = """<D:response><D:href>{path}</D:href><D:propstat><D:prop>\
<D:resourcetype>{kind}</D:resourcetype><D:getcontentlength>{size}</D:getcontentlength>\
<D:getlastmodified>Mon, 23 Nov 2026 00:00:00 GMT</D:getlastmodified></D:prop>\
<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"""


def properties(path):
    kind = "" if path in FILES else "<D:collection/>"
    return RESPONSE.format(path=path, kind=kind, size=len(FILES.get(path, b"")))


def handle(method, path, headers, body, context):
    path = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
    if method in ("GET", "HEAD") and path in FILES:
        return 200, {"Content-Type": "text/plain"}, FILES[path]
    if method != "PROPFIND":
        return None
    if path in FILES:
        found = [path]
    elif path == "/dav/":
        found = [path] if headers.get("Depth") == "0" else [path, *FILES]
    else:
        return None
    listed = "".join(properties(one) for one in found)
    text = f'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:">{listed}</D:multistatus>'
    return 207, {"Content-Type": "application/xml"}, text
