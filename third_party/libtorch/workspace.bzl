"""LibTorch 2.11.0: tensors, autograd, c10d, cuDNN.

Taken out of the wheel that PyPI serves, fetched with `pip download` (Bazel's
own downloader needs a URL, pip knows the index that this machine uses) and
checked against its SHA-256. The wheel's Python ABI tag is fixed, so that the
hash does not depend on the host's Python.

`@libtorch` holds headers and libraries, and the two small CUDA wheels that
libtorch_cpu.so names even where there is no GPU. The CUDA half is linked with
`--config=cuda`; its further libraries are in `@cuda` (//third_party/cuda).
"""

load("//third_party:wheels.bzl", "wheel_repository")

def libtorch():
    """Defines @libtorch."""
    wheel_repository(
        name = "libtorch",
        build_file = "//third_party/libtorch:libtorch.BUILD",
        # name==version: SHA-256 of the wheel.
        wheels = {
            "nvidia-cuda-cupti==13.0.85": "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
            "nvidia-cuda-runtime==13.0.96": "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
            "torch==2.11.0": "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756",
        },
        # Libraries lie in one folder, so that their RUNPATH of $ORIGIN finds
        # each other. Protobuf's headers (another version than the system's)
        # and all that is Python's stay behind.
        members = {
            "nvidia/cu13/include/": "cuda_include/",
            "nvidia/cu13/lib/": "lib/",
            "torch/include/ATen/": "include/ATen/",
            "torch/include/c10/": "include/c10/",
            "torch/include/torch/": "include/torch/",
            "torch/lib/libc10": "lib/libc10",
            "torch/lib/libgomp": "lib/libgomp",
            "torch/lib/libtorch_cpu.so": "lib/libtorch_cpu.so",
            "torch/lib/libtorch_cuda": "lib/libtorch_cuda",
            "torch/lib/libtorch_nvshmem": "lib/libtorch_nvshmem",
        },
    )
