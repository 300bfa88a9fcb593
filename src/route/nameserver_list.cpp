#include "route/nameserver_list.h"

#include <algorithm>

namespace mqclient::route {

NameserverList::NameserverList(std::vector<std::string> addresses, std::uint64_t random)
    : addresses_(std::move(addresses)) {
  for (std::size_t i = addresses_.size(); i > 1; --i) {
    std::swap(addresses_[i - 1], addresses_[random % i]);
    random = random * 6'364'136'223'846'793'005ULL + 1;  // the next draw from one word of chance
  }
}

std::vector<std::string> NameserverList::replace(std::vector<std::string> addresses, std::uint64_t random) {
  NameserverList next(std::move(addresses), random);
  if (!addresses_.empty()) next.prefer(addresses_[chosen_]);
  std::vector<std::string> gone = std::move(addresses_);
  std::erase_if(gone,
                [&](const std::string& a) { return std::ranges::find(next.addresses_, a) != next.addresses_.end(); });
  *this = std::move(next);
  return gone;
}

std::vector<std::string> NameserverList::inOrderOfTrying() const {
  std::vector<std::string> order;
  order.reserve(addresses_.size());
  for (std::size_t i = 0; i < addresses_.size(); ++i) order.push_back(addresses_[(chosen_ + i) % addresses_.size()]);
  return order;
}

void NameserverList::prefer(std::string_view address) noexcept {
  const auto found = std::ranges::find(addresses_, address);
  if (found != addresses_.end()) chosen_ = static_cast<std::size_t>(found - addresses_.begin());
}

}  // namespace mqclient::route
