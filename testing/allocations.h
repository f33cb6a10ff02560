#ifndef CHARRNN_TESTING_ALLOCATIONS_H_
#define CHARRNN_TESTING_ALLOCATIONS_H_

#include <cstddef>
#include <cstdint>

// A program that links this counts its allocations by `new`, aligned ones
// included, of all threads and of the libraries that it loads.

namespace charrnn {

// How many there have been.
int64_t NumAllocations();

// The largest one, in bytes, since the program began or was told to forget it.
size_t LargestAllocation();
void ForgetLargestAllocation();

}  // namespace charrnn

#endif  // CHARRNN_TESTING_ALLOCATIONS_H_
