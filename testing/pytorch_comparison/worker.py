"""Processes that compute in turns (turns.h tells what is said)."""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import tempfile
import time

# A turn that takes longer is none: even the largest step takes seconds, and
# torch.compile a minute.
_PATIENCE_S = 900

# So many milliseconds a turn takes at least, in whole steps.
_TURN_MS = 700
_MOST_STEPS = 200


_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


def _end_with_parent():
    """One that stands still would not notice that its driver was killed."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class WorkerError(Exception):
    """A worker has ended, or says nothing; its last line tells why."""


def peak_memory(pid):
    """The most that process `pid` has had resident, in bytes; None: unknown."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def reason(text):
    """Why a program that has said `text` has ended, in a few words."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "ended without a word"


class Worker:
    """A process that stands still, by SIGSTOP, unless it is its turn: one whose
    threads spin while they wait (OMP_WAIT_POLICY=active) would otherwise take
    the other side's cores."""

    def __init__(self, command, environment=None):
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._stderr, text=True,
            start_new_session=True, preexec_fn=_end_with_parent)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self.steps = 1  # of a turn
        try:
            self._expect("ready")
        except WorkerError:
            self.close()
            raise
        self._signal(signal.SIGSTOP)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _signal(self, number):
        # The group, with what torch.compile has started to compile by. The
        # process is its leader, so that it is there until it is waited for.
        if self._process.returncode is None:
            os.killpg(self._process.pid, number)

    def _read_line(self):
        # Each answer is one line in one write, so that what is readable is
        # whole and nothing is left behind in the buffer.
        if not self._selector.select(_PATIENCE_S):
            raise WorkerError(f"no answer within {_PATIENCE_S} s")
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._stderr.seek(0)
            raise WorkerError(reason(self._stderr.read()))
        return line.strip()

    def _expect(self, word):
        line = self._read_line()
        if line != word:
            raise WorkerError(f"said {line!r} instead of {word!r}")

    def turn(self, steps):
        """The milliseconds of `steps` steps."""
        self._signal(signal.SIGCONT)
        try:
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
            times = [float(word) for word in self._read_line().split()]
        except BrokenPipeError:
            self._read_line()  # tells why
            raise
        self._signal(signal.SIGSTOP)
        if len(times) != steps:
            raise WorkerError(f"{len(times)} times for {steps} steps")
        return times

    def warm_up(self):
        """Does what only first steps do, and chooses the length of turns."""
        self.turn(2)
        step_ms = self.turn(1)[0]
        self.steps = max(2, min(_MOST_STEPS, round(_TURN_MS / step_ms)))

    def measure(self):
        """The milliseconds of a turn's steps, but for the first: the caches are
        still the other side's then."""
        return self.turn(self.steps + 1)[1:]

    def peak_memory(self):
        return peak_memory(self._process.pid)

    def close(self):
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        with contextlib.suppress(BrokenPipeError):  # a turn nobody has read
            self._process.stdin.close()
        self._process.stdout.close()
        self._stderr.close()


def alternate(workers, rounds):
    """Each worker's measured turns, by its name: `rounds` lists of times.

    In each round each worker has a turn, and each round another one begins, so
    that what changes on the machine with time meets all alike.
    """
    names = list(workers)
    turns = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            turns[name].append(workers[name].measure())
    return turns


class Watch:
    """A process whose output is read as it comes, with the time at which it
    came; ended with the object. `quiet`: without what it says on stderr."""

    def __init__(self, command, environment, quiet=False):
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else subprocess.STDOUT,
            preexec_fn=_end_with_parent)
        self.peak_memory = None  # bytes, as of the last line that was read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def lines(self):
        """Yields (seconds since the start, line)."""
        for line in self._process.stdout:
            seconds = time.monotonic() - self._began
            self.peak_memory = (peak_memory(self._process.pid) or
                                self.peak_memory)
            yield seconds, line.decode("utf-8", "replace").strip()

    def ended_well(self):
        """Waits for its end if it has closed its output: whether it was one
        without an error. False for a process that still writes."""
        try:
            return self._process.wait(timeout=10) == 0
        except subprocess.TimeoutExpired:
            return False

    def first_output(self):
        """Seconds from the start to the first output; None: there is none."""
        output = os.read(self._process.stdout.fileno(), 1)
        return time.monotonic() - self._began if output else None
