"""The parts of the comparison that are measured in turns: training steps, their
memory, and sampling."""

import contextlib

from sides import say, start
from table import cell, number, of_turns, ratio, table
from worker import alternate
from work import EMBEDDING_DIM, SEQ_LEN, step_flops

OURS = "charrnn"

# int8 is for sampling, and the notebook knows of no such thing.
_THEIR_PRECISIONS = ("fp32", "bf16")


class Measured:
    """What the workers of one row, of all precisions, have answered."""

    def __init__(self, commands, rounds):
        """`commands`: by (side or setting, precision)."""
        workers, self.failures = start(commands)
        with contextlib.ExitStack() as stack:
            for worker in workers.values():
                stack.enter_context(worker)
            self.turns = alternate(workers, rounds) if workers else {}
            self.memory = {name: worker.peak_memory()
                           for name, worker in workers.items()}

    def cell(self, name, show):
        """What `show` makes of the turns of `name`."""
        if name in self.turns:
            return show(self.turns[name])
        return "n/a" if name in self.failures else ""

    def ratios(self, precision, settings):
        """How many times as fast ours is as eager fp32, as what is of the same
        precision as it comes, and as the best of that precision."""
        ours = self.turns.get((OURS, precision))
        same = precision if precision in _THEIR_PRECISIONS else "fp32"
        rivals = [(setting.name, same) for setting in settings
                  if (setting.name, same) in self.turns]
        best = min(rivals, default=None,
                   key=lambda name: of_turns(self.turns[name]).median)
        for rival in (("eager", "fp32"), ("eager", same), best):
            theirs = self.turns.get(rival)
            yield cell(ratio(theirs, ours)) if ours and theirs else ""


_RATIOS = ["× eager fp32", "× as it comes", "× its best"]


def _commands(sides, flags, our_program, our_flags, what, their_flags,
              precisions, threads):
    commands = {}
    for precision in precisions:
        commands[OURS, precision] = sides.ours(
            our_program, precision, *our_flags(), threads=threads)
        if precision in _THEIR_PRECISIONS:
            for setting in flags.settings:
                commands[setting.name, precision] = sides.notebook(
                    what, setting, precision, *their_flags, threads=threads)
    return commands


class Notes:
    """Why cells are empty, each reason once."""

    def __init__(self):
        self._labels = {}  # of rows, by who it is and why

    def add(self, label, measured):
        for name, why in measured.failures.items():
            self._labels.setdefault((" ".join(name), why), []).append(label)

    def lines(self, num_rows):
        for (name, why), labels in self._labels.items():
            where = "" if len(labels) == num_rows else f", {'; '.join(labels)}"
            yield f"- {name}{where}: {why}"


def _describe(shape):
    return (f"{shape.rnn_type} {shape.num_layers} × {shape.hidden_dim}, "
            f"batch {shape.batch_size}")


def _measure_training(sides, flags, shape):
    def our_flags():
        # Chunks at every character make the epoch so long that nothing but
        # steps is ever due.
        return (*common, f"--run_dir={sides.new_run()}", "--overlap_step=1",
                "--log_every=0", "--sample_every=0")

    common = [f"--data_path={flags.data_path}", f"--seq_len={SEQ_LEN}",
              f"--embedding_dim={EMBEDDING_DIM}", "--dropout=0.1",
              *(f"--{name}={value}" for name, value in shape._asdict().items())]
    precisions = [x for x in flags.precision if x in _THEIR_PRECISIONS]
    return Measured(
        _commands(sides, flags, "testing/pytorch_comparison/training_step",
                  our_flags, "train", common, precisions, None), flags.rounds)


def training(sides, flags, peak, vocab_size):
    """Yields the lines of the part."""
    settings = flags.settings
    times, memory, notes = [], [], Notes()
    for shape in flags.shapes:
        label = _describe(shape)
        say(f"training, {label}")
        measured = _measure_training(sides, flags, shape)
        notes.add(label, measured)
        flops = step_flops(shape, vocab_size)
        for precision in flags.precision:
            if precision not in _THEIR_PRECISIONS:
                continue
            names = [(OURS, precision),
                     *((setting.name, precision) for setting in settings)]

            def of_peak(turns, top=peak[precision]):
                rate = flops / (of_turns(turns).median / 1e3)
                return f"{rate / top:.0%}" if top else ""

            times.append([
                label, precision,
                *(measured.cell(name, lambda t: cell(of_turns(t)))
                  for name in names),
                *measured.ratios(precision, settings),
                measured.cell(names[0], of_peak)])
            memory.append([
                label, precision,
                *(number(measured.memory[name] / 1e6)
                  if measured.memory.get(name) else "" for name in names)])
            say("  " + "  ".join(filter(None, times[-1][1:])))
    sides_header = ["network", "precision", OURS,
                    *(f"PyTorch {setting.name}" for setting in settings)]
    yield "### Training step, ms"
    yield ""
    yield table([*sides_header, *_RATIOS, "of peak"], times)
    yield ""
    yield from notes.lines(len(flags.shapes))
    yield ""
    yield "### Peak memory of these processes, MB"
    yield ""
    yield table(sides_header, memory)


def sampling(sides, flags, checkpoints):
    """Yields the lines of the part. `checkpoints`: by kind of network, the run
    and the .pt file of a trained model."""
    rows, notes = [], Notes()
    for rnn_type, (run, exported) in checkpoints.items():
        for streams, length, threads in ((1, 200, 1), (256, 50, flags.threads)):
            label = (f"{rnn_type} 1 × 256, {streams} "
                     f"{'stream' if streams == 1 else 'streams'}, {threads} "
                     f"{'thread' if threads == 1 else 'threads'}")
            say(f"sampling, {label}")
            common = [f"--max_generate={length}", f"--streams={streams}"]
            measured = Measured(_commands(
                sides, flags, "testing/pytorch_comparison/sampling_step",
                lambda: (*common, f"--checkpoint={run}"), "sample",
                [*common, f"--checkpoint={exported}"], flags.precision,
                threads), flags.rounds)
            notes.add(label, measured)

            def rates(turns, characters=streams * length):
                return cell(of_turns([[characters / (ms / 1e3) for ms in turn]
                                      for turn in turns]))

            for precision in flags.precision:
                rows.append([
                    label, precision, measured.cell((OURS, precision), rates),
                    *(measured.cell((setting.name, precision), rates)
                      for setting in flags.settings),
                    *measured.ratios(precision, flags.settings)])
                say("  " + "  ".join(filter(None, rows[-1][1:])))
    yield "### Sampling, characters/s"
    yield ""
    yield table(["network", "precision", OURS,
                 *(f"PyTorch {setting.name}" for setting in flags.settings),
                 *_RATIOS], rows)
    yield ""
    yield from notes.lines(2 * len(checkpoints))
