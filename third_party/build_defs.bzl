"""The C++ rules of this tree: Bazel's own, with our warnings as errors.

Only our targets are compiled with these; headers of other libraries are
included as system headers and keep their warnings to themselves.
"""

_WARNINGS = [
    "-Wall",
    "-Wextra",
    "-Werror",
]

def charrnn_cc_library(copts = [], **kwargs):
    """A cc_library of this tree."""
    native.cc_library(copts = _WARNINGS + copts, **kwargs)

def charrnn_cc_binary(copts = [], **kwargs):
    """A cc_binary of this tree."""
    native.cc_binary(copts = _WARNINGS + copts, **kwargs)

def charrnn_cc_test(copts = [], deps = [], size = "small", **kwargs):
    """A cc_test of this tree, linked with GoogleTest's main function."""
    native.cc_test(
        copts = _WARNINGS + copts,
        size = size,
        deps = deps + ["@googletest//:gmock_main"],
        **kwargs
    )
