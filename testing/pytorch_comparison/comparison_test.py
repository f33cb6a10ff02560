#!/usr/bin/env -S python3 -B
"""Tests what the comparison reads, counts and prints, without PyTorch."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

import comparison_flags
import machine
from process_part import Validation, read_validation
from sides import SETTINGS
from table import Spread, cell, of_turns, ratio, table
from turns_part import Measured, Notes
from work import NOTEBOOK, Shape, step_flops
from worker import Watch, Worker, WorkerError, alternate, peak_memory

# A worker whose steps take as many milliseconds as it is told.
_FAKE_WORKER = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    print(" ".join([sys.argv[1]] * int(line)), flush=True)
"""


def fake_worker(milliseconds):
    return Worker([sys.executable, "-c", _FAKE_WORKER, str(milliseconds)])


def program(code):
    return [sys.executable, "-u", "-c", code]


class TableTest(unittest.TestCase):

    def test_a_spread_is_the_quartiles_of_all_steps(self):
        self.assertEqual(of_turns([[1, 5], [2, 4, 3]]), Spread(2, 3, 4))
        self.assertEqual(of_turns([[7]]), Spread(7, 7, 7))

    def test_a_ratio_is_taken_round_by_round(self):
        # A machine that gets slower for both changes no ratio.
        self.assertEqual(ratio([[2, 2], [40, 40]], [[1, 1], [20, 20]]),
                         Spread(2, 2, 2))
        self.assertEqual(ratio([[2], [9], [4]], [[1], [3], [1]]),
                         Spread(2, 3, 4))

    def test_numbers_have_three_digits(self):
        self.assertEqual(cell(Spread(0.123, 1.234, 12.34)),
                         "1.23 (0.12..12.3)")
        self.assertEqual(cell(Spread(123456, 123456, 123456)), "123,456")

    def test_columns_are_as_wide_as_they_must_be(self):
        self.assertEqual(table(["a", "b"], [["long", "1"], ["x", "1,234"]]),
                         "| a    |     b |\n"
                         "| ---- | ----: |\n"
                         "| long |     1 |\n"
                         "| x    | 1,234 |")


class WorkTest(unittest.TestCase):

    def test_the_notebooks_step_is_21_gflop(self):
        recurrent = 6 * 128 * 128 * 3 * 256 * 256
        logits = 6 * 128 * 128 * 256 * 65
        embedding = 6 * 65 * 256 * 3 * 256
        self.assertEqual(step_flops(NOTEBOOK, 65),
                         recurrent + logits + embedding)
        self.assertAlmostEqual(step_flops(NOTEBOOK, 65) / 1e9, 21, delta=0.1)

    def test_another_layer_has_two_products(self):
        one, two, three = (
            step_flops(Shape("LSTM", layers, 512, 32), 65)
            for layers in (1, 2, 3))
        self.assertEqual(three - two, two - one)
        self.assertEqual(two - one, 2 * 6 * 32 * 128 * 4 * 512 * 512)


class MachineTest(unittest.TestCase):

    def test_reads_the_cpu_and_its_instruction_sets(self):
        self.assertEqual(
            machine.cpu_info("processor\t: 0\nmodel name\t: A CPU @ 3 GHz\n"
                             "flags\t\t: fpu avx2 avx512f avx512_bf16 x\n"),
            ("A CPU @ 3 GHz", ["avx2", "avx512f", "avx512_bf16"]))
        self.assertEqual(machine.cpu_info(""), ("unknown", []))

    def test_reads_the_peak(self):
        self.assertEqual(machine.read_peak("fp32 230.5\nbf16 0.0\n"),
                         {"fp32": 230.5e9, "bf16": 0})


    def test_reads_the_time_that_is_no_idling(self):
        self.assertEqual(
            machine.busy_seconds("cpu  100 20 30 5000 400 5 6 39 0 0\n"
                                 "cpu0 50 10 15 2500 200 2 3 20 0 0\n", 100),
            2)

    def test_others_take_a_share(self):
        self.assertGreaterEqual(machine.Others().share(), 0)


class FlagsTest(unittest.TestCase):

    def parse(self, *arguments):
        return comparison_flags.parse([f"--data_path={__file__}", *arguments])

    def error(self, *arguments):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit):
            self.parse(*arguments)
        return said.getvalue()

    def test_all_networks_by_default_and_the_notebooks_for_the_quick(self):
        self.assertEqual(len(self.parse().shapes), 2 * 2 * 3 * 2)
        self.assertEqual(self.parse("--quick").shapes,
                         [NOTEBOOK, NOTEBOOK._replace(rnn_type="LSTM")])

    def test_lists_leave_out_the_rest(self):
        flags = self.parse("--quick", "--rnn_type=GRU", "--hidden_dim=64,512",
                           "--setting=active", "--part=sampling,startup")
        self.assertEqual(flags.shapes,
                         [Shape("GRU", 1, 64, 128), Shape("GRU", 1, 512, 128)])
        self.assertEqual([x.name for x in flags.settings], ["active"])
        self.assertEqual(flags.part, ["sampling", "startup"])

    def test_mistakes_are_named(self):
        self.assertIn("'RNN' is none of GRU,LSTM", self.error("--rnn_type=RNN"))
        self.assertIn("--hidden_dim=0", self.error("--hidden_dim=0"))
        self.assertIn("there is no such text", self.error("--data_path=none"))

    def test_paths_are_the_users(self):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["BUILD_WORKING_DIRECTORY"] = folder
            self.addCleanup(os.environ.pop, "BUILD_WORKING_DIRECTORY")
            self.assertEqual(self.parse("--folder=torch").folder,
                             os.path.join(folder, "torch"))


