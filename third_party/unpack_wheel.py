"""Checks the one wheel in a folder against its hash, unpacks parts of it,
and deletes it.

Usage: unpack_wheel.py FOLDER SHA256 PREFIX=DESTINATION...

A member whose name begins with PREFIX is written to DESTINATION plus the rest
of its name, below the current folder; other members are left out.
"""

import hashlib
import os
import shutil
import sys
import zipfile


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def main(folder, expected, *members):
    (name,) = os.listdir(folder)
    path = os.path.join(folder, name)
    actual = sha256_of(path)
    if actual != expected:
        sys.exit(f"{name} has SHA-256 {actual}, expected {expected}")
    prefixes = [member.split("=", 1) for member in members]
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            for prefix, destination in prefixes:
                if info.is_dir() or not info.filename.startswith(prefix):
                    continue
                target = destination + info.filename[len(prefix):]
                os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
                with wheel.open(info) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
    os.remove(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
