#ifndef CHARRNN_MODEL_KERNELS_ALIGNED_ARRAY_H_
#define CHARRNN_MODEL_KERNELS_ALIGNED_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace charrnn {

// Numbers that begin at a multiple of 64 bytes, a cache line and a vector. It
// is zero when it has grown; what it was before is then gone.
//
//   AlignedArray<float> sums;
//   sums.Resize(rows * 16);
template <typename T>
class AlignedArray {
 public:
  // Allocates only where there has never been so much.
  void Resize(int64_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = 0;
      const size_t bytes = static_cast<size_t>(size) * sizeof(T);
      data_.reset(static_cast<T*>(::operator new(bytes, kAlignment)));
      capacity_ = size;
      std::memset(data_.get(), 0, bytes);
    }
    size_ = size;
  }

  int64_t size() const { return size_; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](int64_t i) { return data_.get()[i]; }
  const T& operator[](int64_t i) const { return data_.get()[i]; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };

  std::unique_ptr<T, Free> data_;
  int64_t size_ = 0;
  int64_t capacity_ = 0;
};

}  // namespace charrnn

#endif  // CHARRNN_MODEL_KERNELS_ALIGNED_ARRAY_H_
