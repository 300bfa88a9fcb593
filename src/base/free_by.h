#pragma once

namespace mqclient::base {

/// Deleter of a C library's handle in a std::unique_ptr: std::unique_ptr<CURL, FreeBy<curl_easy_cleanup>>.
template <auto kFree>
struct FreeBy {
  template <class T>
  void operator()(T* handle) const noexcept {
    kFree(handle);
  }
};

}  // namespace mqclient::base
