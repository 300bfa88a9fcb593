#pragma once

#include <algorithm>
#include <iterator>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "mqclient/client.h"

namespace mqclient::testing {

/// What clients have logged, from warnings up.
class LogLines {
 public:
  void hear(ClientOptions& client) {
    client.logLevel = LogLevel::kWarn;
    client.log = [all = all_](LogLevel, std::string_view, std::string_view line) {
      const std::scoped_lock lock(all->mutex);
      all->lines.emplace_back(line);
    };
  }
  std::vector<std::string> all() const { return about(""); }
  std::vector<std::string> about(const std::string& word) const {
    const std::scoped_lock lock(all_->mutex);
    std::vector<std::string> found;
    std::ranges::copy_if(all_->lines, std::back_inserter(found),
                         [&](const std::string& line) { return line.find(word) != std::string::npos; });
    return found;
  }

 private:
  struct All {
    std::mutex mutex;
    std::vector<std::string> lines;
  };
  const std::shared_ptr<All> all_ = std::make_shared<All>();
};

}  // namespace mqclient::testing
