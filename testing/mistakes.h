#ifndef CHARRNN_TESTING_MISTAKES_H_
#define CHARRNN_TESTING_MISTAKES_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "testing/workplace.h"

namespace charrnn {

// One thing that a user gets wrong.
struct Mistake {
  std::string program;

  // What is wrong, behind flags with which the program would succeed.
  std::vector<std::string> arguments;

  // What the line on stderr holds: the thing, and the way out.
  std::vector<std::string> told;

  // Beside text.txt and model.safetensors, which are good.
  std::map<std::string, std::string> files = {};

  // Prepares the folder further; may be empty.
  std::function<void(const Workplace&)> prepare = {};

  // What is wrong in the environment.
  std::map<std::string, std::string> environment = {};
};

// Flags with which `program` succeeds in a GoodWorkplace(); the last one of a
// name wins. train, train_dist and coordinator make the folder "run".
std::vector<std::string> GoodFlags(absl::string_view program);

// A text of a thousand characters, and the bytes of a model that was trained
// on it; the same at each call.
const std::string& GoodText();
const std::string& GoodModel();

// Writes text.txt and model.safetensors, which are good.
void WriteGoodFiles(const Workplace& workplace);

// Makes every mistake, each in a folder of its own, and expects that the
// program tells of it in one line, ends with code 2 and leaves all as it was.
void ExpectRefused(const std::vector<Mistake>& mistakes);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_MISTAKES_H_
