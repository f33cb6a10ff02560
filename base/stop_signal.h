#ifndef CHARRNN_BASE_STOP_SIGNAL_H_
#define CHARRNN_BASE_STOP_SIGNAL_H_

#include "absl/strings/string_view.h"

namespace charrnn {

// SIGINT, SIGTERM and SIGHUP (a terminal that was closed) as a wish: whoever
// works asks now and then, and ends when it suits.
//
//   StopSignal::Install("stopping after this step; once more leaves at once");
//   while (!StopSignal::Received()) Step();
class StopSignal {
 public:
  // From here on the first such signal writes `notice` and a newline to stderr
  // and is otherwise only remembered; a second one ends the process as if
  // nobody had handled it. A signal that the caller had the process ignore, as
  // nohup(1) does with others, stays ignored. Once a process.
  static void Install(absl::string_view notice);

  // Whether one has come. Cheap; any thread may ask.
  static bool Received();
};

}  // namespace charrnn

#endif  // CHARRNN_BASE_STOP_SIGNAL_H_
