#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mqclient::route {

/// Which nameserver to ask: shuffled once, so that many clients spread, then sticky until the chosen one fails.
/// Not synchronised.
class NameserverList {
 public:
  NameserverList() = default;
  NameserverList(std::vector<std::string> addresses, std::uint64_t random);

  bool empty() const noexcept { return addresses_.empty(); }
  std::size_t size() const noexcept { return addresses_.size(); }
  /// All members, the chosen one first: the order in which one request tries them.
  std::vector<std::string> inOrderOfTrying() const;
  /// Other members, shuffled anew; the chosen one stays the chosen one if it is among them. Answers who is gone.
  std::vector<std::string> replace(std::vector<std::string> addresses, std::uint64_t random);
  /// The member that answered last becomes the chosen one. Unknown addresses change nothing.
  void prefer(std::string_view address) noexcept;

 private:
  std::vector<std::string> addresses_;
  std::size_t chosen_ = 0;
};

}  // namespace mqclient::route
