#ifndef CHARRNN_DIST_COLLECTIVE_THREAD_GROUP_H_
#define CHARRNN_DIST_COLLECTIVE_THREAD_GROUP_H_

#include <functional>

#include "absl/time/time.h"
#include "dist/collective/collective.h"

namespace charrnn {

// Calls `f` on a thread for each process of a group of `world_size` that meet
// over gloo on loopback, and returns when all have returned.
void RunAsGroup(int world_size, absl::Duration timeout,
                const std::function<void(Collective& collective)>& f);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_THREAD_GROUP_H_
