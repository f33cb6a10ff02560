#!/usr/bin/env -S python3 -B
"""PyTorch's and our times, side by side; README.md tells how to read them.

    ./bazelw run //testing/pytorch_comparison
"""

import os
import signal
import subprocess
import sys
import tempfile

import comparison_flags
import environment
import machine
import process_part
import turns_part
from sides import Sides, say
from worker import WorkerError, reason

# Enough for a model to have left its random beginning, of which it depends how
# much of a distribution top-p leaves.
_TRAINED_STEPS = 64


def run_quietly(command, variables):
    result = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False)
    if result.returncode:
        raise WorkerError(f"{command[0]}: {reason(result.stdout)}")
    return result.stdout


def train_models(sides, flags):
    """By kind of network, the run and the .pt file of a trained model."""
    models = {}
    for rnn_type in flags.rnn_type:
        say(f"training a {rnn_type} to sample from")
        run = sides.new_run()
        run_quietly(*sides.ours(
            "cmd/train", "fp32", f"--data_path={flags.data_path}",
            f"--rnn_type={rnn_type}", f"--max_steps={_TRAINED_STEPS}",
            "--sample_every=0", f"--run_dir={run}", f"--save_path={run}.pt"))
        models[rnn_type] = run, f"{run}.pt"
    return models


def count_symbols(path):
    with open(path, encoding="utf-8", newline="") as file:
        return len(set(file.read()))


def parts(sides, flags, peak):
    """The lines of each part that is asked for."""
    if "training" in flags.part:
        yield turns_part.training(sides, flags, peak,
                                  count_symbols(flags.data_path))
    if "sampling" in flags.part or "startup" in flags.part:
        models = train_models(sides, flags)
        if "sampling" in flags.part:
            yield turns_part.sampling(sides, flags, models)
        if "startup" in flags.part:
            yield process_part.startup(sides, flags, *next(iter(
                models.values())))
    if "validation" in flags.part:
        yield process_part.validation(sides, flags)


def main():
    flags = comparison_flags.parse(sys.argv[1:])
    # Told to end, it still ends its processes and removes its folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    programs = os.getcwd()  # where `bazel run` starts
    if not os.path.exists(os.path.join(programs, "cmd/train")):
        sys.exit("start me by ./bazelw run //testing/pytorch_comparison")
    pytorch = environment.set_up(flags.folder)
    with tempfile.TemporaryDirectory(prefix="charrnn-comparison-") as folder:
        sides = Sides(programs, pytorch, flags, folder)
        peak = machine.measure_peak(
            sides.program("testing/pytorch_comparison/peak"), flags.threads)
        version = run_quietly([sides.program("cmd/train"), "--version"], None)
        for line in machine.describe(flags.threads, version.strip(),
                                     environment.VERSION, peak):
            print(line)
        try:
            for lines in parts(sides, flags, peak):
                others = machine.Others()
                print()
                for line in lines:
                    print(line, flush=True)
                print(f"\n- other processes took {others.share():.1%} of the "
                      "cores meanwhile", flush=True)
        except WorkerError as error:
            sys.exit(f"pytorch_comparison: {error}")


if __name__ == "__main__":
    main()
