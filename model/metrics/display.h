#ifndef CHARRNN_MODEL_METRICS_DISPLAY_H_
#define CHARRNN_MODEL_METRICS_DISPLAY_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace charrnn {

// A loss in nats per character as bits per character: divided by ln 2.
constexpr double BitsPerChar(double nats) { return nats / 0.6931471805599453; }

// The same as bits per byte, where so many characters are so many bytes of a
// file; NaN if these are not known. It compares models whose characters differ.
constexpr double BitsPerByte(double nats, int64_t chars, int64_t bytes) {
  if (bytes == 0) return std::numeric_limits<double>::quiet_NaN();
  return BitsPerChar(nats) * static_cast<double>(chars) /
         static_cast<double>(bytes);
}

// 1059624 as "1,059,624".
std::string WithThousands(int64_t number);

// "1 step", "2,048 steps": the noun takes an s.
std::string Counted(int64_t number, absl::string_view noun);

// "0.4s", "12s", "3m 05s", "2h 07m", "4d 03h": two units are enough for a
// person. "?" if infinite or negative.
std::string ShortDuration(absl::Duration duration);

// `text`, which a model made up, as UTF-8 that changes nothing but what is
// read: malformed sequences and control characters other than newline and tab
// (a terminal would obey them) become U+FFFD.
std::string DisplayText(absl::string_view text);

}  // namespace charrnn

#endif  // CHARRNN_MODEL_METRICS_DISPLAY_H_
