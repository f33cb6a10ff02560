#include "model/manifest.h"

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/crc32c.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A manifest of the given body with the checksum that it should have.
std::string Sealed(const std::string& body) {
  return absl::StrFormat("%s,\"crc32c\":\"%08x\"}\n", body, Crc32c(body));
}

TEST(ManifestTest, IsWrittenAsDocumented) {
  const std::string body =
      "{\"format\":\"charrnn.checkpoint.1\",\"files\":[\n"
      "{\"name\":\"a\",\"size\":9,\"crc32c\":\"e3069283\"},\n"
      "{\"name\":\"b\",\"size\":0,\"crc32c\":\"00000000\"}\n"
      "]";
  EXPECT_EQ(EncodeManifest({{"a", "123456789"}, {"b", ""}}), Sealed(body));
}

TEST(ManifestTest, KnowsItsFilesAgain) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Manifest manifest,
      Manifest::Decode(EncodeManifest({{"a", "text"}, {"b", ""}})));
  EXPECT_THAT(manifest.names(), ElementsAre("a", "b"));
  EXPECT_THAT(manifest.Check("a", "text"), IsOk());
  EXPECT_THAT(manifest.Check("b", ""), IsOk());
}

TEST(ManifestTest, AFileThatChangedIsNamed) {
  CHARRNN_ASSERT_OK_AND_ASSIGN(
      const Manifest manifest,
      Manifest::Decode(EncodeManifest({{"a", "text"}})));
  EXPECT_THAT(manifest.Check("a", "tex"),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("a: has 3 bytes where MANIFEST.json says 4")));
  EXPECT_THAT(manifest.Check("a", "tixt"),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("a: its bytes are not those")));
  EXPECT_THAT(manifest.Check("c", ""),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not list c")));
}

TEST(ManifestTest, EveryTruncationAndEveryFlippedByteIsDamage) {
  const std::string text = EncodeManifest({{"a", "text"}, {"b", "more"}});
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(Manifest::Decode(text.substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss));
  }
  for (size_t i = 0; i < text.size(); ++i) {
    for (int flip = 1; flip < 256; ++flip) {
      std::string flipped = text;
      flipped[i] = static_cast<char>(flipped[i] ^ flip);
      EXPECT_THAT(Manifest::Decode(flipped),
                  StatusIs(absl::StatusCode::kDataLoss))
          << i;
    }
  }
}

TEST(ManifestTest, ALaterVersionIsNoDamage) {
  EXPECT_THAT(Manifest::Decode(
                  Sealed("{\"format\":\"charrnn.checkpoint.2\",\"parts\":[]")),
              StatusIs(absl::StatusCode::kUnimplemented,
                       HasSubstr("'charrnn.checkpoint.2', this program reads "
                                 "'charrnn.checkpoint.1'")));
}

TEST(ManifestTest, WhatMakesNoSenseIsRefused) {
  const auto refused = [](const std::string& files, const std::string& told) {
    EXPECT_THAT(Manifest::Decode(Sealed(absl::StrCat(
                    "{\"format\":\"charrnn.checkpoint.1\"", files))),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr(told)))
        << files;
  };
  refused("", "lists no files");
  refused(",\"files\":{}", "lists no files");
  refused(",\"files\":[1]", "no name of its own");
  refused(",\"files\":[[[[]]]]", "nested");
  for (const char* name : {"", ".", "..", "../a", "a/b", "/a"}) {
    refused(absl::StrCat(",\"files\":[{\"name\":\"", name, "\",\"size\":1}]"),
            "no name of its own");
  }
  refused(
      ",\"files\":[{\"name\":\"a\",\"size\":1},{\"name\":\"a\",\"size\":1}]",
      "no name of its own");
  for (const char* size : {"-1", "1.5", "\"1\"", "1e30", "null"}) {
    refused(absl::StrCat(",\"files\":[{\"name\":\"a\",\"size\":", size, "}]"),
            "'a' has no size");
  }
}

}  // namespace
}  // namespace charrnn
