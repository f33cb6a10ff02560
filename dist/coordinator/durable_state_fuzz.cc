// A coordinator.json of unknown origin: what is read is written as it was read,
// and a job goes on from it without falling over, however little sense it
// makes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "dist/coordinator/durable_state.h"
#include "dist/coordinator/membership.h"

namespace charrnn {
namespace {

void GoOn(const Membership::Durable& durable) {
  absl::Duration now = absl::Seconds(1);
  Membership membership({}, durable, now);
  membership.Committed(5);
  for (const Membership::Durable::Host& host : durable.hosts) {
    membership.HostAlive(host.id, now).IgnoreError();
    membership.ToKill(host.id);
  }
  for (const WorkerId& member : durable.members) {
    membership
        .Heartbeat(member, durable.generation, Phase::kTrain, 6,
                   absl::ZeroDuration(), now)
        .IgnoreError();
    membership.AssignmentOf(member).status().IgnoreError();
  }
  // As long as it takes for all of them to be given up.
  for (int i = 0; i < 150; ++i) {
    now += absl::Milliseconds(100);
    for (const Membership::Durable::Host& host : durable.hosts) {
      membership.HostAlive(host.id, now).IgnoreError();
    }
    membership.Tick(now);
  }
  membership.Workers();
  membership.RequestStop(now);
  const std::string text = ToJson({membership.ToDurable(), ""});
  CHARRNN_CHECK(DurableStateFromJson(text).ok()) << text;
}

void Run(absl::string_view input) {
  const absl::StatusOr<DurableState> state = DurableStateFromJson(input);
  if (!state.ok()) {
    const absl::string_view message = state.status().message();
    CHARRNN_CHECK(std::none_of(message.begin(), message.end(), [](char c) {
      return c >= 0 && c < ' ';
    })) << message;
    return;
  }
  const std::string text = ToJson(*state);
  const absl::StatusOr<DurableState> again = DurableStateFromJson(text);
  CHARRNN_CHECK(again.ok()) << again.status();
  CHARRNN_CHECK(ToJson(*again) == text) << text;
  GoOn(state->membership);
}

}  // namespace
}  // namespace charrnn

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  charrnn::Run(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
