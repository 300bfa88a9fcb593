#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/backoff.h"
#include "base/engine.h"
#include "base/log.h"
#include "base/strand.h"
#include "base/timer.h"
#include "client/top_addressing.h"
#include "mqclient/function.h"

namespace mqclient::client {

/// What an address server answered → the nameservers: blanks around are dropped, the first line counts
/// (DefaultTopAddressing.java), the rest is read as a namesrvAddr is. The error's message follows "the address server
/// NAME ".
Result<std::vector<std::string>> addressesOfAnswer(std::string_view answer);

/// Keeps an instance's list of nameservers as an address server tells it: asks until a list is known, with backoff,
/// then each period. What cannot be had or read changes nothing.
///
/// Threads   everything inside the owner's strand.
/// Lifetime  a member of its owner, which it keeps alive while it asks or waits; close() ends that.
class NameserverDiscovery {
 public:
  using OnList = UniqueFunction<void(std::vector<std::string>)>;

  /// `on_list` hears the first list and each that has other members than the one before, never an empty one.
  NameserverDiscovery(base::Object& owner, base::Strand& strand, base::Engine& engine, base::Log& log,
                      base::Ref<TopAddressing> source, base::Millis period, OnList on_list);

  void ask();
  void close();
  /// Why there is no list yet and what to do about it.
  std::string trouble() const;

 private:
  void onAnswer(const Result<std::string>& answer);
  void failed(const std::string& why);
  void learned(std::vector<std::string> addresses);

  base::Object& owner_;
  base::Strand& strand_;
  base::Engine& engine_;
  base::Log& log_;
  const base::Ref<TopAddressing> source_;
  const base::Millis period_;
  OnList on_list_;
  std::vector<std::string> known_;
  int failures_ = 0;  // in a row
  std::string why_;   // of the last one
  bool closed_ = false;
  base::FunctionTimer timer_;
};

}  // namespace mqclient::client
