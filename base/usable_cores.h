#ifndef CHARRNN_BASE_USABLE_CORES_H_
#define CHARRNN_BASE_USABLE_CORES_H_

namespace charrnn {

// Cores that this process may run on.
int NumUsableCores();

}  // namespace charrnn

#endif  // CHARRNN_BASE_USABLE_CORES_H_
