"""gRPC and protobuf: what processes tell each other.

The system's copies (Debian 12: 1.51.1 and 3.21.12), because they link the
system's abseil as we do. //third_party/grpc has the targets to depend on, and
defs.bzl the rule that turns a .proto file into a library.
"""

load("//third_party:pkg_config.bzl", "pkg_config_repository")

def grpc():
    """Defines @grpc and @protobuf."""
    pkg_config_repository(
        name = "grpc",
        debian_package = "libgrpc++-dev",
        modules = ["grpc++"],
    )
    pkg_config_repository(
        name = "protobuf",
        debian_package = "libprotobuf-dev",
        modules = ["protobuf"],
    )
