#!/usr/bin/env python3
"""Prints the licences of everything that is linked into the program for one platform.

  usage: notices.py TARGET        such as x86_64-unknown-linux-musl

MIT, ISC, BSD and Zlib ask that their text goes with every copy. The texts are those that the crates
bring along; a crate that brings none is an error. Of licences to choose from, MIT is chosen.
"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = "cloudconnexa-auth"
# What stands beside the crates in the binary, with the lines that their licences ask for.
BESIDE = [
    ("the Rust standard library", "MIT OR Apache-2.0", "Copyright (c) The Rust Project Developers"),
    ("musl (in static binaries for Linux)", "MIT", "Copyright © 2005-2020 Rich Felker, et al."),
]
LICENCE_FILE = re.compile(r"(?i)^(licen[cs]e|copying|notice|unlicense)")


def cargo(*arguments):
    command = [os.environ.get("CARGO", "cargo"), *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout


def linked(target):
    """Name and version of each crate that is linked, as (name, version)."""
    lines = cargo("tree", "--package", NAME, "--edges", "normal,no-proc-macro", "--target", target,
                  "--prefix", "none", "--format", "{p}").splitlines()
    found = {tuple(line.split(" ")[:2]) for line in lines if line}
    return sorted((name, version.removeprefix("v")) for name, version in found if name != NAME)


def texts(folder, licence):
    """The texts that go with a crate: the MIT one where that is its or may be chosen, else all."""
    files = sorted(name for name in os.listdir(folder) if LICENCE_FILE.match(name))
    chosen = [name for name in files if "mit" in re.split(r"[-.]", name.lower())]
    if " AND " in licence or "MIT" not in licence or not chosen:
        chosen = files
    notices = [name for name in files if name.lower().startswith("notice")]
    for name in sorted({*chosen, *notices}):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            yield "\n".join(line.rstrip() for line in file.read().strip().splitlines())


def main(target):
    metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
    packages = {(it["name"], it["version"]): it for it in metadata["packages"]}
    with open(os.path.join(ROOT, "LICENSE-MIT"), encoding="utf-8") as file:
        mit = file.read().strip()
    users = {}
    for title, licence, line in BESIDE:
        text = re.sub(r"(?m)^Copyright .*$", line, mit)
        users.setdefault(text, []).append(f"{title}: {licence}")
    for key in linked(target):
        package = packages[key]
        found = list(texts(os.path.dirname(package["manifest_path"]), package["license"] or ""))
        if not found:
            sys.exit(f"notices.py: {key[0]} {key[1]} brings no licence")
        for text in found:
            users.setdefault(text, []).append(f"{key[0]} {key[1]}: {package['license']}")
    print(f"What {NAME} is linked with, and under which licence.")
    print("Of licences to choose from (OR), MIT is chosen.")
    for text, titles in users.items():
        print("\n" + "=" * 80)
        print("\n".join(titles), end="\n\n")
        print(text)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: notices.py TARGET")
    main(sys.argv[1])
