#ifndef CHARRNN_CMD_PREPARE_PROGRESS_H_
#define CHARRNN_CMD_PREPARE_PROGRESS_H_

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/terminal_line.h"
#include "data/prepare.h"

namespace charrnn {

// Tells a person how preparing goes: on a terminal in a line that is drawn in
// its place, elsewhere in lines, the first after a second and then one every
// ten.
//
//    34%  pass 1 of 2  1,234 of 3,629 MB  412 MB/s  11s left
//
// One thread at a time.
class PrepareProgress {
 public:
  // `clock` is not owned.
  explicit PrepareProgress(TerminalLine::Options options,
                           Clock* clock = Clock::Real());

  void Show(const PrepareOptions::Progress& progress);

 private:
  Clock& clock_;
  const absl::Duration start_;
  absl::Duration next_;  // when to show something again
  TerminalLine line_;
};

}  // namespace charrnn

#endif  // CHARRNN_CMD_PREPARE_PROGRESS_H_
