// A fuzz target that tells what it is tried on, a line for each input: its
// bytes in hexadecimal or, if it is long, its length. It fails on "no!".
// fuzz_replay_test.cc runs it.

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (size < 100) {
    std::cout << absl::BytesToHexString(input) << "\n";
  } else {
    std::cout << size << " bytes\n";
  }
  if (input == "no!") std::abort();
  return 0;
}
