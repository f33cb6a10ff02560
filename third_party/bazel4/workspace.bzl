"""Stand-ins for repositories that Bazel 4 looks up but Debian leaves out.

Debian's bazel-bootstrap 4.2.3 refers to @rules_cc, @rules_java and
@remote_coverage_tools without shipping them. The stand-ins export the native
rules, which is all that Bazel's own files ask of them. Later versions bring
the real ones along, so nothing is defined there.
"""

_STUBS = ["remote_coverage_tools", "rules_cc", "rules_java"]

def _is_bazel4():
    # Debian builds Bazel without a version number; modules came with Bazel 5.
    if native.bazel_version:
        return native.bazel_version.startswith("4.")
    return not hasattr(native, "module_name")

def bazel4_stubs():
    """Defines the stand-ins under Bazel 4, and nothing under later versions."""
    if not _is_bazel4():
        return
    for name in _STUBS:
        native.local_repository(
            name = name,
            path = "third_party/bazel4/" + name,
        )
