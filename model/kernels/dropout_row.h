#ifndef CHARRNN_MODEL_KERNELS_DROPOUT_ROW_H_
#define CHARRNN_MODEL_KERNELS_DROPOUT_ROW_H_

#include <cstdint>

#include "model/dropout.h"
#include "model/kernels/arithmetic.h"

namespace charrnn {

// The mask that FillDropoutMask() draws for one row of the global batch and one
// time: mask[0, units).
void FillDropoutRow(const Arithmetic& arithmetic, const DropoutNumbers& numbers,
                    int64_t global_row, int64_t time, int64_t units,
                    float* mask);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_DROPOUT_ROW_H_
