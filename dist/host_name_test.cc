#include "dist/host_name.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using testing::HasSubstr;

TEST(HostNameTest, NamesAndAddressesAreFine) {
  for (const absl::string_view host :
       {"a", "gpu01", "GPU-01.cluster.example.com", "node_1", "10.0.0.1", "7up",
        "::1", "fe80::1", "2001:db8::ff00:42:8329", "::ffff:192.0.2.1"}) {
    EXPECT_THAT(CheckHostName(host), IsOk()) << host;
  }
  EXPECT_THAT(CheckHostName(std::string(253, 'x')), IsOk());
}

TEST(HostNameTest, WhatAShellOrSshWouldTakeForSomethingElseIsRefused) {
  for (const absl::string_view host : {"",           "-oProxyCommand=x",
                                       "-h",         ".hidden",
                                       "_a",         "a b",
                                       "a;b",        "a$b",
                                       "a`b`",       "a|b",
                                       "a&b",        "a/b",
                                       "user@host",  "a:22",
                                       "[::1]",      "::g",
                                       "a\nb",       "a'b",
                                       "a\"b",       "a\\b",
                                       "a*",         "a?",
                                       "~a",         "a%h",
                                       "a,b",        "a=b",
                                       "caf\xc3\xa9"}) {
    EXPECT_THAT(CheckHostName(host),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << host;
  }
  EXPECT_THAT(CheckHostName(absl::string_view("a\0b", 3)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckHostName(absl::string_view("::1\0", 4)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(CheckHostName(std::string(254, 'x')),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("253")));
}

TEST(HostNameTest, TheErrorShowsTheName) {
  EXPECT_THAT(CheckHostName("-oops"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "host name '-oops' does not begin with a letter or "
                       "digit"));
  EXPECT_THAT(
      CheckHostName("a\nb"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'a\\nb'")));
}

TEST(HostNameTest, Ipv6AddressesGetBracketsBeforeAPort) {
  EXPECT_EQ(HostPort("gpu01", 29500), "gpu01:29500");
  EXPECT_EQ(HostPort("::1", 1), "[::1]:1");
}

TEST(HostNameTest, WhatIsQuotedIsOneShortLine) {
  EXPECT_EQ(Quoted(""), "''");
  EXPECT_EQ(Quoted("a\r\n\x1b"), "'a\\r\\n\\x1b'");
  EXPECT_EQ(Quoted(std::string(81, 'x')),
            absl::StrCat("'", std::string(80, 'x'), "...'"));
}

}  // namespace
}  // namespace charrnn
