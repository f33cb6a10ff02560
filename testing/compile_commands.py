#!/usr/bin/env python3
"""Tells how each of our C++ sources is compiled, as clang's tools want it.

    testing/compile_commands.py > compile_commands.json

writes a compilation database, which editors read too. The flags are Bazel's
own, out of `bazel aquery`; only those that decide what the code means are
kept, because clang does not know all of gcc's.
"""

import json
import os
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

_INCLUDES = ("-I", "-iquote", "-isystem")


def bazel(*arguments):
    """Runs bazel in the tree and returns what it prints.

    $BAZEL_STARTUP_FLAGS go before the command, so that a program under `bazel
    run` can ask for the output base that it came from.
    """
    startup = os.environ.get("BAZEL_STARTUP_FLAGS", "").split()
    result = subprocess.run(
        [os.path.join(TREE, "bazelw"), *startup, *arguments], cwd=TREE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"bazel {' '.join(arguments)}:\n{result.stderr}")
    return result.stdout


def _flags(arguments, roots):
    """The flags of one compilation that clang is to know.

    Folders of Bazel's are looked up in `roots`, from their first name to where
    that lies; headers of others keep their warnings to themselves.
    """
    arguments = iter(arguments)
    for argument in arguments:
        if argument in _INCLUDES:
            folder = next(arguments)
            first, _, rest = folder.partition("/")
            if first in roots:
                argument = "-isystem" if argument == "-I" else argument
                folder = os.path.join(roots[first], rest)
            yield from (argument, folder)
        elif argument.startswith(("-std=", "-m", "-fopenmp")):
            yield argument
        elif argument.startswith("-D") and "__" not in argument:
            yield argument


def compile_commands():
    """A dictionary: from a source, as the tree names it, to clang's flags."""
    actions = json.loads(bazel(
        "aquery", "--output=jsonproto", 'mnemonic("CppCompile", //...)'))
    output_base = bazel("info", "output_base").strip()
    execution_root = bazel("info", "execution_root").strip()
    roots = {
        "external": os.path.join(output_base, "external"),
        "bazel-out": os.path.join(execution_root, "bazel-out"),
    }
    commands = {}
    for action in actions["actions"]:
        arguments = action["arguments"]
        source = arguments[arguments.index("-c") + 1]
        # A library's objects are made twice, with -fPIC and without.
        if os.path.exists(os.path.join(TREE, source)):
            commands[source] = list(_flags(arguments, roots))
    return commands


if __name__ == "__main__":
    json.dump([
        {"directory": TREE, "file": source,
         "arguments": ["clang++", *flags, "-c", source]}
        for source, flags in sorted(compile_commands().items())
    ], sys.stdout, indent=1)
