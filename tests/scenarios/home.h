#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "mqclient/mock_cluster.h"

namespace mqclient::scenarios {

/// Where a scenario runs. Each scenario is written once against this and runs in every home.
class Home {
 public:
  virtual ~Home() = default;
  virtual ClientOptions client() const = 0;
  virtual void createTopic(const std::string& topic, int queues) = 0;
  /// Waits until `condition` holds, or gives up after a time that is generous for this home.
  virtual bool eventually(UniqueFunction<bool()> condition) = 0;
  /// Lets `time` pass; a home on real time has no way to hurry and is not asked to.
  virtual bool canAdvance() const = 0;
  virtual void advance(Millis time) = 0;
};

struct HomeKind {
  std::string name;
  std::unique_ptr<Home> (*make)();
};
inline void PrintTo(const HomeKind& kind, std::ostream* out) {
  *out << kind.name;
}
std::vector<HomeKind> allHomes();
/// Two mqbroker processes, the second registered with the first: mqbroker_home.cpp.
std::unique_ptr<Home> makeMqbrokerHome();
inline std::string nameOf(const HomeKind& kind) {
  return kind.name;
}

}  // namespace mqclient::scenarios
