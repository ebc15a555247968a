#!/usr/bin/env python3
"""Prints a linker script by which what was seen to run, and the constants that it read, stand side by side.

usage: order.py MAP TRACE...

MAP is the linker's, a TRACE is what lackey told of one run (--trace-mem=yes).

A name holds the hash of the crate that it is of, which follows the compiler and the versions; a `*`
stands in its place. Constants have no name of their own but the hash of the part that they were
compiled with, so theirs stays.
"""

import bisect
import collections
import re
import sys

HEAD = """\
/* What a call for a token goes through, side by side. The system brings in what a program touches in
 * pieces of 64 KiB, each of which costs as much as some thousand instructions; scattered over the whole
 * program it would be some forty of them. Written by packaging/order.sh. GNU ld puts it in front of its
 * own script. */
"""
# Of the C library: what looks for the clock in the vDSO, for valgrind shows a program none; and an
# empty string, which a linker takes from the end of any other.
UNSEEN = ("clock_gettime.lo", "vdso.lo", "strcmp.lo", "fstat.lo")
NAMELESS = re.compile(r"\.rodata\.\.Lanon\.[0-9a-f]+\.")


def sections(path):
    """The input sections of code and constants: first address, the one behind the last, pattern."""
    found, name = [], None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if alone := re.fullmatch(r" (\.\S+)\n", line):
                name = alone[1]
            elif entry := re.match(r" (\.\S+)?\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)", line):
                name = entry[1] or name
                start, size = int(entry[2], 16), int(entry[3], 16)
                if size and re.match(r"\.(text|rodata|fini)(\.|$)", name):
                    found.append((start, start + size, pattern(name, entry[4])))
    return sorted(found)


def pattern(name, file):
    """How a linker script names an input section."""
    if nameless := NAMELESS.match(name):
        return f"*({nameless[0]}*)"
    # A part of a library in C.
    if member := re.search(r"(lib\w+\.a)\((.+)\)$", file):
        return f"*{member[1]}:{member[2]}({name})"
    if re.search(r"(^|/)crt\w*\.o$", file):
        # All that is of this name, in the order of the linker: each is a part of one function.
        return f"KEEP (*(SORT_NONE({name})))" if name == ".fini" else f"*{file.rsplit('/', 1)[-1]}({name})"
    return "*(" + re.sub(r"(?<=Cs)[0-9A-Za-z]+_", "*_", name) + ")"


def touched(path, places):
    """The patterns of the sections of which a run touched something."""
    starts = [start for start, _, _ in places]
    addresses = set()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if access := re.match(r"(?:I | [LM]) +([0-9a-f]+),", line):
                addresses.add(int(access[1], 16))
    patterns = set()
    for address in addresses:
        at = bisect.bisect_right(starts, address) - 1
        if at >= 0 and address < places[at][1]:
            patterns.add(places[at][2])
    return patterns


def main():
    """Prints what all runs touched first, then what fewer did, and large groups last."""
    places = sections(sys.argv[1])
    runs, sizes = collections.Counter(), collections.Counter()
    for path in sys.argv[2:]:
        runs.update(touched(path, places))
    for start, end, name in places:
        if "..Lanon." in name or ".rodata.str" in name:
            sizes[name] += end - start
    ordered = sorted(runs, key=lambda name: (sizes[name], -runs[name], name))

    print(HEAD, end="")
    for kind, align in (("text", ""), ("rodata", " ALIGN(CONSTANT(MAXPAGESIZE))")):
        is_code = kind == "text"
        print(f"SECTIONS\n{{\n  .{kind}.first :{align}\n  {{")
        for member in UNSEEN:
            print(f"    *libc.a:{member}(.{kind} .{kind}.*)")
        for name in ordered:
            if (".rodata" not in name) == is_code:
                print(f"    {name}")
        print(f"  }}\n}}\nINSERT BEFORE .{kind};")


main()
