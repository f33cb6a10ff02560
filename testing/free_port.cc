#include "testing/free_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

namespace charrnn {

int FreePort() {
  // A connection that this end closes first leaves its port in TIME_WAIT, in
  // which the kernel hands it to nobody who does not ask for it by number.
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int reuse = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  CHARRNN_CHECK(bind(server, generic, size) == 0 && listen(server, 1) == 0 &&
                getsockname(server, generic, &size) == 0 &&
                connect(client, generic, size) == 0)
      << "no free port";
  const int accepted = accept4(server, nullptr, nullptr, SOCK_CLOEXEC);
  CHARRNN_CHECK(accepted >= 0) << "no connection";
  close(accepted);
  close(client);
  close(server);
  return ntohs(address.sin_port);
}

}  // namespace charrnn
