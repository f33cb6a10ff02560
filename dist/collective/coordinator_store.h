#ifndef CHARRNN_DIST_COLLECTIVE_COORDINATOR_STORE_H_
#define CHARRNN_DIST_COLLECTIVE_COORDINATOR_STORE_H_

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <vector>

#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {

// The coordinator's key-value store as c10d wants it: by it the members of one
// generation find each other. Calls throw when the generation is over or the
// coordinator away; nothing is repeated, because whoever forms a group does
// better to begin anew. Thread-safe.
class CoordinatorStore : public c10d::Store {
 public:
  // `client` is not owned and outlives the store; `boot` is JoinResponse's.
  CoordinatorStore(CoordinatorClient* client, const wire::Worker& worker,
                   int64_t generation, uint64_t boot);

  c10::intrusive_ptr<c10d::Store> clone() override;
  void set(const std::string& key, const std::vector<uint8_t>& value) override;
  std::vector<uint8_t> compareSet(const std::string& key,
                                  const std::vector<uint8_t>& expected,
                                  const std::vector<uint8_t>& desired) override;
  std::vector<uint8_t> get(const std::string& key) override;
  int64_t add(const std::string& key, int64_t value) override;
  bool deleteKey(const std::string& key) override;
  bool check(const std::vector<std::string>& keys) override;
  int64_t getNumKeys() override;
  void wait(const std::vector<std::string>& keys) override;
  void wait(const std::vector<std::string>& keys,
            const std::chrono::milliseconds& timeout) override;
  void append(const std::string& key,
              const std::vector<uint8_t>& value) override;
  std::vector<std::vector<uint8_t>> multiGet(
      const std::vector<std::string>& keys) override;
  void multiSet(const std::vector<std::string>& keys,
                const std::vector<std::vector<uint8_t>>& values) override;
  bool hasExtendedApi() const override { return true; }

 private:
  wire::StoreRequest Request(wire::StoreRequest::Operation operation,
                             const std::vector<std::string>& keys) const;
  wire::StoreResponse Call(const wire::StoreRequest& request,
                           std::chrono::milliseconds timeout);

  CoordinatorClient* const client_;
  const wire::Worker worker_;
  const int64_t generation_;
  const uint64_t boot_;
};

}  // namespace charrnn

#endif  // CHARRNN_DIST_COLLECTIVE_COORDINATOR_STORE_H_
