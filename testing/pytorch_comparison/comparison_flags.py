"""What a user asks the comparison for."""

import argparse
import os
import shlex

from environment import default_folder
from sides import SETTINGS
from work import shapes

PARTS = ("training", "sampling", "startup", "validation")

# The values of each flag by default, and with --quick: the notebook's network.
_LISTS = {
    "part": (PARTS, PARTS),
    "rnn_type": (("GRU", "LSTM"), ("GRU", "LSTM")),
    "num_layers": ((1, 2), (1,)),
    "hidden_dim": ((128, 256, 512), (256,)),
    "batch_size": ((32, 128), (128,)),
    "precision": (("fp32", "bf16", "int8"), ("fp32", "bf16", "int8")),
    "setting": (tuple(x.name for x in SETTINGS),) * 2,
}
_NUMBERS = ("num_layers", "hidden_dim", "batch_size")
_ROUNDS, _QUICK_ROUNDS = 7, 3


def _user_path(path):
    """`path` as the user meant it: `bazel run` starts programs elsewhere."""
    return os.path.join(os.environ.get("BUILD_WORKING_DIRECTORY", ""), path)


def _default_text():
    shared = os.environ.get("CHARRNN_SHARED_DATA")
    return shared and os.path.join(shared, "tinyshakespeare.txt")


def _parser():
    parser = argparse.ArgumentParser(
        prog="pytorch_comparison",
        description="Runs the PyTorch notebook and charrnn in alternation, and "
        "prints tables of their times.")
    parser.add_argument("--quick", action="store_true",
                        help="the notebook's sizes only, and fewer rounds")
    parser.add_argument("--rounds", type=int,
                        help="turns of each side; default: "
                        f"{_ROUNDS}, with --quick {_QUICK_ROUNDS}")
    parser.add_argument("--threads", type=int,
                        default=len(os.sched_getaffinity(0)),
                        help="of both sides; default: all cores")
    parser.add_argument("--data_path", default=_default_text(),
                        help="the text; default: tinyshakespeare.txt in "
                        "CHARRNN_SHARED_DATA")
    parser.add_argument("--folder", default=default_folder(),
                        help="where PyTorch is installed; default: %(default)s")
    parser.add_argument("--target_loss", type=float,
                        help="nats per character up to which time is taken; "
                        "default: what the notebook reaches in 5 epochs")
    parser.add_argument("--our_flags", type=shlex.split, default=[],
                        help="further flags of our programs, as in "
                        "--our_flags='--isa=avx2'")
    for name, (values, _) in _LISTS.items():
        parser.add_argument(f"--{name}", help="some of " + ",".join(
            map(str, values)) if name not in _NUMBERS else
                            "instead of " + ",".join(map(str, values)))
    return parser


def _read_list(parser, name, text, default):
    if text is None:
        return list(default)
    values = text.split(",")
    if name in _NUMBERS:
        if not all(value.isdecimal() and int(value) for value in values):
            parser.error(f"--{name}={text}: numbers from 1, with commas")
        return [int(value) for value in values]
    for value in values:
        if value not in _LISTS[name][0]:
            parser.error(f"--{name}={text}: {value!r} is none of "
                         f"{','.join(_LISTS[name][0])}")
    return values


def parse(arguments):
    """The flags, with `shapes`, the networks to train, and `settings`."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if not flags.data_path:
        parser.error("--data_path: name a text: CHARRNN_SHARED_DATA is not set")
    flags.data_path = _user_path(flags.data_path)
    if not os.path.isfile(flags.data_path):
        parser.error(f"--data_path={flags.data_path}: there is no such text")
    flags.folder = os.path.abspath(_user_path(flags.folder))
    if flags.rounds is None:
        flags.rounds = _QUICK_ROUNDS if flags.quick else _ROUNDS
    if flags.rounds < 1 or flags.threads < 1:
        parser.error("--rounds and --threads are 1 at least")
    for name, defaults in _LISTS.items():
        setattr(flags, name, _read_list(parser, name, getattr(flags, name),
                                        defaults[flags.quick]))
    flags.shapes = shapes(flags.rnn_type, flags.num_layers, flags.hidden_dim,
                          flags.batch_size)
    flags.settings = [x for x in SETTINGS if x.name in flags.setting]
    return flags
