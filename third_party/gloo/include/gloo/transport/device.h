#ifndef CHARRNN_GLOO_TRANSPORT_DEVICE_H_
#define CHARRNN_GLOO_TRANSPORT_DEVICE_H_

namespace gloo {
namespace transport {

class Device {
 public:
  virtual ~Device() = default;
};

// Complete, because c10d deletes one.
class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = default;
};

}  // namespace transport
}  // namespace gloo

#endif  // CHARRNN_GLOO_TRANSPORT_DEVICE_H_
