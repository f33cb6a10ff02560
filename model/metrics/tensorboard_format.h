#ifndef CHARRNN_MODEL_METRICS_TENSORBOARD_FORMAT_H_
#define CHARRNN_MODEL_METRICS_TENSORBOARD_FORMAT_H_

// The records of a TensorBoard event file, encoded by hand: a few fields of
// one message are not worth a dependency. A file is a sequence of records
// (tensorflow/core/lib/io/record_writer.h), all numbers little-endian:
//
//   uint64  length of the data
//   uint32  masked CRC32C of these 8 bytes
//   byte[]  data: one Event message (tensorflow/core/util/event.proto)
//   uint32  masked CRC32C of the data
//
// where masked is the CRC rotated right by 15 bits plus 0xa282ead8, so that a
// CRC over data that holds CRCs stays useful.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace charrnn {

// `data` framed as a record.
std::string TfRecord(absl::string_view data);

// The functions below give an Event without its frame. `wall_time` is in
// seconds since 1970.

// What every file begins with.
std::string VersionEvent(double wall_time);

// Says that training went on from `step`: TensorBoard then forgets what other
// files of the same folder hold of that step and later ones.
std::string RestartEvent(double wall_time, int64_t step);

// Values of curves, named by their tags, at `step`.
std::string ScalarsEvent(
    double wall_time, int64_t step,
    const std::vector<std::pair<std::string, float>>& values);

// A text, which TensorBoard shows as Markdown, at `step`.
std::string TextEvent(double wall_time, int64_t step, absl::string_view tag,
                      absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_TENSORBOARD_FORMAT_H_
