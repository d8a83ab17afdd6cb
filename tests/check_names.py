#!/usr/bin/python3
"""Each type of a namespace is defined once. Two definitions in different files compile, and link to whichever destructor comes first: the worker
crashed at its first `http` task while every test of the folders passed.

    tests/check_names.py               checks the repository; exit 1 and one line a fault
    tests/check_names.py --self-test   shows, on texts of its own, that it can fail
"""
import collections
import pathlib
import re
import sys

FOLDERS = ("schema", "actors", "gateway", "cluster")
OPEN = re.compile(r"^(?:inline )?namespace(?: ([\w:]+))? \{")
CLOSE = re.compile(r"^\} // namespace")
DECLARED = re.compile(r"^namespace [\w:]+ \{\n((?:(?:class|struct) \w+;[^\n]*\n)+)\}\n", re.MULTILINE)  # types of others, declared
TYPE = re.compile(r"^(?:template <[^;{]*> ?)?(?:struct|class|enum class|enum|union) (\w+(?:::\w+)*)\b[^;()]*\{")


def types_of(text):
    """(qualified name, line) of each definition at the left margin, those in namespaces without a name left out."""
    text = DECLARED.sub(lambda match: "\n" * match[0].count("\n"), text)
    spaces, before = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := OPEN.match(line):
            spaces.append(match[1])
        elif CLOSE.match(line) and spaces:
            spaces.pop()
        elif None not in spaces and (match := TYPE.match(line)):
            specialised = before.startswith("template <>") or f"{match[1]}<" in line
            if not specialised:
                yield "::".join([*spaces, match[1]]), number
        before = line


def check(files):
    places = collections.defaultdict(list)
    for name, text in files:
        for type_, line in types_of(text):
            places[type_].append(f"{name}:{line}")
    return len(places), [f"{type_} is defined {len(at)} times: {', '.join(at)}" for type_, at in sorted(places.items()) if len(at) > 1]


def self_test():
    one = "namespace a {\nstruct x {\n};\nnamespace {\nstruct y {\n};\n} // namespace\nclass z;\n} // namespace a\n"
    assert check([("1", one), ("2", one.replace("struct x", "struct w"))]) == (2, [])
    assert check([("1", one), ("2", "namespace a {\nclass x final : b {\n};\n} // namespace a\n")])[1] == ["a::x is defined 2 times: 1:2, 2:2"]
    assert check([("1", one), ("2", "namespace b {\nstruct x {};\n} // namespace b\n")])[1] == []
    assert check([("1", one), ("2", "namespace c {\nclass Registry;\n}\n\n" + one)])[1] == ["a::x is defined 2 times: 1:2, 2:6"]
    print("names: self-test passed")


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [(path.relative_to(root), path.read_text(encoding="utf-8")) for folder in FOLDERS for path in sorted((root / folder).rglob("*.[hc]pp"))]
    types, faults = check(files)
    for fault in faults:
        print(fault)
    print(f"names: {types} types, {len(faults)} faults")
    return 1 if faults or not types else 0


sys.exit(main())
