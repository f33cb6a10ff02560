#!/bin/bash
# `bazel run //testing:lint` checks the whole tree; see lint.py for what is
# checked. Nested calls of bazel use the output base that this one came from.
set -euo pipefail
cd "$BUILD_WORKSPACE_DIRECTORY"
for tool in clang-format-19 clang-tidy-19 shellcheck; do
  if ! type -P "$tool" > /dev/null; then
    echo "lint: $tool is missing: use ./bazelw run //testing:lint, which" \
      "installs it" >&2
    exit 2
  fi
done
BAZEL_STARTUP_FLAGS=--output_base=${BASH_SOURCE[0]%%/execroot/*}
export BAZEL_STARTUP_FLAGS
exec python3 -B testing/lint.py
