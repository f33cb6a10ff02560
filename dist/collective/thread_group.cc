#include "dist/collective/thread_group.h"

#include <c10/util/intrusive_ptr.h>

#include <functional>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <vector>

#include "absl/time/time.h"
#include "base/log.h"
#include "dist/collective/collective.h"

namespace charrnn {

void RunAsGroup(int world_size, absl::Duration timeout,
                const std::function<void(Collective& collective)>& f) {
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < world_size; ++rank) {
    threads.emplace_back([&, rank] {
      Collective::Options options;
      options.rank = rank;
      options.world_size = world_size;
      options.address = "127.0.0.1";
      options.timeout = timeout;
      auto collective = Collective::Create(store, options);
      CHARRNN_CHECK(collective.ok()) << collective.status().message();
      f(**collective);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace charrnn
