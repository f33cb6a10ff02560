#include "data/epoch_plan.h"

#include <cstdint>

#include "base/log.h"
#include "base/permutation.h"
#include "base/random.h"

namespace charrnn {
namespace {

// A key of its own for each epoch, apart from the seed's other uses.
uint64_t ShuffleKey(uint64_t seed, int64_t epoch) {
  const auto purpose = static_cast<uint64_t>(RandomPurpose::kShuffle);
  return MixSeed(MixSeed(seed, purpose), static_cast<uint64_t>(epoch));
}

}  // namespace

EpochPlan::EpochPlan(int64_t num_chunks, uint64_t seed, int64_t epoch)
    : num_chunks_(num_chunks),
      order_(static_cast<uint64_t>(num_chunks), ShuffleKey(seed, epoch)) {
  CHARRNN_CHECK(num_chunks >= 0 && epoch >= 0) << num_chunks << ", " << epoch;
}

int64_t EpochPlan::Chunk(int64_t position) const {
  CHARRNN_CHECK(position >= 0 && position < num_chunks_)
      << "position " << position << " of " << num_chunks_;
  return static_cast<int64_t>(order_(static_cast<uint64_t>(position)));
}

}  // namespace charrnn
