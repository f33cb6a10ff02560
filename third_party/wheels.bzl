"""Repositories made of files taken out of PyPI wheels."""

_PLATFORMS = [
    "manylinux_2_28_x86_64",
    "manylinux_2_27_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_18_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
]

def _wheel_repository_impl(ctx):
    python = ctx.which("python3")
    if not python:
        fail("python3 was not found: run ./bazelw, which installs it, or " +
             "install Debian's packages 'python3' and 'python3-pip'.")
    if ctx.execute([python, "-m", "pip", "--version"]).return_code != 0:
        fail("pip was not found: run ./bazelw, which installs it, or " +
             "install Debian's package 'python3-pip'.")
    unpack = ctx.path(Label("//third_party:unpack_wheel.py"))
    for requirement, sha256 in ctx.attr.wheels.items():
        ctx.report_progress("fetching " + requirement)
        command = [python, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--python-version=3.12"]
        command += ["--platform=" + platform for platform in _PLATFORMS]
        command += ["--dest=wheel", requirement]
        result = ctx.execute(command, timeout = 3600)
        if result.return_code != 0:
            fail("pip could not download {}:\n{}".format(
                requirement,
                result.stderr,
            ))
        ctx.report_progress("unpacking " + requirement)
        command = [python, unpack, "wheel", sha256]
        command += [
            "{}={}".format(prefix, destination)
            for prefix, destination in ctx.attr.members.items()
        ]
        result = ctx.execute(command, timeout = 3600)
        if result.return_code != 0:
            fail("{}: {}".format(requirement, result.stderr))
    ctx.symlink(ctx.attr.build_file, "BUILD")

wheel_repository = repository_rule(
    implementation = _wheel_repository_impl,
    attrs = {
        "build_file": attr.label(
            mandatory = True,
            doc = "The repository's BUILD file.",
        ),
        "members": attr.string_dict(
            mandatory = True,
            doc = "What is unpacked: a member whose name begins with a key " +
                  "gets the key's value in its place; others are left out.",
        ),
        "wheels": attr.string_dict(
            mandatory = True,
            doc = "The wheels, name==version, and their SHA-256.",
        ),
    },
)
