#include "model/notebook/pickle_opcode.h"

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace charrnn {
namespace {

std::string Name(PickleOpcode opcode) {
  return PickleOpcodeName(static_cast<uint8_t>(opcode));
}

TEST(PickleOpcodeTest, HasTheNamesOfPickletools) {
  EXPECT_EQ(Name(PickleOpcode::kMark), "MARK");
  EXPECT_EQ(Name(PickleOpcode::kBinPersId), "BINPERSID");
  EXPECT_EQ(Name(PickleOpcode::kShortBinUnicode), "SHORT_BINUNICODE");
  EXPECT_EQ(Name(PickleOpcode::kFrame), "FRAME");
  EXPECT_EQ(PickleOpcodeName('i'), "INST");
  EXPECT_EQ(PickleOpcodeName(0x98), "READONLY_BUFFER");
}

TEST(PickleOpcodeTest, ShowsCodesThatAreNoneAsTheyAre) {
  EXPECT_EQ(PickleOpcodeName(0), "0x00");
  EXPECT_EQ(PickleOpcodeName(0xff), "0xff");
}

TEST(PickleOpcodeTest, KnowsEachOfThe68OpcodesOfProtocols0To5Once) {
  std::set<std::string> names;
  for (int code = 0; code < 256; ++code) {
    const std::string name = PickleOpcodeName(static_cast<uint8_t>(code));
    if (!absl::StartsWith(name, "0x")) names.insert(name);
  }
  EXPECT_EQ(names.size(), 68);
}

}  // namespace
}  // namespace charrnn
