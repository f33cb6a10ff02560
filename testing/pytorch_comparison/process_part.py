"""The parts of the comparison that are measured from a process's start: to its
first step, its first character, and the notebook's validation loss."""

import collections
import re
import statistics

from sides import SETTINGS, say
from table import Spread, cell, number, ratio, table
from worker import Watch, WorkerError

# Ours goes on for so many epochs if it takes them to reach the loss.
_MOST_EPOCHS = 20

_VALIDATION = re.compile(r"epoch\s+(\d+)\s+validation\s+loss\s+([\d.]+)")
_FIRST_STEP = re.compile(r"\bstep 1\b")

Validation = collections.namedtuple("Validation", "seconds epoch loss")


def read_validation(seconds, line):
    """The validation that a line of a program's output tells of, or None."""
    match = _VALIDATION.search(line)
    return match and Validation(seconds, int(match[1]), float(match[2]))


def _until_first_step(command):
    said = "nothing"
    with Watch(*command) as watch:
        for seconds, line in watch.lines():
            if _FIRST_STEP.search(line):
                return seconds
            said = line or said
    raise WorkerError(f"no first step; it said: {said}")


def _until_first_character(command):
    with Watch(*command, quiet=True) as watch:
        seconds = watch.first_output()
    if seconds is None:
        raise WorkerError("no first character")
    return seconds


def _extremes(turns):
    values = [value for turn in turns for value in turn]
    return Spread(min(values), statistics.median(values), max(values))


def startup(sides, flags, run, exported):
    """Yields the lines of the part."""
    text = f"--data_path={flags.data_path}"
    eager = SETTINGS[0]

    def train():
        return sides.ours("cmd/train", "fp32", text, "--max_steps=1",
                          "--log_every=1", "--sample_every=0",
                          f"--run_dir={sides.new_run()}")

    kinds = (
        ("first training step done", _until_first_step, train,
         lambda: sides.notebook("epochs", eager, "fp32", text)),
        ("first sampled character", _until_first_character,
         lambda: sides.ours("cmd/sample", "fp32", f"--checkpoint={run}"),
         lambda: sides.notebook("sample", eager, "fp32", "--emit",
                                f"--checkpoint={exported}")),
    )
    rows = []
    for label, measure, ours, theirs in kinds:
        say(f"start to {label}")
        our_times, their_times = [], []
        for number_of_round in range(flags.rounds + 1):
            pair = measure(ours()), measure(theirs())
            if number_of_round:  # not in the first, when files come from disk
                our_times.append(pair[:1])
                their_times.append(pair[1:])
        rows.append([label, cell(_extremes(our_times)),
                     cell(_extremes(their_times)),
                     cell(ratio(their_times, our_times))])
    yield "### From a process's start, s"
    yield ""
    yield table(["until", "charrnn", "PyTorch eager", "×"], rows)


class _Runs:
    """Runs of one kind until a loss is reached."""

    def __init__(self):
        self.seconds = []  # of those that reached it
        self.last = None   # a run's last validation
        self.memory = None
        self.said = "nothing"

    def add(self, command, target):
        """Runs `command` to the first validation of `target`, nats, or to its
        end; with None to its end, which counts as reached if it is a good
        one."""
        self.last = None
        with Watch(*command) as watch:
            for seconds, line in watch.lines():
                self.said = line or self.said
                self.last = read_validation(seconds, line) or self.last
                if self._reached(target):
                    break
            self.memory = watch.peak_memory
            complete = target is None and watch.ended_well()
        if self.last and (complete or self._reached(target)):
            self.seconds.append(self.last.seconds)

    def _reached(self, target):
        return target is not None and self.last and self.last.loss <= target

    def cells(self):
        if self.last is None:
            return ["n/a", "", "", ""]
        memory = number(self.memory / 1e6) if self.memory else ""
        return [cell(_extremes([self.seconds])) if self.seconds
                else "not reached",
                str(self.last.epoch), f"{self.last.loss:.3f}", memory]


def validation(sides, flags):
    """Yields the lines of the part: the notebook's 5 epochs, and ours until its
    validation loss is what the notebook's was in the end."""
    text = f"--data_path={flags.data_path}"

    def train(precision, *more):
        return lambda: sides.ours("cmd/train", precision, text, *more,
                                  f"--run_dir={sides.new_run()}")

    theirs, ours = {}, {}
    for setting in flags.settings:
        for precision in ("fp32", "bf16"):
            if precision in flags.precision and (
                    not flags.quick or (setting.name, precision) ==
                    ("eager", "fp32")):
                theirs[f"PyTorch {setting.name}, {precision}"] = (
                    lambda s=setting, p=precision:
                    sides.notebook("epochs", s, p, text))
    for precision in ("fp32", "bf16"):
        if precision in flags.precision:
            ours[f"charrnn, {precision}"] = train(
                precision, f"--num_epochs={_MOST_EPOCHS}")
            ours[f"charrnn --preset=quick, {precision}"] = train(
                precision, "--preset=quick")
    runs = {name: _Runs() for name in [*theirs, *ours]}
    target = flags.target_loss
    for number_of_round in range(1 if flags.quick else min(flags.rounds, 3)):
        for name, command in [*theirs.items(), *ours.items()]:
            say(f"time to the validation loss, {name}, round "
                f"{number_of_round + 1}")
            runs[name].add(command(), None if name in theirs else target)
            say(f"  {'  '.join(runs[name].cells())}")
            if target is None and runs[name].last:
                target = round(runs[name].last.loss, 3)
    first = next(iter(theirs), None)
    rows = []
    for name, run in runs.items():
        times = [[[x] for x in side.seconds]
                 for side in (runs.get(first, _Runs()), run)]
        rows.append([name, *run.cells(),
                     cell(ratio(*times)) if all(times) else ""])
    yield "### From the start to the notebook's validation loss"
    yield ""
    yield table(["run", "s", "epoch", "loss", "peak memory, MB",
                 "× the first"], rows)
    yield ""
    if target is not None:
        yield (f"- ours ends at {target:.3f} nats per character over all "
               "validation chunks, the notebook after its 5 epochs")
    for name, run in runs.items():
        if run.last is None:
            yield f"- {name}: {run.said}"
