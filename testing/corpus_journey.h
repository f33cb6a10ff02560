#ifndef CHARRNN_TESTING_CORPUS_JOURNEY_H_
#define CHARRNN_TESTING_CORPUS_JOURNEY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "testing/resident_size.h"
#include "testing/workplace.h"

namespace charrnn {

// What a program did in a limited memory.
struct LimitedRun {
  int exit_code = -1;
  std::string stdout_text;
  std::string stderr_text;

  bool limited = false;
  std::string note;  // why it was not limited
  double wall_s = 0;
  ResidentSize peak;  // the greatest of each, seen now and then
};

// The way of a corpus that may be larger than the memory, through all programs:
// generated, prepared, trained on, evaluated, and trained on further. Nothing
// of it is in the system's cache when a program begins.
class CorpusJourney {
 public:
  struct Options {
    int64_t text_bytes = 0;
    int64_t limit_bytes = 0;  // of memory, for each program; 0: none
    // Flags of the network, and of the training until `first_steps` and then
    // until `last_steps`.
    std::vector<std::string> train_flags;
    int64_t first_steps = 0;
    int64_t last_steps = 0;
    double val_fraction = 0.05;
  };

  explicit CorpusJourney(Options options);

  // Each in its turn; a failure of a program is its exit code.
  LimitedRun Prepare();
  LimitedRun Train();
  LimitedRun Evaluate();
  LimitedRun Resume();

  // Trains on the text itself, which has to be in memory.
  LimitedRun TrainOnTheText();

  // The rate at which the last of Train() and Resume() trained.
  double TrainedCharsPerSecond() const;

  const Options& options() const { return options_; }

 private:
  LimitedRun Run(const std::string& program, std::vector<std::string> flags);
  LimitedRun TrainUntil(int64_t steps, std::vector<std::string> more);

  // Writes all that was made to the disk and takes it out of the cache.
  void DropFromCache() const;

  const Options options_;
  const Workplace workplace_;
};

}  // namespace charrnn

#endif  // CHARRNN_TESTING_CORPUS_JOURNEY_H_
