#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace mqclient::testing {

/// A file that only its owner may read; goes with the test.
class TempFile {
 public:
  explicit TempFile(std::string_view text) {
    const int fd = mkstemp(name_.data());
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~TempFile() { unlink(name_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  const std::string& name() const { return name_; }

 private:
  std::string name_ = ::testing::TempDir() + "mqclient-XXXXXX";
};

}  // namespace mqclient::testing
