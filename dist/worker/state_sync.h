#ifndef CHARRNN_DIST_WORKER_STATE_SYNC_H_
#define CHARRNN_DIST_WORKER_STATE_SYNC_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dist/collective/collective.h"
#include "model/train_state.h"

namespace charrnn {

// Makes the training state of all processes of `collective` that of process
// `source`. Whoever holds the same already, to the bit, receives nothing; the
// others receive it beside their own, and all compare checksums before anybody
// takes it: after an error `state` is what it was.
//
// `state` is empty in a process that has none yet; the source has one, or an
// error that it gives in its place, which all then return. `device` is where
// states are to lie. `probe` is called at the points that are named, for tests:
// "in the sync".
//
// Possible errors: the collective's; Unavailable if the copies differ; the
// source's own; those of CatchTorch.
absl::Status SyncState(
    Collective& collective, int source, const std::string& device,
    const absl::Status& source_error, std::optional<TrainState>& state,
    const std::function<void(const char* point)>& probe = nullptr);

}  // namespace charrnn

#endif  // CHARRNN_DIST_WORKER_STATE_SYNC_H_
