#!/usr/bin/python3
"""Holds the folders to their order: proto, schema <- actors <- gateway <- cluster <- tests; each may include what stands to its left.

    tests/check_layers.py               checks the repository; exit 1 and one line a fault
    tests/check_layers.py --self-test   shows, on a small tree of its own, that each rule can fail
"""
import pathlib
import re
import sys
import tempfile

# Folder -> folders whose headers it may include. "proto" means the code generated from proto/.
MAY_USE = {
    "schema": {"schema"},
    "actors": {"schema", "actors"},
    "gateway": {"proto", "schema", "actors", "gateway"},
    "cluster": {"proto", "schema", "actors", "gateway", "cluster"},
    "tests": {"proto", "schema", "actors", "gateway", "cluster", "tests"},
}
# What a library's includes look like -> folders that may have them.
LIBRARIES = {
    "CAF": (re.compile(r"^caf/"), {"actors", "gateway", "cluster", "tests"}),
    "gRPC": (re.compile(r"^grpc(pp)?/"), {"gateway", "cluster", "tests"}),
    "protobuf": (re.compile(r"^google/protobuf/"), {"gateway", "cluster", "tests"}),
    "cpp-httplib": (re.compile(r"^httplib\.h$"), {"actors", "gateway", "cluster", "tests"}),
    "libpq": (re.compile(r"^(postgresql/)?libpq"), {"schema", "cluster", "tests"}),
    "Catch2": (re.compile(r"^catch2/"), {"tests"}),
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
GENERATED = re.compile(r"^taskmaster/v1/|\.pb\.h$")


def faults_of(root, path):
    folder = path.relative_to(root).parts[0]
    text = path.read_text(encoding="utf-8")
    for match in INCLUDE.finditer(text):
        style, header = match.groups()
        place = f"{path.relative_to(root)}:{text.count(chr(10), 0, match.start()) + 1}"
        for library, (pattern, allowed) in LIBRARIES.items():
            if pattern.search(header) and folder not in allowed:
                yield f"{place}: {folder}/ must not know {library} (<{header}>)"
        if GENERATED.search(header):
            if "proto" not in MAY_USE[folder]:
                yield f'{place}: {folder}/ must not use the generated code of proto/ ("{header}")'
            continue
        target = header.split("/")[0]
        if target in MAY_USE and "/" in header:
            if target not in MAY_USE[folder]:
                yield f'{place}: {folder}/ must not include {target}/ ("{header}")'
            elif not (root / header).is_file():
                yield f'{place}: no such header "{header}"'
        elif style == '"':
            yield f'{place}: includes are rooted, as in "schema/task.hpp"; this one is not ("{header}")'


def check(root):
    faults, files = [], 0
    for folder in MAY_USE:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".hpp", ".cpp", ".h", ".cc"}:
                files += 1
                faults += faults_of(root, path)
    return files, faults


# One fault a line: the file, what it includes, and a part of the sentence that has to come.
BROKEN = [
    ("schema/a.hpp", "#include <caf/all.hpp>", "schema/ must not know CAF"),
    ("schema/b.hpp", "#include <httplib.h>", "schema/ must not know cpp-httplib"),
    ("schema/c.hpp", "#include <grpcpp/grpcpp.h>", "schema/ must not know gRPC"),
    ("schema/d.hpp", '#include "actors/good.hpp"', "schema/ must not include actors/"),
    ("schema/e.hpp", '#include "taskmaster/v1/task.pb.h"', "must not use the generated code"),
    ("actors/a.cpp", '  #  include "gateway/good.hpp"', "actors/ must not include gateway/"),
    ("actors/b.cpp", "#include <taskmaster/v1/worker.grpc.pb.h>", "must not use the generated code"),
    ("actors/c.cpp", "#include <google/protobuf/message.h>", "actors/ must not know protobuf"),
    ("actors/d.cpp", "#include <libpq-fe.h>", "actors/ must not know libpq"),
    ("gateway/a.cpp", "#include <cluster/good.hpp>", "gateway/ must not include cluster/"),
    ("cluster/a.cpp", '#include "tests/good.hpp"', "cluster/ must not include tests/"),
    ("cluster/b.cpp", "#include <catch2/catch.hpp>", "cluster/ must not know Catch2"),
    ("cluster/c.cpp", '#include "good.hpp"', "includes are rooted"),
    ("tests/sub/a.cpp", '#include "schema/gone.hpp"', "no such header"),
]
GOOD = [
    ("actors/fine.cpp", '#include "schema/good.hpp"\n#include <caf/all.hpp>\n#include <vector>'),
    ("gateway/fine.cpp", '#include "actors/good.hpp"\n#include "taskmaster/v1/task.pb.h"'),
    ("tests/sub/fine.cpp", '#include "cluster/good.hpp"\n#include "tests/good.hpp"'),
]


def self_test():
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for folder in MAY_USE:
            (root / folder / "sub").mkdir(parents=True)
            (root / folder / "good.hpp").write_text("#pragma once\n")
        for file, line in GOOD:
            (root / file).write_text(line + "\n")
        _, faults = check(root)
        assert not faults, faults
        for file, line, expected in BROKEN:
            (root / file).write_text("// one\n" + line + "\n")
            _, faults = check(root)
            (root / file).unlink()
            assert len(faults) == 1 and expected in faults[0] and f"{file}:2" in faults[0], (file, line, faults)
    print(f"layers: self-test passed, {len(BROKEN)} kinds of fault found")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    files, faults = check(pathlib.Path(__file__).resolve().parent.parent)
    for fault in faults:
        print(fault)
    if files == 0:
        faults = ["none"]
        print("layers: no source file found; is this the repository?")
    print(f"layers: {files} files, {len(faults)} faults")
    return 1 if faults else 0


sys.exit(main())
