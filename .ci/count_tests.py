#!/usr/bin/env python3
"""Counts the test targets of a `bazel test --build_event_json_file=FILE`.

Prints "PASSED FAILED SKIPPED". A test that did not build or did not run has
failed; a flaky one that passed in the end has passed; one that was built but
left out by its tags, or that does not suit the platform, is skipped. A file
that is cut short or missing counts as far as it goes: Bazel's exit code tells
the rest.
"""

import json
import sys


def read_events(path):
    try:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, ValueError):
        return


def outcome_of_build(event):
    """What a test has come to when its program is built, before it runs."""
    if event.get("aborted", {}).get("reason") == "SKIPPED":
        return "skipped"
    runs = any("testSummary" in child for child in event.get("children", []))
    if event.get("completed", {}).get("success") and not runs:
        return "skipped"
    return "failed"


def count(events):
    outcomes = {}  # label -> "passed", "failed" or "skipped"
    for event in events:
        for kind, identity in event["id"].items():
            label = identity.get("label")
            if kind == "targetConfigured":
                if event.get("configured", {}).get("testSize"):
                    outcomes[label] = "failed"
            elif kind == "targetCompleted" and label in outcomes:
                outcomes[label] = outcome_of_build(event)
            elif kind == "testSummary":
                status = event["testSummary"]["overallStatus"]
                passed = status in ("PASSED", "FLAKY")
                outcomes[label] = "passed" if passed else "failed"
    return [
        list(outcomes.values()).count(outcome)
        for outcome in ("passed", "failed", "skipped")
    ]


if __name__ == "__main__":
    print(*count(read_events(sys.argv[1])))
