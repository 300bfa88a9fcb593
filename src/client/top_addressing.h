#pragma once

#include <string>
#include <string_view>

#include "base/completion.h"
#include "base/engine.h"

namespace mqclient::client {

/// What knows the nameservers of a cluster when the client does not: an address server. The name is Java's.
///
/// Threads  any; one fetchNSAddr at a time.
class TopAddressing : public base::Object {
 public:
  /// What errors and log lines call it: the URL.
  virtual const std::string& name() const noexcept = 0;
  /// Asks once. Completes exactly once, from any thread or before it returns, with the text that came, not judged yet,
  /// or an error whose message follows "the address server NAME ". By `deadline`, give or take a name look-up.
  virtual void fetchNSAddr(base::SteadyTime deadline, base::Completion<std::string> done) = 0;
  /// Nothing is asked any more; what is under way completes soon, in error.
  virtual void close() noexcept = 0;
};

/// The beginning of what a stranger sent, fit for a log line.
std::string excerptOf(std::string_view text);

}  // namespace mqclient::client
