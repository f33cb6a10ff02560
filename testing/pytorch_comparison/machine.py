"""What the comparison runs on."""

import os
import platform
import re
import resource
import subprocess
import time

_INSTRUCTION_SETS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def cpu_info(text):
    """(model name, instruction sets that matter) of /proc/cpuinfo."""
    def field(name):
        match = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
        return match.group(1).strip() if match else "unknown"

    flags = field("flags").split()
    return field("model name"), [x for x in _INSTRUCTION_SETS if x in flags]


def read_peak(text):
    """{"fp32": GFLOP/s, "bf16": ...} of what `peak` prints."""
    return {name: float(value) * 1e9
            for name, value in (line.split() for line in text.splitlines())}


def measure_peak(program, threads):
    """Operations a second by precision, of `threads` threads."""
    return read_peak(subprocess.run(
        [program, str(threads), "1000"], stdout=subprocess.PIPE, text=True,
        check=True).stdout)


def describe(threads, version, torch_version, peak):
    """Lines that tell on what, and with what, is measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model, sets = cpu_info(file.read())
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{x:.2f}" for x in os.getloadavg())
    peaks = ", ".join(f"{name} {value / 1e9:,.0f}" if value else f"{name} none"
                      for name, value in peak.items())
    yield f"- CPU: {model}, {cores} cores, {' '.join(sets) or 'no AVX2'}"
    yield f"- measured peak of {threads} threads, GFLOP/s: {peaks}"
    yield (f"- {version}; PyTorch {torch_version}, Python "
           f"{platform.python_version()}, Linux {platform.release()}")
    yield f"- threads on both sides: {threads}; load before: {load}"


def busy_seconds(text, ticks_per_second):
    """CPU time that is no idling, of all cores together, of /proc/stat."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, text.split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / ticks_per_second


class Others:
    """What other processes take of the machine, from now on. PyTorch's threads
    wait by spinning and lose much more by company than their share."""

    def __init__(self):
        self._began = self._now()

    @staticmethod
    def _now():
        """CPU seconds of all, and of this process and those it has ended."""
        with open("/proc/stat", encoding="utf-8") as file:
            busy = busy_seconds(file.read(), os.sysconf("SC_CLK_TCK"))
        usages = map(resource.getrusage,
                     (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return (busy, sum(x.ru_utime + x.ru_stime for x in usages),
                time.monotonic())

    def share(self):
        """Of the cores' time, 0 to 1."""
        busy, ours, elapsed = (now - then for now, then in
                               zip(self._now(), self._began))
        return max(0.0, busy - ours) / (elapsed * os.cpu_count())
