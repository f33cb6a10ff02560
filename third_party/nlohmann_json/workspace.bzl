"""nlohmann-json: reads and writes JSON (Debian 12: 3.11.2).

Parse with exceptions off (`allow_exceptions = false`) and look at the result;
duplicate keys are kept silently, the last one winning, so a reader of files
from outside must refuse them itself.
"""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def nlohmann_json():
    """Defines @nlohmann_json//:nlohmann_json, a header-only library."""
    pkg_config_repository(
        name = "nlohmann_json",
        debian_package = "nlohmann-json3-dev",
        modules = ["nlohmann_json"],
    )
