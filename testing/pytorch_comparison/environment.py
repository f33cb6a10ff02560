"""Sets up PyTorch in a folder of its own, from PyPI by pip.

The wheel that PyPI serves for Linux is the one for GPUs, which names gigabytes
of CUDA libraries. Computing on the CPU calls none of them, but the loader wants
each to be there: empty libraries of these names stand in, and functions are
bound when they are first called (PyTorch's own TORCH_USE_RTLD_GLOBAL).
Where that does not work, for want of a C compiler or in a later version, pip
installs PyTorch with all that it names.

torch.compile needs a C++ compiler, g++, at run time.
"""

import os
import shutil
import subprocess
import sys
import tempfile

VERSION = "2.11.0"

# torch, what it imports, and the two CUDA libraries of which libtorch_cpu.so
# uses data, or functions at its start.
_PACKAGES = (
    f"torch=={VERSION}",
    "nvidia-cuda-cupti==13.0.85",
    "nvidia-cuda-runtime==13.0.96",
    "filelock==3.20.0",
    "fsspec==2025.10.0",
    "jinja2==3.1.6",
    "markupsafe==3.0.3",
    "mpmath==1.3.0",
    "networkx==3.5",
    "numpy==2.3.4",
    "setuptools==80.9.0",
    "sympy==1.14.0",
    "typing_extensions==4.15.0",
)

_EMPTY_LIBRARIES = (
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcurand.so.10",
    "libcusolver.so.12",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvshmem_host.so.3",
)

_CHECK = f"import torch; assert torch.__version__.startswith('{VERSION}')"


def default_folder():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "charrnn-pytorch")


def _pip(*arguments):
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet",
         "--disable-pip-version-check", "--root-user-action=ignore",
         "--only-binary=:all:", *arguments],
        check=True, stdout=sys.stderr)


def _make_empty_library(path):
    subprocess.run(
        ["cc", "-shared", "-xc", os.devnull, "-o", path,
         f"-Wl,-soname,{os.path.basename(path)}"],
        check=True)


def _install_small(folder):
    _pip("--target", os.path.join(folder, "site"), "--no-deps", *_PACKAGES)
    empty = os.path.join(folder, "empty")
    os.mkdir(empty)
    for name in _EMPTY_LIBRARIES:
        _make_empty_library(os.path.join(empty, name))


def _install_whole(folder):
    _pip("--target", os.path.join(folder, "site"), f"torch=={VERSION}", "numpy")


class PyTorch:
    """An installed PyTorch, and how programs are run with it."""

    def __init__(self, folder):
        self._folder = folder

    def environment(self):
        """Variables for a program that imports torch."""
        variables = dict(os.environ)
        variables["PYTHONPATH"] = os.path.join(self._folder, "site")
        variables["PYTHONNOUSERSITE"] = "1"
        variables["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(
            self._folder, "inductor")
        empty = os.path.join(self._folder, "empty")
        if os.path.isdir(empty):
            variables["TORCH_USE_RTLD_GLOBAL"] = "1"
            variables["LD_LIBRARY_PATH"] = ":".join(
                [empty, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])
        return variables

    def works(self):
        result = subprocess.run(
            [sys.executable, "-c", _CHECK], env=self.environment(),
            stderr=subprocess.PIPE, text=True, check=False)
        if result.returncode:
            print(result.stderr, file=sys.stderr)
        return result.returncode == 0


def set_up(folder):
    """The PyTorch in `folder`; the first time it is fetched into it."""
    # What is compiled for one Python does not load in another.
    python = "cp%d%d" % sys.version_info[:2]
    place = os.path.join(folder, f"{VERSION}-{python}")
    if os.path.isdir(place):
        return PyTorch(place)
    os.makedirs(folder, exist_ok=True)
    for install, what in ((_install_small, "0.55 GB to fetch"),
                          (_install_whole, "some GB to fetch")):
        print(f"installing PyTorch {VERSION} in {place}: {what}",
              file=sys.stderr)
        made = tempfile.mkdtemp(prefix="new-", dir=folder)
        try:
            install(made)
            if PyTorch(made).works():
                # Whoever finds the folder finds all of it.
                os.rename(made, place)
                return PyTorch(place)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"that did not work: {error}", file=sys.stderr)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    sys.exit(f"PyTorch {VERSION} cannot be installed in {folder}; "
             "--folder names another one")
