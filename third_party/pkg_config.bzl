"""Libraries of the system, found through pkg-config.

A `pkg_config_repository` holds one `cc_library` for each pkg-config module,
named as the module without the common prefix: module `absl_status` of
repository `abseil` is `@abseil//:status`. Nothing is fetched or compiled; the
system's headers and libraries are used where they lie.
"""

_MISSING = """
{name}: pkg-config module '{module}' was not found.
It is part of Debian's package '{package}'. Run ./bazelw, which installs what
is missing, or install the package and run `bazel sync --configure`.
"""

def _run(ctx, pkg_config, option, module):
    result = ctx.execute([pkg_config, option, module])
    if result.return_code != 0:
        fail(_MISSING.format(
            name = ctx.name,
            module = module,
            package = ctx.attr.debian_package,
        ))
    return [word for word in result.stdout.strip().split(" ") if word]

def _target(ctx, pkg_config, module):
    name = module
    if name.startswith(ctx.attr.strip_prefix):
        name = name[len(ctx.attr.strip_prefix):]
    defines = [
        flag[2:]
        for flag in _run(ctx, pkg_config, "--cflags", module)
        # The system's headers need no flag, and other flags are the taste of
        # whoever packaged the library.
        if flag.startswith("-D")
    ]
    return """
cc_library(
    name = {name},
    defines = {defines},
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
)
""".format(
        name = repr(name),
        defines = repr(defines),
        linkopts = repr(_run(ctx, pkg_config, "--libs", module)),
    )

def _pkg_config_repository_impl(ctx):
    pkg_config = ctx.which("pkg-config")
    if not pkg_config:
        fail("pkg-config was not found: run ./bazelw, which installs it, " +
             "or install Debian's package 'pkg-config'.")
    ctx.file("BUILD", "".join([
        _target(ctx, pkg_config, module)
        for module in ctx.attr.modules
    ]))

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    attrs = {
        "debian_package": attr.string(
            mandatory = True,
            doc = "The Debian package to name where a module is missing.",
        ),
        "modules": attr.string_list(
            mandatory = True,
            doc = "pkg-config's names of the modules.",
        ),
        "strip_prefix": attr.string(
            doc = "What the modules' names begin with and targets' do not.",
        ),
    },
    configure = True,
    local = True,
)
