// A module that is not of this project, trained by several processes: run it
// once a rank, as torchrun does.
//
//   RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 example &
//   RANK=1 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 example

#include <absl/status/status.h>
#include <torch/torch.h>

#include <cstdlib>
#include <iostream>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "base/status_macros.h"
#include "dist/collective/collective.h"
#include "dist/data_parallel/data_parallel.h"

namespace {

int Number(const char* variable) { return std::atoi(std::getenv(variable)); }

absl::Status Train() {
  c10d::TCPStoreOptions address;
  address.port = Number("MASTER_PORT");
  address.isServer = Number("RANK") == 0;
  charrnn::Collective::Options options;
  options.rank = Number("RANK");
  options.world_size = Number("WORLD_SIZE");
  CHARRNN_ASSIGN_OR_RETURN(
      const auto group,
      charrnn::Collective::Create(c10::make_intrusive<c10d::TCPStore>(
                                      std::getenv("MASTER_ADDR"), address),
                                  options));

  torch::nn::GRU rnn(torch::nn::GRUOptions(4, 8).batch_first(true));
  CHARRNN_ASSIGN_OR_RETURN(
      const auto parallel,
      charrnn::DataParallel::Create(group.get(), rnn->parameters()));
  torch::optim::Adam adam(rnn->parameters());
  torch::manual_seed(1 + options.rank);  // each has text of its own, and
  const int rows = 3 + options.rank;     // as many rows as it likes
  for (int step = 0; step < 20; ++step) {
    const torch::Tensor x = torch::rand({rows, 5, 4});
    const torch::Tensor y = std::get<0>(rnn->forward(x));
    CHARRNN_ASSIGN_OR_RETURN(
        const double loss,
        parallel->Backward((y - x.sum()).pow(2).sum(), y.numel()));
    adam.step();
    std::cout << "step " << step << "  loss " << loss << std::endl;
  }
  return absl::OkStatus();
}

}  // namespace

int main() {
  const absl::Status status = Train();
  if (!status.ok()) std::cerr << "example: " << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