class WorkerTest(unittest.TestCase):

    def test_each_has_a_turn_in_each_round(self):
        with fake_worker(100) as slow, fake_worker(10) as fast:
            for worker in (slow, fast):
                worker.warm_up()
            turns = alternate({"slow": slow, "fast": fast}, rounds=3)
            self.assertGreater(slow.peak_memory(), 1_000_000)
        self.assertEqual(turns["slow"], [[100] * 7] * 3)
        self.assertEqual(turns["fast"], [[10] * 70] * 3)

    def test_why_one_has_ended_is_its_last_line(self):
        with self.assertRaisesRegex(WorkerError, "^no such thing$"):
            Worker(program("import sys; sys.exit('first\\nno such thing\\n')"))
        with Worker(program("print('ready'); input(); 1 / 0")) as worker:
            with self.assertRaisesRegex(WorkerError, "^ZeroDivisionError"):
                worker.turn(1)

    def test_what_is_no_answer_is_an_error(self):
        with self.assertRaisesRegex(WorkerError, "'hello' instead of 'ready'"):
            Worker(program("print('hello'); input()"))
        with Worker(program("print('ready'); input(); print(5)")) as worker:
            with self.assertRaisesRegex(WorkerError, "1 times for 2 steps"):
                worker.turn(2)

    def test_a_program_is_watched_while_it_runs(self):
        with Watch(program("import signal; print('a'); signal.pause()"),
                   dict(os.environ)) as watch:
            seconds, line = next(watch.lines())
        self.assertEqual(line, "a")
        self.assertGreater(seconds, 0)
        self.assertGreater(watch.peak_memory, 0)

    def test_first_output_is_that_on_stdout(self):
        for code, there in (("print('a'); input()", True),
                            ("import sys; sys.stderr.write('a')", False)):
            with Watch(program(code), dict(os.environ), quiet=True) as watch:
                self.assertEqual(watch.first_output() is not None, there)

    def test_a_process_that_is_gone_has_no_memory(self):
        self.assertGreater(peak_memory(os.getpid()), 0)
        self.assertIsNone(peak_memory(2 ** 30))


class MeasuredTest(unittest.TestCase):

    def commands(self):
        fake = lambda milliseconds: (
            [sys.executable, "-c", _FAKE_WORKER, str(milliseconds)],
            dict(os.environ))
        return {("charrnn", "fp32"): fake(100),
                ("charrnn", "bf16"): (program("raise SystemExit('no bf16')"),
                                      dict(os.environ)),
                ("eager", "fp32"): fake(300), ("active", "fp32"): fake(200)}

    def measure(self):
        with contextlib.redirect_stderr(io.StringIO()):
            return Measured(self.commands(), rounds=2)

    def test_ratios_are_to_pytorch_as_it_comes_and_at_its_best(self):
        measured = self.measure()
        self.assertEqual(list(measured.ratios("fp32", SETTINGS)),
                         ["3.00", "3.00", "2.00"])
        self.assertEqual(list(measured.ratios("bf16", SETTINGS)), [""] * 3)

    def test_what_does_not_run_is_not_available_for_a_reason(self):
        measured = self.measure()
        show = lambda turns: cell(of_turns(turns))
        self.assertEqual(measured.cell(("charrnn", "fp32"), show), "100")
        self.assertEqual(measured.cell(("charrnn", "bf16"), show), "n/a")
        self.assertEqual(measured.cell(("eager", "bf16"), show), "")
        notes = Notes()
        notes.add("a row", measured)
        self.assertEqual(list(notes.lines(1)), ["- charrnn bf16: no bf16"])
        self.assertEqual(list(notes.lines(2)),
                         ["- charrnn bf16, a row: no bf16"])


class ValidationTest(unittest.TestCase):

    def test_both_sides_lines_are_read(self):
        for line in ("epoch 2 validation  loss 1.837  2.650 bpc  best so far",
                     "epoch 2 validation  loss 1.8370"):
            self.assertEqual(read_validation(3.5, line),
                             Validation(3.5, 2, 1.837))
        self.assertIsNone(read_validation(1, "epoch 2/5  step 112/320  loss 1"))


if __name__ == "__main__":
    unittest.main()
