#ifndef CHARRNN_BASE_STATUS_MACROS_H_
#define CHARRNN_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Leaves the enclosing function with the status of `expr`, an absl::Status,
// unless it is OK. The function returns absl::Status or any absl::StatusOr.
//
//   CHARRNN_RETURN_IF_ERROR(file->Sync());
#define CHARRNN_RETURN_IF_ERROR(expr)                               \
  do {                                                              \
    if (absl::Status charrnn_status = (expr); !charrnn_status.ok()) \
      return charrnn_status;                                        \
  } while (false)

// Evaluates `rexpr`, an absl::StatusOr, and either leaves the enclosing
// function with its status or moves its value to `lhs`, which may be a
// declaration.
//
//   CHARRNN_ASSIGN_OR_RETURN(std::string text, files->ReadFile(path));
//
// Expands to several statements: not for the branch of an `if` without braces.
#define CHARRNN_ASSIGN_OR_RETURN(lhs, rexpr) \
  CHARRNN_INTERNAL_ASSIGN_OR_RETURN(         \
      CHARRNN_INTERNAL_CONCAT(charrnn_status_or_, __LINE__), lhs, rexpr)

#define CHARRNN_INTERNAL_ASSIGN_OR_RETURN(status_or, lhs, rexpr) \
  auto status_or = (rexpr);                                      \
  if (!status_or.ok()) return std::move(status_or).status();     \
  lhs = *std::move(status_or)

#define CHARRNN_INTERNAL_CONCAT(a, b) CHARRNN_INTERNAL_CONCAT_INNER(a, b)
#define CHARRNN_INTERNAL_CONCAT_INNER(a, b) a##b

namespace charrnn {

// Returns `status` with its message become "prefix: message"; code and
// payloads stay. An OK status comes back as it is.
//
//   return Annotate(status, "--data_path");
absl::Status Annotate(const absl::Status& status, absl::string_view prefix);

}  // namespace charrnn

#endif  // CHARRNN_BASE_STATUS_MACROS_H_
