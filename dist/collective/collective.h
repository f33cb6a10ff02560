#ifndef CHARRNN_DIST_COLLECTIVE_COLLECTIVE_H_
#define CHARRNN_DIST_COLLECTIVE_COLLECTIVE_H_

#include <ATen/core/Tensor.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace c10d {
class ProcessGroup;
class Store;
}  // namespace c10d

namespace charrnn {

// Processes that exchange tensors: over gloo those on the CPU, over NCCL those
// with a GPU each, over gloo again those that share one. All of a group's
// processes make the same calls in the same order.
//
// A call fails, with Unavailable, when another process of the group is gone or
// does not come within the timeout; after that the group is of no use, and its
// destructor, which must come before another group is made, frees whoever still
// waits in it. One thread at a time.
//
//   CHARRNN_ASSIGN_OR_RETURN(auto group, Collective::Create(store, options));
//   CHARRNN_RETURN_IF_ERROR(group->Sum(tensor));
class Collective {
 public:
  struct Options {
    int rank = 0;
    int world_size = 1;
    std::string device = "cpu";  // or "cuda:N"; whose tensors are exchanged
    std::string backend;  // "gloo" or "nccl"; empty: what suits the device
    // This process's address for the others, a name or number; empty: what the
    // host's name resolves to. gloo only; NCCL has NCCL_SOCKET_IFNAME.
    std::string address;
    // How long to wait for the others, in making the group and in a call.
    absl::Duration timeout = absl::Seconds(10);
  };

  // Meets the others through `store`, which belongs to this group alone. A
  // group of one meets nobody and needs none. Possible errors: Unavailable;
  // FailedPrecondition if another process has another backend.
  static absl::StatusOr<std::unique_ptr<Collective>> Create(
      c10::intrusive_ptr<c10d::Store> store, const Options& options);

  ~Collective();
  Collective(const Collective&) = delete;
  Collective& operator=(const Collective&) = delete;

  int rank() const { return options_.rank; }
  int world_size() const { return options_.world_size; }

  // Lets the next call wait by so much longer than the timeout: for others that
  // may be behind by that.
  void AllowFor(absl::Duration more) { more_ = more; }

  // Frees a thread that waits in a call for a process that does not come any
  // more, where that could last until the timeout: with NCCL. For any thread;
  // the group is of no use after that.
  void Abort();

  // Makes `tensor` the sum of all processes' tensors, in an order of its own:
  // exact only where all but one are zero.
  absl::Status Sum(at::Tensor& tensor);
  absl::Status Sum(absl::Span<double> values);

  // Makes `tensor` what it is in process `root`.
  absl::Status Broadcast(at::Tensor& tensor, int root);

  // Makes `all`, [world size * n], the tensors [n] of all, by rank.
  absl::Status Gather(const at::Tensor& tensor, at::Tensor& all);

  // Sends `to`, whose pieces have `to_counts` elements by rank, and receives
  // `from`, likewise.
  absl::Status Exchange(const at::Tensor& to,
                        const std::vector<int64_t>& to_counts, at::Tensor& from,
                        const std::vector<int64_t>& from_counts);

  // The same group as c10d's Reducer wants it; null for a group of one.
  c10::intrusive_ptr<c10d::ProcessGroup> process_group() const;

 private:
  // c10d's part of it, whose headers are slow to compile.
  struct Peers;

  explicit Collective(const Options& options);

  // The next call's timeout.
  std::chrono::milliseconds Timeout();

  const Options options_;
  absl::Duration more_;
  std::unique_ptr<Peers> peers_;  // null: a group of one
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_COLLECTIVE_H_
