#include "dist/hostfile.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::StartsWith;

auto IsHost(absl::string_view host, int slots) {
  return testing::AllOf(Field(&HostfileEntry::host, std::string(host)),
                        Field(&HostfileEntry::slots, slots));
}

TEST(HostfileTest, ReadsEachWayToWriteAHost) {
  EXPECT_THAT(ParseHostfile("hosts",
                            "gpu01\n"
                            "gpu02:4\n"
                            "gpu03 slots=8\n"
                            "10.0.0.1:1\n"
                            "[2001:db8::7]\n"
                            "[::1]:2\n"
                            "[::2]  slots=4096\n"),
              IsOkAndHolds(ElementsAre(
                  IsHost("gpu01", 0), IsHost("gpu02", 4), IsHost("gpu03", 8),
                  IsHost("10.0.0.1", 1), IsHost("2001:db8::7", 0),
                  IsHost("::1", 2), IsHost("::2", 4096))));
}

TEST(HostfileTest, PassesOverCommentsBlanksAndLineEndsOfOtherSystems) {
  EXPECT_THAT(ParseHostfile("hosts",
                            "# the cluster\r\n"
                            "\r\n"
                            " \t gpu01 \t # the first\r\n"
                            "gpu02:2#the second\r\n"
                            "#gpu03\n"
                            "\n"
                            "gpu04 slots=3\t#"),
              IsOkAndHolds(ElementsAre(IsHost("gpu01", 0), IsHost("gpu02", 2),
                                       IsHost("gpu04", 3))));
}

TEST(HostfileTest, AnErrorNamesFileAndLine) {
  EXPECT_THAT(ParseHostfile("conf/hosts", "gpu01\n# a comment\ngpu02:0\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "conf/hosts:3: slots '0' are not a number from 1 to "
                       "4096"));
}

TEST(HostfileTest, RefusesBadSlots) {
  for (const absl::string_view slots :
       {"0", "-1", "+1", "x", "4x", "", "1.5", "0x4", "4097", "2147483648",
        "99999999999999999999"}) {
    EXPECT_THAT(ParseHostfile("hosts", absl::StrCat("gpu01:", slots)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("slots '", slots, "'"))));
    EXPECT_THAT(ParseHostfile("hosts", absl::StrCat("gpu01 slots=", slots)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("slots '", slots, "'"))));
  }
}

TEST(HostfileTest, RefusesWhatItDoesNotKnow) {
  for (const auto& [line, message] :
       {std::pair{"gpu01 4", "unknown word '4'"},
        std::pair{"gpu01 max_slots=4", "unknown word 'max_slots=4'"},
        std::pair{"gpu01 slots = 4", "unknown word 'slots'"},
        std::pair{"gpu01 gpu02", "unknown word 'gpu02'"},
        std::pair{"gpu01:4 slots=4", "slots of host gpu01 are told twice"},
        std::pair{"gpu01 slots=4 slots=4", "told twice"},
        std::pair{"::1", "write an IPv6 address in brackets"},
        std::pair{"fe80::1:4", "write an IPv6 address in brackets"},
        std::pair{"a:4:4", "several colons"},
        std::pair{":4", "empty host name"},
        std::pair{"[::1", "not an IPv6 address in brackets"},
        std::pair{"[]", "not an IPv6 address in brackets"},
        std::pair{"[gpu01]", "not an IPv6 address in brackets"},
        std::pair{"[::g]", "host name '::g'"},
        std::pair{"[::1]4", "'[::1]4' has '4' behind the address"}}) {
    EXPECT_THAT(
        ParseHostfile("hosts", line),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 testing::AllOf(StartsWith("hosts:1: "), HasSubstr(message))))
        << line;
  }
}

TEST(HostfileTest, RefusesNamesThatAShellOrSshWouldTakeForSomethingElse) {
  for (const absl::string_view host :
       {"-oProxyCommand=evil", "-h", "user@gpu01", "a;b", "$(b)", "`b`", "a|b",
        "a&b", "../a", "a*", "'a'", "a\x1b[2J", "a\x7f"}) {
    EXPECT_THAT(ParseHostfile("hosts", absl::StrCat("gpu01\n", host)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("hosts:2: host name '")))
        << host;
  }
  EXPECT_THAT(ParseHostfile("hosts", absl::string_view("a\0b", 3)),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(HostfileTest, RefusesAHostThatIsThereTwice) {
  for (const absl::string_view text :
       {"gpu01\n\ngpu01\n", "gpu01:1\n\ngpu01:2\n", "gpu01\n\nGPU01\n"}) {
    EXPECT_THAT(ParseHostfile("hosts", text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         testing::AllOf(StartsWith("hosts:3: host "),
                                        HasSubstr("is in line 1 already"))));
  }
  EXPECT_THAT(ParseHostfile("hosts", "[2001:DB8::7]\n[2001:db8::7]"),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(HostfileTest, RefusesAFileWithoutHosts) {
  for (const absl::string_view text : {"", "\n", "# gpu01\n", " \t\r\n\n"}) {
    EXPECT_THAT(ParseHostfile("hosts", text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("hosts: names no host")));
  }
}

}  // namespace
}  // namespace charrnn
