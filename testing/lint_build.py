"""The build's rules that Bazel itself does not know, checked over its graph."""

import collections
import os
import xml.etree.ElementTree as ElementTree

from compile_commands import TREE, bazel

# A package depends on itself and those before it; tests of all may use
# testing, which may use all.
_ORDER = ("base", "data", "model", "dist", "cmd")

# Only these may use LibTorch, which is slow to compile and to load.
_USES_LIBTORCH = ("model", "dist")

# Libraries without a test of their own, and why.
_WITHOUT_TEST = {
    "//cmd:dist_host": "testing/dist_*_test run it as a process",
    "//cmd:dist_worker": "testing/dist_*_test run it as a process",
    "//cmd:job_request": "testing/dist_*_test run it as a process",
    "//cmd:run_summary": "testing/training_end_to_end_test reads its lines",
    "//cmd:train_dist_main": "testing/dist_*_test run it as a process",
    "//dist/collective:thread_group": "collective_test is about those it starts",
    "//dist/coordinator:client": "server_test calls by it",
    "//dist/coordinator:coordinator_grpc": "generated",
    "//dist/coordinator:coordinator_proto": "generated",
    "//dist/coordinator:grpc_log": "testing/dist_bad_input_test counts lines",
    "//dist/coordinator:grpc_status": "server_test sees what comes through",
    "//dist/worker:worker": "testing/dist_*_test run it as a process",
    "//dist:probe": "an interface, without behaviour",
    "//model:train_observer": "an interface, without behaviour",
    "//testing:dist_job": "testing/soak_test and others are about its processes",
}

_PRIVATE = 'default_visibility = ["//visibility:private"]'

Rule = collections.namedtuple("Rule", "label kind testonly deps")


def package_of(label):
    """"model" of "//model:config"; "" of another repository's label."""
    if not label.startswith("//"):
        return ""
    return label[2:].split(":")[0].split("/")[0]


def read_rules(xml):
    """The rules in what `bazel query --output=xml` prints."""
    # Python's parser knows XML 1.0 only, and Bazel declares 1.1.
    for rule in ElementTree.fromstring(xml.partition("?>")[2]).iter("rule"):
        testonly = rule.find("boolean[@name='testonly']")
        yield Rule(
            label=rule.get("name"),
            kind=rule.get("class"),
            testonly=testonly is not None and testonly.get("value") == "true",
            deps=[x.get("value")
                  for x in rule.findall("list[@name='deps']/label")])


def check_rules(rules):
    """Yields a line for each rule that is not as it should be."""
    labels = {rule.label for rule in rules}
    for rule in rules:
        package = package_of(rule.label)
        if (rule.kind == "cc_library" and package in (*_ORDER, "testing") and
                rule.label + "_test" not in labels and
                rule.label not in _WITHOUT_TEST):
            yield f"{rule.label}: has no test {rule.label}_test"
        if package == "testing" and not rule.testonly:
            if rule.kind in ("cc_library", "cc_binary"):
                yield f"{rule.label}: is not testonly"
        for dep in rule.deps:
            below = package_of(dep)
            if (package in _ORDER and below in _ORDER and
                    _ORDER.index(below) > _ORDER.index(package)):
                yield f"{rule.label}: depends on {dep}, of a package above"
            if dep.startswith("@libtorch//") and package not in _USES_LIBTORCH:
                yield (f"{rule.label}: depends on {dep}, which is for "
                       f"{' and '.join(_USES_LIBTORCH)} alone")


def check_build():
    rules = list(read_rules(bazel(
        "query", "--output=xml", "--xml:default_values", "kind(rule, //...)")))
    yield from check_rules(rules)
    for package in sorted({rule.label[2:].split(":")[0] for rule in rules}):
        path = os.path.join(package, "BUILD")
        with open(os.path.join(TREE, path), encoding="utf-8") as file:
            if (package_of("//" + package) != "third_party" and
                    _PRIVATE not in file.read()):
                yield f"{path}: lacks {_PRIVATE}"
