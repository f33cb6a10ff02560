"""C++ out of .proto files, by the system's protoc."""

_FIND = "$$(command -v {tool} || echo '{tool} (./bazelw installs it)')"

def _library(name, src, kind, option, deps, **kwargs):
    stem = src[:-len(".proto")] + kind
    outs = [stem + ".cc", stem + ".h"]
    native.genrule(
        name = name + "_gen",
        srcs = [src],
        outs = outs,
        cmd = "protoc --proto_path=. %s $(location %s)" % (option, src),
        message = "Generating",
    )
    native.cc_library(
        name = name,
        srcs = outs[:1],
        hdrs = outs[1:],
        # The generator's code, and its taste in warnings.
        copts = ["-w"],
        deps = deps,
        **kwargs
    )

def charrnn_cc_proto_library(name, src, **kwargs):
    """A cc_library of the messages of one .proto file, "x.proto".

    Include "<package>/x.pb.h".

    Args:
      name: the target's.
      src: the file.
      **kwargs: a cc_library's.
    """
    _library(name, src, ".pb", "--cpp_out=$(GENDIR)", ["@protobuf"], **kwargs)

def charrnn_cc_grpc_library(name, src, messages, **kwargs):
    """A cc_library of the services of one .proto file, "x.proto".

    Include "<package>/x.grpc.pb.h".

    Args:
      name: the target's.
      src: the file.
      messages: the charrnn_cc_proto_library of the same file.
      **kwargs: a cc_library's.
    """
    option = "--grpc_out=$(GENDIR) --plugin=protoc-gen-grpc="
    option += _FIND.format(tool = "grpc_cpp_plugin")
    deps = [messages, "//third_party/grpc"]
    _library(name, src, ".grpc.pb", option, deps, **kwargs)
