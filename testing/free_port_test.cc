#include "testing/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <set>

#include "gtest/gtest.h"

namespace charrnn {
namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

TEST(FreePortTest, NobodyListensThere) {
  const sockaddr_in address = Loopback(FreePort());
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_NE(connect(client, reinterpret_cast<const sockaddr*>(&address),
                    sizeof(address)),
            0);
  close(client);
}

TEST(FreePortTest, AServerCanListenThereAtOnce) {
  const sockaddr_in address = Loopback(FreePort());
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int reuse = 1;  // as servers do
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  EXPECT_EQ(bind(server, reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  EXPECT_EQ(listen(server, 1), 0);
  close(server);
}

TEST(FreePortTest, IsGivenToNobodyElse) {
  // So many that the kernel, which draws at random, would give one twice.
  std::set<int> ports;
  for (int i = 0; i < 500; ++i) {
    EXPECT_TRUE(ports.insert(FreePort()).second) << "the same port twice";
  }
}

}  // namespace
}  // namespace charrnn
