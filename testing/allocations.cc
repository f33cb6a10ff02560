#include "testing/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> num_allocations{0};
std::atomic<size_t> largest_allocation{0};

// `memory`, of `size` bytes, counted.
void* Counted(void* memory, size_t size) {
  ++num_allocations;
  size_t largest = largest_allocation;
  while (largest < size &&
         !largest_allocation.compare_exchange_weak(largest, size)) {
  }
  return memory;
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Not inlined: gcc would see malloc() and `delete` side by side, and warn. The
// operators for arrays, and those that are not listed, call these.
__attribute__((noinline)) void* operator new(size_t size) {
  return OrThrow(Counted(std::malloc(size), size));
}
__attribute__((noinline)) void* operator new(size_t size,
                                             std::align_val_t alignment) {
  const auto multiple = static_cast<size_t>(alignment);
  const size_t rounded = (size + multiple - 1) / multiple * multiple;
  return OrThrow(Counted(std::aligned_alloc(multiple, rounded), size));
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Counted(std::malloc(size), size);
}
__attribute__((noinline)) void operator delete(void* memory) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory,
                                               std::align_val_t) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t,
                                               std::align_val_t) noexcept {
  std::free(memory);
}

namespace charrnn {

int64_t NumAllocations() { return num_allocations; }

size_t LargestAllocation() { return largest_allocation; }
void ForgetLargestAllocation() { largest_allocation = 0; }

}  // namespace charrnn
