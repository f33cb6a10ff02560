#ifndef CHARRNN_DIST_COLLECTIVE_NCCL_BACKEND_H_
#define CHARRNN_DIST_COLLECTIVE_NCCL_BACKEND_H_

#include <c10/util/intrusive_ptr.h>

#include <string>

#include "absl/time/time.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace charrnn {

// NCCL for a process whose tensors are on `device`, "cuda:N". Throws what c10d
// does; a program that was built without the GPU half always throws.
c10::intrusive_ptr<c10d::Backend> MakeNcclBackend(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int world_size,
    absl::Duration timeout, const std::string& device);

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_NCCL_BACKEND_H_
