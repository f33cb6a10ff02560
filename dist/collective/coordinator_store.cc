#include "dist/collective/coordinator_store.h"

#include <c10/util/Exception.h>
#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "dist/coordinator/client.h"
#include "dist/coordinator/coordinator.pb.h"

namespace charrnn {
namespace {

// What a call may take beyond the waiting that it asks for.
constexpr std::chrono::seconds kCall(5);

std::vector<uint8_t> Bytes(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace

CoordinatorStore::CoordinatorStore(CoordinatorClient* client,
                                   const wire::Worker& worker,
                                   int64_t generation, uint64_t boot)
    : client_(client), worker_(worker), generation_(generation), boot_(boot) {}

wire::StoreRequest CoordinatorStore::Request(
    wire::StoreRequest::Operation operation,
    const std::vector<std::string>& keys) const {
  wire::StoreRequest request;
  *request.mutable_worker() = worker_;
  request.set_generation(generation_);
  request.set_boot(boot_);
  request.set_operation(operation);
  for (const std::string& key : keys) request.add_keys(key);
  return request;
}

wire::StoreResponse CoordinatorStore::Call(const wire::StoreRequest& request,
                                           std::chrono::milliseconds timeout) {
  auto response = client_->Store(request, absl::FromChrono(timeout + kCall));
  TORCH_CHECK(response.ok(), "the coordinator's store: ",
              std::string(response.status().message()));
  return *std::move(response);
}

c10::intrusive_ptr<c10d::Store> CoordinatorStore::clone() {
  return c10::make_intrusive<CoordinatorStore>(client_, worker_, generation_,
                                               boot_);
}

void CoordinatorStore::set(const std::string& key,
                           const std::vector<uint8_t>& value) {
  auto request = Request(wire::StoreRequest::SET, {key});
  request.set_value(value.data(), value.size());
  Call(request, {});
}

std::vector<uint8_t> CoordinatorStore::compareSet(
    const std::string& key, const std::vector<uint8_t>& expected,
    const std::vector<uint8_t>& desired) {
  auto request = Request(wire::StoreRequest::COMPARE_SET, {key});
  request.set_expected(expected.data(), expected.size());
  request.set_value(desired.data(), desired.size());
  return Bytes(Call(request, {}).values(0));
}

std::vector<uint8_t> CoordinatorStore::get(const std::string& key) {
  return multiGet({key}).front();
}

std::vector<std::vector<uint8_t>> CoordinatorStore::multiGet(
    const std::vector<std::string>& keys) {
  auto request = Request(wire::StoreRequest::GET, keys);
  request.set_timeout_ms(timeout_.count());
  const wire::StoreResponse response = Call(request, timeout_);
  std::vector<std::vector<uint8_t>> values;
  for (const std::string& value : response.values()) {
    values.push_back(Bytes(value));
  }
  return values;
}

int64_t CoordinatorStore::add(const std::string& key, int64_t value) {
  auto request = Request(wire::StoreRequest::ADD, {key});
  request.set_amount(value);
  return Call(request, {}).number();
}

bool CoordinatorStore::deleteKey(const std::string& key) {
  return Call(Request(wire::StoreRequest::DELETE, {key}), {}).number() != 0;
}

bool CoordinatorStore::check(const std::vector<std::string>& keys) {
  return Call(Request(wire::StoreRequest::CHECK, keys), {}).number() != 0;
}

int64_t CoordinatorStore::getNumKeys() {
  return Call(Request(wire::StoreRequest::NUM_KEYS, {}), {}).number();
}

void CoordinatorStore::wait(const std::vector<std::string>& keys) {
  wait(keys, timeout_);
}

void CoordinatorStore::wait(const std::vector<std::string>& keys,
                            const std::chrono::milliseconds& timeout) {
  auto request = Request(wire::StoreRequest::WAIT, keys);
  request.set_timeout_ms(timeout.count());
  Call(request, timeout);
}

void CoordinatorStore::append(const std::string& key,
                              const std::vector<uint8_t>& value) {
  auto request = Request(wire::StoreRequest::APPEND, {key});
  request.set_value(value.data(), value.size());
  Call(request, {});
}

void CoordinatorStore::multiSet(
    const std::vector<std::string>& keys,
    const std::vector<std::vector<uint8_t>>& values) {
  for (size_t i = 0; i < keys.size(); ++i) set(keys[i], values[i]);
}

}  // namespace charrnn
