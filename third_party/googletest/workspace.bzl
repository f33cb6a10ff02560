"""GoogleTest: the tests' framework (Debian 12: 1.12.1)."""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def googletest():
    """Defines @googletest//:gmock, gmock_main, gtest and gtest_main."""
    pkg_config_repository(
        name = "googletest",
        debian_package = "libgmock-dev",
        modules = ["gmock", "gmock_main", "gtest", "gtest_main"],
    )
