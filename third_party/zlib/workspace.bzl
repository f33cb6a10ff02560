"""zlib: the CRC-32 of zip archives (Debian 12: 1.2.13)."""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def zlib():
    """Defines @zlib//:zlib."""
    pkg_config_repository(
        name = "zlib",
        debian_package = "zlib1g-dev",
        modules = ["zlib"],
    )
