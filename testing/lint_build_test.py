#!/usr/bin/env -S python3 -B
"""Tests lint_build.py, on graphs made up here."""

import unittest

from lint_build import Rule, check_rules, read_rules

_XML = """<?xml version="1.1" encoding="UTF-8" standalone="no"?>
<query version="2">
  <rule class="cc_library" location="data/BUILD:1:1" name="//data:vocab">
    <boolean name="testonly" value="true"/>
    <list name="deps">
      <label value="//base:log"/>
      <label value="@abseil//:status"/>
    </list>
  </rule>
  <rule class="cc_test" location="data/BUILD:2:1" name="//data:vocab_test"/>
</query>
"""


def library(label, *deps, testonly=False):
    return Rule(label, "cc_library", testonly, deps)


def check(*rules):
    """The findings about `rules`, to each of which a test is added."""
    tests = [Rule(rule.label + "_test", "cc_test", False, ())
             for rule in rules]
    return list(check_rules([*rules, *tests]))


class LintBuildTest(unittest.TestCase):

    def test_reads_what_bazel_prints(self):
        self.assertEqual(list(read_rules(_XML)), [
            Rule("//data:vocab", "cc_library", True,
                 ["//base:log", "@abseil//:status"]),
            Rule("//data:vocab_test", "cc_test", False, []),
        ])

    def test_a_library_needs_a_test_of_its_name(self):
        self.assertEqual(list(check_rules([library("//base:log")])),
                         ["//base:log: has no test //base:log_test"])
        self.assertEqual(check(library("//base:log")), [])

    def test_packages_depend_on_those_below_alone(self):
        self.assertEqual(check(library("//model:x", "//data:y", "//base:z",
                                       "//model/metrics:w")), [])
        found = check(library("//data:y", "//model/metrics:x"))
        self.assertEqual(
            found,
            ["//data:y: depends on //model/metrics:x, of a package above"])

    def test_libtorch_is_for_few(self):
        self.assertEqual(check(library("//model:x", "@libtorch//:libtorch")),
                         [])
        found = check(library("//data:x", "@libtorch//:libtorch"))
        self.assertEqual(len(found), 1)
        self.assertIn("//data:x: depends on @libtorch//:libtorch", found[0])

    def test_what_tests_share_is_testonly(self):
        self.assertEqual(check(library("//testing:x", testonly=True)), [])
        self.assertEqual(check(library("//testing:x")),
                         ["//testing:x: is not testonly"])


if __name__ == "__main__":
    unittest.main()
