// A step's gradients: this process's rows of the batch, and what all of them
// add up to.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "data/batch_reader.h"
#include "model/char_rnn.h"
#include "model/computation.h"
#include "model/gradient_reducer.h"
#include "model/grains.h"
#include "model/rnn_state.h"
#include "model/torch_status.h"
#include "model/trainer.h"

namespace charrnn {

IndexRange Trainer::LocalRows() const {
  return RowsOf(parts_.reducer->process());
}

IndexRange Trainer::RowsOf(int64_t process) const {
  const int64_t rows = options_.training.batch_size;
  if (parts_.reducer->overlaps()) return parts_.reducer->ShareOf(process, rows);
  const IndexRange grains = parts_.reducer->ShareOf(process, num_grains_);
  return {GrainRows(rows, num_grains_, grains.begin).begin,
          GrainRows(rows, num_grains_, grains.end - 1).end};
}

bool Trainer::ByGrains() const {
  return options_.invariant || (model_.device().is_cpu() && !options_.ahead);
}

int64_t Trainer::NumPieces() const {
  return ByGrains() ? num_grains_ : parts_.reducer->num_processes();
}

std::vector<IndexRange> Trainer::LocalPieces() const {
  // A GPU is slow on small pieces and has its own order of sums anyway.
  if (!ByGrains()) return {LocalRows()};
  const IndexRange grains = parts_.reducer->LocalShare(num_grains_);
  std::vector<IndexRange> pieces;
  for (int64_t grain = grains.begin; grain < grains.end; ++grain) {
    pieces.push_back(
        GrainRows(options_.training.batch_size, num_grains_, grain));
  }
  return pieces;
}

absl::Status Trainer::PrepareStep() {
  // Then gradients are the reducer's.
  if (parts_.reducer->overlaps()) return absl::OkStatus();
  pieces_ = LocalPieces();
  results_.resize(pieces_.size());
  return CatchTorch("allocating gradients", [&] {
    for (GrainResult& result : results_) {
      result.gradient =
          at::zeros({model_.layout().flat_size()}, model_.flat().options());
    }
  });
}

absl::Status Trainer::ReduceGradients(const Batch& batch,
                                      RnnState* next_streams) {
  const IndexRange rows = LocalRows();
  RnnState own;
  RnnState* streams = nullptr;
  if (state_->streams.defined()) {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("copying the streams", [&] {
      own = StateOfRows(state_->streams, rows);
    }));
    streams = &own;
  }
  if (parts_.reducer->overlaps()) {
    CHARRNN_ASSIGN_OR_RETURN(
        sums_, parts_.reducer->LossAndGradient(
                   training_model_,
                   {rows.size(), batch.seq_len, batch.inputs, batch.targets},
                   {options_.training.seed, batch.step, options_.model.dropout,
                    rows.begin},
                   streams));
  } else {
    computation_.TakeWeights(*parts_.pool);
    CHARRNN_RETURN_IF_ERROR(ComputeGradients(batch, streams));
    CHARRNN_RETURN_IF_ERROR(parts_.reducer->Reduce(NumPieces(), sums_));
  }
  if (streams != nullptr) {
    CHARRNN_ASSIGN_OR_RETURN(*next_streams, ShareStreams(own));
  }
  return absl::OkStatus();
}

absl::StatusOr<RnnState> Trainer::ShareStreams(const RnnState& own) {
  const int64_t processes = parts_.reducer->num_processes();
  if (processes == 1) return own;
  std::vector<int64_t> counts;
  for (int64_t process = 0; process < processes; ++process) {
    counts.push_back(RowsOf(process).size());
  }
  const int64_t most = *std::max_element(counts.begin(), counts.end());
  at::Tensor packed;
  at::Tensor gathered;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("packing the streams", [&] {
    packed = PackState(own, most);
    gathered = at::empty({processes * packed.numel()}, packed.options());
  }));
  CHARRNN_RETURN_IF_ERROR(parts_.reducer->Gather(packed, gathered));
  RnnState all;
  CHARRNN_RETURN_IF_ERROR(CatchTorch("unpacking the streams", [&] {
    all = UnpackStates(gathered, most, counts, own);
  }));
  return all;
}

absl::Status Trainer::ComputeGradients(const Batch& batch, RnnState* streams) {
  const auto num_pieces = static_cast<int64_t>(pieces_.size());
  const int64_t together = computation_.GrainsTogether(
      pieces_.front().size(), num_pieces, parts_.pool->num_threads());
  const int64_t num_groups = (num_pieces + together - 1) / together;
  statuses_.resize(num_groups);
  states_.resize(num_groups);
  parts_.pool->ParallelFor(num_groups, [&](int64_t group) {
    const int64_t begin = group * together;
    const IndexRange pieces = {begin, std::min(begin + together, num_pieces)};
    RnnState* const state = streams == nullptr ? nullptr : &states_[group];
    if (state != nullptr) {
      const int64_t first_row = pieces_.front().begin;
      statuses_[group] = CatchTorch("copying the streams", [&] {
        *state =
            StateOfRows(*streams, {pieces_[pieces.begin].begin - first_row,
                                   pieces_[pieces.end - 1].end - first_row});
      });
      if (!statuses_[group].ok()) return;
    }
    statuses_[group] = ComputePieces(batch, pieces, state);
  });
  for (const absl::Status& status : statuses_) {
    CHARRNN_RETURN_IF_ERROR(status);
  }
  if (streams != nullptr) {
    CHARRNN_RETURN_IF_ERROR(CatchTorch("joining the streams",
                                       [&] { *streams = JoinRows(states_); }));
  }
  sums_.gradients.clear();
  sums_.losses.clear();
  for (const GrainResult& result : results_) {
    sums_.gradients.push_back(result.gradient);
    sums_.losses.push_back(result.loss);
  }
  return absl::OkStatus();
}

absl::Status Trainer::ComputePieces(const Batch& batch, IndexRange pieces,
                                    RnnState* streams) {
  const IndexRange rows = {pieces_[pieces.begin].begin,
                           pieces_[pieces.end - 1].end};
  for (int64_t i = pieces.begin; i < pieces.end; ++i) {
    results_[i].rows = {pieces_[i].begin - rows.begin,
                        pieces_[i].end - rows.begin};
  }
  const auto slice = [&](const std::vector<int32_t>& ids) {
    return absl::MakeConstSpan(ids).subspan(
        (rows.begin - pieces_.front().begin) * batch.seq_len,
        rows.size() * batch.seq_len);
  };
  return computation_.LossesAndGradients(
      {rows.size(), batch.seq_len, slice(batch.inputs), slice(batch.targets)},
      {options_.training.seed, batch.step, options_.model.dropout, rows.begin},
      absl::MakeSpan(results_).subspan(pieces.begin, pieces.size()), streams);
}

}  // namespace charrnn
