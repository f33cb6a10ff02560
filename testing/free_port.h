#ifndef CHARRNN_TESTING_FREE_PORT_H_
#define CHARRNN_TESTING_FREE_PORT_H_

namespace charrnn {

// A port of 127.0.0.1 that nobody listens on, for a server that cannot be asked
// for the one that it has chosen. The kernel gives it to nobody else for a
// while.
int FreePort();

}  // namespace charrnn

#endif  // CHARRNN_TESTING_FREE_PORT_H_
