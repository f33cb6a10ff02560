"""Checks all that people wrote in this tree; `bazel run //testing:lint`.

- clang-format and clang-tidy over the C++ sources, as .clang-format and
  .clang-tidy have it. clang-tidy takes long on LibTorch's headers, so a source
  that was clean is looked at again only if it, one of our headers that it
  includes, its flags or a third party has changed.
- The build: private by default, a test for each library, packages that depend
  only on those below (lint_build.py).
- shellcheck over the scripts; the lengths of files.

Prints a line for each finding and, last, how many there were; fails if any.
"""

import concurrent.futures
import functools
import hashlib
import os
import re
import subprocess
import sys

from compile_commands import TREE, compile_commands
from lint_build import check_build

_PACKAGES = ("base", "data", "model", "dist", "cmd", "testing")

# The most lines that a file may have, by how its name ends.
_MAX_LINES = {"_test.cc": 800, ".cc": 500, ".h": 250, ".py": 300, ".sh": 300}

_CACHE = os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "charrnn-lint")


@functools.lru_cache(maxsize=None)
def our_files():
    """The paths of all files that belong to the tree."""
    paths = []
    for folder, folders, names in os.walk(TREE):
        folders[:] = sorted(
            name for name in folders
            if not name.startswith("bazel-") and name not in (".git", "runs"))
        paths += [
            os.path.relpath(os.path.join(folder, name), TREE)
            for name in sorted(names)
        ]
    return paths


@functools.lru_cache(maxsize=None)
def contents(path):
    with open(os.path.join(TREE, path), "rb") as file:
        return file.read()


def run(*command):
    """What `command` prints, and its exit code."""
    result = subprocess.run(
        command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False)
    return result.stdout, result.returncode


def check_length(path):
    for ending, most in _MAX_LINES.items():
        if path.endswith(ending):
            lines = contents(path).count(b"\n")
            if lines > most:
                yield f"{path}: {lines} lines, at most {most}: split it"
            return


def check_format(path):
    _, code = run("clang-format-19", "--dry-run", "-Werror", path)
    if code:
        yield f"{path}: not in layout: clang-format-19 -i {path}"


def check_script(path):
    output, _ = run("shellcheck", "--format=gcc", path)
    yield from output.splitlines()


@functools.lru_cache(maxsize=None)
def included(path):
    """Those of our headers that `path` includes itself."""
    names = re.findall(rb'^#include "([^"]+)"', contents(path), re.MULTILINE)
    return [
        name.decode() for name in names
        if os.path.exists(os.path.join(TREE.encode(), name))
    ]


def fingerprint(path, flags):
    """A hash over all that clang-tidy's answer for `path` depends on."""
    reached = {".clang-tidy", "WORKSPACE"}
    reached.update(p for p in our_files() if p.startswith("third_party/"))
    waiting = [path]
    while waiting:
        header = waiting.pop()
        if header not in reached:
            reached.add(header)
            waiting += included(header)
    digest = hashlib.sha256(repr(flags).encode())
    for name in sorted(reached):
        digest.update(b"%s %d " % (name.encode(), len(contents(name))))
        digest.update(contents(name))
    return digest.hexdigest()


def check_tidy(path, flags):
    clean = os.path.join(_CACHE, fingerprint(path, flags))
    if os.path.exists(clean):
        return
    output, code = run("clang-tidy-19", "--quiet", path, "--", *flags)
    found = re.findall(r"^(\S+?:\d+):\d+: (?:warning|error): (.*)$", output,
                       re.MULTILINE)
    for place, text in found:
        yield f"{os.path.relpath(place, TREE)}: " + text.replace(
            ",-warnings-as-errors", "")
    if not found and code:
        yield f"{path}: clang-tidy-19: {' '.join(output.split())}"
    if not found and not code:
        os.makedirs(_CACHE, exist_ok=True)
        with open(clean, "w", encoding="utf-8"):
            pass


def is_script(path):
    first = contents(path).split(b"\n", 1)[0]
    return re.match(rb"#!.*\b(ba)?sh$", first) is not None


def main():
    checks = [check_build]
    for path in our_files():
        checks.append(functools.partial(check_length, path))
        if path.endswith((".h", ".cc")):
            checks.append(functools.partial(check_format, path))
        if is_script(path):
            checks.append(functools.partial(check_script, path))
    for path, flags in sorted(compile_commands().items()):
        if path.split("/")[0] in _PACKAGES:
            checks.append(functools.partial(check_tidy, path, flags))

    findings = set()  # a header's are found once for each that includes it
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for lines in pool.map(lambda check: list(check()), checks):
            for line in lines:
                if line not in findings:
                    findings.add(line)
                    print(line, flush=True)
    print(f"lint: {len(findings)} findings", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
