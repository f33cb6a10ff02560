"""Google Benchmark: measures functions (Debian 12: 1.7.1)."""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def benchmark():
    """Defines @benchmark//:benchmark."""
    pkg_config_repository(
        name = "benchmark",
        debian_package = "libbenchmark-dev",
        modules = ["benchmark"],
    )
