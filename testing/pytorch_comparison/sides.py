"""How both sides of the comparison are started."""

import collections
import os
import sys

from worker import Worker, WorkerError

# A way to run PyTorch: as it comes, and its best settings that change no line
# of the notebook but one. `compiled` is `active`, too.
Setting = collections.namedtuple("Setting", "name flags variables")

SETTINGS = (
    Setting("eager", (), {}),
    Setting("active", (), {"OMP_WAIT_POLICY": "active"}),
    Setting("compiled", ("--compile",), {"OMP_WAIT_POLICY": "active"}),
)

_HERE = os.path.dirname(os.path.abspath(__file__))


class Sides:
    """Commands of both sides, for one text and number of threads."""

    def __init__(self, programs, pytorch, flags, folder):
        self._programs = programs
        self._environment = pytorch.environment()
        self._flags = flags
        self.folder = folder  # for what programs write
        self._runs = 0

    def program(self, name):
        return os.path.join(self._programs, name)

    def new_run(self):
        """A folder that does not exist yet."""
        self._runs += 1
        return os.path.join(self.folder, f"run-{self._runs}")

    def ours(self, program, precision, *flags, threads=None):
        """(command, environment) of a program of this tree."""
        # fp32 is what it does without being asked.
        chosen = [] if precision == "fp32" else [f"--precision={precision}"]
        return ([self.program(program),
                 f"--threads={threads or self._flags.threads}", *chosen, *flags,
                 *self._flags.our_flags], dict(os.environ))

    def notebook(self, what, setting, precision, *flags, threads=None):
        """(command, environment) of the notebook."""
        threads = threads or self._flags.threads
        variables = {**self._environment, **setting.variables,
                     "OMP_NUM_THREADS": str(threads)}
        autocast = ["--autocast"] if precision == "bf16" else []
        return ([sys.executable, os.path.join(_HERE, "notebook_step.py"), what,
                 f"--threads={threads}", *autocast, *setting.flags, *flags],
                variables)


def say(text):
    """Tells whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def start(commands):
    """Starts and warms up workers, one after the other.

    Returns them by name, and by name why there is none.
    """
    workers, failures = {}, {}
    for name, (command, environment) in commands.items():
        worker = None
        try:
            worker = Worker(command, environment)
            worker.warm_up()
            workers[name] = worker
        except WorkerError as error:
            failures[name] = str(error)
            say(f"  {' '.join(name)}: {error}")
            if worker:
                worker.close()
    return workers, failures
