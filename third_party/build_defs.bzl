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

def charrnn_cc_fuzz_test(
        name,
        srcs,
        corpus,
        dictionary = None,
        deps = [],
        size = "small",
        **kwargs):
    """A cc_test of LLVMFuzzerTestOneInput(), which `srcs` define.

    It tries the seeds, their beginnings and their neighbours, the same at each
    run (//testing:fuzz_replay). Under --config=fuzz it is a libFuzzer program,
    which goes on from the seeds until it is stopped:

        ./bazelw run --config=fuzz //model:x_fuzz_test -- -max_total_time=600

    It leaves what fails in /tmp, and what else it finds nowhere, unless told a
    folder: an absolute path, since it does not start where you are.

    Args:
      name: "x_fuzz_test", for the source x_fuzz.cc.
      srcs: the function's source.
      corpus: the seeds: glob(["testdata/fuzz/x/*"]), files of at most 2 KB.
      dictionary: a file of words to try, in libFuzzer's format.
      deps: what the source needs.
      size: a test's.
      **kwargs: a cc_test's.
    """
    if not corpus:
        fail("%s: there are no seeds" % name)
    seeds = ",".join(["$(rootpath %s)" % seed for seed in corpus])
    words = [dictionary] if dictionary else []
    native.cc_test(
        name = name,
        size = size,
        srcs = srcs,
        # As flags, not as a folder: libFuzzer writes to the first one it gets.
        args = ["-seed_inputs=" + seeds, "-artifact_prefix=/tmp/"] +
               ["-dict=$(rootpath %s)" % word for word in words],
        copts = _WARNINGS,
        data = corpus + words,
        linkopts = select({
            "//third_party:fuzz": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        deps = deps + select({
            "//third_party:fuzz": [],
            "//conditions:default": ["//testing:fuzz_replay"],
        }),
        **kwargs
    )
