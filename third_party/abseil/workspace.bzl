"""abseil: flags, status, strings, time, synchronization.

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
            "algorithm_container",
            "any_invocable",
            "base",
            "bind_front",
            "btree",
            "cleanup",
            "core_headers",
            "flags",
            "flags_commandlineflag",
            "flags_parse",
            "flags_reflection",
            "flags_usage",
            "flat_hash_map",
            "flat_hash_set",
            "function_ref",
            "inlined_vector",
            "int128",
            "memory",
            "optional",
            "span",
            "status",
            "statusor",
            "str_format",
            "strings",
            "synchronization",
            "time",
            "type_traits",
        ]],
        strip_prefix = "absl_",
    )
