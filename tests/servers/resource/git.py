"""Git repositories below DIRECTORY/git, by git's own CGI program.

/git/moved/... is a redirect to where DIRECTORY/moved-to says.
"""

import os
import subprocess
import urllib.parse


def handle(method, path, headers, body, context):
    if path.startswith("/git/moved/"):
        base = (context.directory / "moved-to").read_text()
        return 302, {"Location": base + path.removeprefix("/git/moved")}, b""
    parts = urllib.parse.urlsplit(path)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(context.directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(context.directory / "git"),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": method,
        "PATH_INFO": parts.path.removeprefix("/git"),
        "QUERY_STRING": parts.query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        "REMOTE_USER": "somebody",
        "REMOTE_ADDR": "127.0.0.1",
    }
    answer = subprocess.run(["git", "http-backend"], input=body, env=variables,
                            stdout=subprocess.PIPE, check=True).stdout
    head, _, body = answer.partition(b"\r\n\r\n")
    status, answered = 200, []
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            answered.append((name, value))
    return status, answered, body
