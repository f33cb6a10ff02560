#ifndef CHARRNN_TESTING_WORKPLACE_H_
#define CHARRNN_TESTING_WORKPLACE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "testing/subprocess.h"
#include "testing/temp_directory.h"

namespace charrnn {

// A folder of a user's, and what the user does there: write files and run the
// programs of cmd/. Removed with all it holds when the object ends. Const
// members may be called from several threads at once.
//
//   const Workplace workplace;
//   workplace.Write("text.txt", PlainText(100));
//   const SubprocessResult result =
//       workplace.Run("train", {"--data_path=text.txt"});
//   EXPECT_THAT(workplace.List(), Contains("runs/latest"));
class Workplace {
 public:
  // Where `name`, a path relative to the folder, lies.
  std::string Path(absl::string_view name) const;

  // Makes a file, and the folders that lead to it. A name that ends in a slash
  // is a folder.
  void Write(absl::string_view name, absl::string_view contents) const;

  // A file's contents; a failure of the test if it cannot be read.
  std::string Read(absl::string_view name) const;

  // The relative paths of all files and links below the folder, sorted. Links
  // are not followed.
  std::vector<std::string> List() const;

  // The names of the whole checkpoints that the run in `run_dir` has committed
  // and is not about to delete, oldest first: "step-00000012".
  std::vector<std::string> Checkpoints(absl::string_view run_dir) const;

  // All that is below the folder, to be compared with what is there later:
  // contents of files, targets of links, "" for folders, by relative path.
  std::map<std::string, std::string> Snapshot() const;

  // How `program` of cmd/, which the test names in its `data`, is started here.
  SubprocessOptions Here(std::vector<std::string> arguments) const;

  // Runs `program` from start to end. What it returns has the exit code -1 if
  // that failed, which is a failure of the test.
  SubprocessResult Run(absl::string_view program,
                       std::vector<std::string> arguments) const;
  SubprocessResult Run(absl::string_view program,
                       const SubprocessOptions& options) const;

 private:
  TempDirectory directory_;
};

// Lines of a few English words in a fixed order that never repeats: about 30
// characters each, 18 different ones. The same at each call.
std::string PlainText(int lines);

}  // namespace charrnn

#endif  // CHARRNN_TESTING_WORKPLACE_H_
