#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/engine.h"
#include "base/mutex.h"
#include "mqclient/mock_faults.h"

namespace mqclient::faults {

/// The last frames and events of a cluster. Any thread.
///
/// Bound    kEventsMax events and kBytesMax bytes of frames: the oldest go.
class Recording {
 public:
  static constexpr std::size_t kEventsMax = 4'096;
  static constexpr std::size_t kBytesMax = 64u << 20;

  void addFrame(Captured frame);
  /// Anything else: "connection opened", "fault cleared".
  void addEvent(std::chrono::milliseconds at, std::string what, std::string about);

  /// What fits, oldest first; n-th, probability and time window of `match` are not asked.
  std::vector<Captured> frames(const Match& match) const;
  /// All of it as JSON, an object a line.
  std::string trace() const;

 private:
  struct Event {
    std::chrono::milliseconds at{0};
    std::string what{};  ///< empty: a frame
    std::string about{};
    Captured frame{};
  };
  using Shared = std::shared_ptr<const Event>;
  void add(Event event);
  std::deque<Shared> events() const;

  mutable base::Mutex mutex_;
  std::deque<Shared> events_ MQ_GUARDED_BY(mutex_);
  std::size_t bytes_ MQ_GUARDED_BY(mutex_) = 0;
};

}  // namespace mqclient::faults
