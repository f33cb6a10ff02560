#include "dist/local_address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "dist/file_descriptor.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "testing/status_matchers.h"

namespace charrnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalidArgument = absl::StatusCode::kInvalidArgument;

// Names under .invalid never exist (RFC 6761).
constexpr char kNoName[] = "nobody.invalid";

// Whether this machine has IPv6's loopback interface.
bool HasIpv6() {
  const FileDescriptor fd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  return fd.get() >= 0 &&
         bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0;
}

TEST(LocalAddressTest, TowardsThisMachineItIsTheLoopbackInterface) {
  EXPECT_THAT(LocalAddressTowards("127.0.0.1:1234"), IsOkAndHolds("127.0.0.1"));
  EXPECT_THAT(LocalAddressTowards("localhost:1234"),
              IsOkAndHolds(::testing::AnyOf("127.0.0.1", "::1")));
}

TEST(LocalAddressTest, TowardsIpv6ItIsOfIpv6) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_THAT(LocalAddressTowards("[::1]:1234"), IsOkAndHolds("::1"));
  EXPECT_THAT(LocalAddressTowards("::1:1234"), IsOkAndHolds("::1"));
}

TEST(LocalAddressTest, WhereThereIsNoWayIsSaid) {
  // Broadcasting takes a permission that nobody asked for.
  EXPECT_THAT(LocalAddressTowards("255.255.255.255:1"),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("255.255.255.255:1: there is no way to it")));
}

TEST(LocalAddressTest, WhatCannotBeLookedUpIsRefusedByItsName) {
  for (const std::string& address :
       {absl::StrCat(kNoName, ":1234"), std::string("[127.0.0.1]x:1")}) {
    EXPECT_THAT(
        LocalAddressTowards(address),
        StatusIs(kInvalidArgument,
                 AllOf(HasSubstr(address), HasSubstr("cannot be looked up"))));
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(LocalAddressTest, AnAddressHasAHostAndAPort) {
  for (const char* address :
       {"", ":", ":1234", "[]:1234", "127.0.0.1", "127.0.0.1:", "localhost",
        "[::1]", "::1:", "127.0.0.1:x", "127.0.0.1:-1", "127.0.0.1:65536",
        "127.0.0.1:1 2", "localhost:http"}) {
    EXPECT_THAT(LocalAddressTowards(address),
                StatusIs(kInvalidArgument,
                         AllOf(HasSubstr(address), HasSubstr("host:port"))));
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(LocalAddressTest, APortThatIsTakenCannotBeListenedOn) {
  const FileDescriptor taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(taken.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(taken.get(), 1), 0);
  ASSERT_EQ(
      getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size),
      0);
  EXPECT_FALSE(CanListen(absl::StrCat("127.0.0.1:", ntohs(address.sin_port))));
  EXPECT_TRUE(CanListen("127.0.0.1:0"));
  EXPECT_FALSE(CanListen("192.0.2.1:0"));
  EXPECT_FALSE(CanListen("nonsense"));
}

TEST(LocalAddressTest, TheLoopbackInterfaceIsKnownByNumberAndName) {
  for (const char* address : {"127.0.0.1:1", "127.255.0.9:65535", "localhost:1",
                              "[::1]:1", "127.1:1"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:1", "128.0.0.1:1", "126.255.255.255:1", "192.0.2.1:1",
        "[::]:1", "[::2]:1", "[2001:db8::1]:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(LocalAddressTest, KnowsThisMachinesAddresses) {
  EXPECT_TRUE(IsOwnAddress("127.0.0.1"));
  EXPECT_TRUE(IsOwnAddress("localhost"));
  // Kept for documentation (RFC 5737).
  EXPECT_FALSE(IsOwnAddress("192.0.2.1"));
  EXPECT_FALSE(IsOwnAddress("no name"));
}

}  // namespace
}  // namespace charrnn
