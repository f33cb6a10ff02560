#ifndef CHARRNN_DIST_COORDINATOR_JOB_STATE_H_
#define CHARRNN_DIST_COORDINATOR_JOB_STATE_H_

namespace charrnn {

// How a job stands.
enum class JobState {
  kForming,  // a generation, from which it goes on
  kRunning,
  kFinished,
  kStopped,
  kFailed,
  kRefused,  // failed by what the user gave, and can mend
};

// What a worker is busy with; each has a deadline of its own.
enum class Phase { kSetup, kTrain, kEvaluate, kSave };

}  // namespace charrnn

#endif  // CHARRNN_DIST_COORDINATOR_JOB_STATE_H_
