#include "model/metrics/samples_file.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/memory/memory.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/files.h"
#include "base/status_macros.h"
#include "model/metrics/append_log.h"
#include "model/metrics/display.h"
#include "model/train_observer.h"

namespace charrnn {

namespace {

constexpr char kHeading[] = "==== step ";
constexpr char kLoss[] = ", loss ";
constexpr char kEnd[] = "\n\n";

// A number and the rest of `text` behind it and `end`; false if there is none.
template <typename Number>
bool ConsumeNumber(absl::string_view* text, absl::string_view end,
                   bool (*parse)(absl::string_view, Number*), Number* number) {
  const size_t size = text->find(end);
  if (size == absl::string_view::npos ||
      !parse(text->substr(0, size), number)) {
    return false;
  }
  text->remove_prefix(size + end.size());
  return true;
}

}  // namespace

void ReplaySamples(absl::string_view text, TrainObserver* observer) {
  ForEachSample(text, [&](int64_t /*begin*/, const SampleReport& report) {
    observer->OnSample(report);
  });
}

void ForEachSample(
    absl::string_view text,
    absl::FunctionRef<void(int64_t begin, const SampleReport&)> tell) {
  // A heading within a sample's own text makes two of it, in a report for
  // people.
  const std::string next = absl::StrCat(kEnd, kHeading);
  const size_t size = text.size();
  while (absl::StartsWith(text, kHeading)) {
    const auto begin = static_cast<int64_t>(size - text.size());
    text.remove_prefix(strlen(kHeading));
    SampleReport report;
    const absl::string_view sample = text.substr(0, text.find(next));
    absl::string_view rest = sample;
    if (ConsumeNumber<int64_t>(&rest, kLoss, absl::SimpleAtoi<int64_t>,
                               &report.step) &&
        ConsumeNumber<double>(&rest, " ", absl::SimpleAtod, &report.loss)) {
      rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
      absl::ConsumeSuffix(&rest, kEnd);
      report.text = std::string(rest);
      tell(begin, report);
    }
    text.remove_prefix(std::min(text.size(), sample.size() + strlen(kEnd)));
  }
}

int64_t WholeSamples(absl::string_view text) {
  if (absl::EndsWith(text, kEnd)) return static_cast<int64_t>(text.size());
  // The last end with a heading behind it, or with the beginning of one.
  for (size_t end = text.rfind(kEnd); end != absl::string_view::npos;
       end = end == 0 ? absl::string_view::npos : text.rfind(kEnd, end - 1)) {
    const size_t whole = end + strlen(kEnd);
    const absl::string_view rest = text.substr(whole);
    if (absl::StartsWith(rest, kHeading) || absl::StartsWith(kHeading, rest)) {
      return static_cast<int64_t>(whole);
    }
  }
  return 0;
}

absl::StatusOr<std::unique_ptr<SamplesFile>> SamplesFile::Open(
    FileSystem* files, const std::string& path, int64_t keep) {
  CHARRNN_ASSIGN_OR_RETURN(std::unique_ptr<AppendLog> log,
                           AppendLog::Open(*files, path, keep));
  return absl::WrapUnique(new SamplesFile(std::move(log)));
}

void SamplesFile::OnSample(const SampleReport& report) {
  log_->Append(absl::StrFormat("%s%d%s%.4f (%.3f bpc) ====\n%s%s", kHeading,
                               report.step, kLoss, report.loss,
                               BitsPerChar(report.loss), report.text, kEnd));
}

}  // namespace charrnn
