"""abseil: flags, status, strings, time.

The system's copy (Debian 12: 20220623), because gRPC links the same one and
two copies in a program clash. It has no absl/log, no absl/crc and no status
matchers; base/ and testing/ hold what is needed of these.
"""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def abseil():
    """Defines @abseil, one target a module: @abseil//:status and so on."""
    pkg_config_repository(
        name = "abseil",
        debian_package = "libabsl-dev",
        modules = ["absl_" + module for module in [
            "cord",
            "core_headers",
            "flags",
            "flags_commandlineflag",
            "flags_parse",
            "flags_reflection",
            "function_ref",
            "memory",
            "span",
            "status",
            "statusor",
            "str_format",
            "strings",
            "synchronization",
            "time",
        ]],
        strip_prefix = "absl_",
    )
