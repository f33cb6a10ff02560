#ifndef CHARRNN_DIST_OPEN_FILE_LIMIT_H_
#define CHARRNN_DIST_OPEN_FILE_LIMIT_H_

namespace charrnn {

// Lets this process, and those that it starts from here on, have as many files
// and connections open as the system lets it have at all. Many begin with
// 1,024, which is fewer than a coordinator of a hundred hosts needs. Where that
// cannot be changed, it stays as it is.
void RaiseOpenFileLimit();

}  // namespace charrnn

#endif  // CHARRNN_DIST_OPEN_FILE_LIMIT_H_
