#ifndef CHARRNN_GLOO_CONTEXT_H_
#define CHARRNN_GLOO_CONTEXT_H_

#include <chrono>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo

#endif  // CHARRNN_GLOO_CONTEXT_H_
