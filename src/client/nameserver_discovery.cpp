#include "client/nameserver_discovery.h"

#include <algorithm>
#include <utility>

#include "client/home.h"
#include "client/instance_parts.h"

namespace mqclient::client {
namespace {

/// HttpTinyClient.java is given the same by DefaultTopAddressing.java.
constexpr base::Millis kFetchTimeout{3000};
/// While no list is known. The first pause is short: an address server that restarts should not fail a start.
constexpr base::Backoff kUnknownBackoff{.first = base::Millis{100}, .limit = base::Millis{10'000}};
constexpr std::size_t kExcerpt = 80;
constexpr std::string_view kBlanks = " \t\r\n\v\f";

std::string listed(const std::vector<std::string>& addresses) {
  std::string text;
  for (const std::string& address : addresses) text += (text.empty() ? "" : ";") + address;
  return text;
}

bool sameMembers(std::vector<std::string> a, std::vector<std::string> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  return a == b;
}

}  // namespace

std::string excerptOf(std::string_view text) {
  std::string shown(text.substr(0, kExcerpt));
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kExcerpt ? shown + "..." : shown;
}

Result<std::vector<std::string>> addressesOfAnswer(std::string_view answer) {
  const std::size_t from = std::min(answer.find_first_not_of(kBlanks), answer.size());
  const std::string_view line = answer.substr(from, answer.find_first_of("\r\n", from) - from);
  if (line.empty()) return Error(ErrorCode::kNoNameServer, "answers with an empty list");
  Result<std::vector<std::string>> addresses = parseAddressList(line);
  if (addresses) return addresses;
  return Error(ErrorCode::kNoNameServer, "answers with what is no list of addresses: '" + excerptOf(line) + "'");
}

NameserverDiscovery::NameserverDiscovery(base::Object& owner, base::Strand& strand, base::Engine& engine,
                                         base::Log& log, base::Ref<TopAddressing> source, base::Millis period,
                                         OnList on_list)
    : owner_(owner),
      strand_(strand),
      engine_(engine),
      log_(log),
      source_(std::move(source)),
      period_(period),
      on_list_(std::move(on_list)),
      timer_(strand, [this] { ask(); }) {}

void NameserverDiscovery::ask() {
  if (closed_) return;
  // The next question waits for this answer: a resolver that hangs holds one thread of its lane, not all.
  source_->fetchNSAddr(engine_.now() + kFetchTimeout,
                       base::Completion<std::string>::of(
                           [this, owner = base::Ref<base::Object>(&owner_)](Result<std::string>&& answer) mutable {
                             base::Strand& strand = strand_;
                             strand.post(std::move(owner), [this, answer = std::move(answer)] { onAnswer(answer); });
                           }));
}

void NameserverDiscovery::onAnswer(const Result<std::string>& answer) {
  if (closed_) return;
  Result<std::vector<std::string>> addresses =
      answer ? addressesOfAnswer(*answer) : Result<std::vector<std::string>>(answer.error());
  if (addresses) {
    learned(*std::move(addresses));
  } else {
    failed(addresses.error().message());
  }
  timer_.armAfter(base::Ref<base::Object>(&owner_), known_.empty()
                                                        ? backoffDelay(kUnknownBackoff, failures_, engine_.random())
                                                        : jittered(period_, engine_.random()));
}

void NameserverDiscovery::failed(const std::string& why) {
  ++failures_;
  why_ = why;
  log_.writeLimited(LogLevel::kWarn, "route", "address server " + source_->name(), base::kLogPeriod,
                    "the address server " + source_->name() + " " + why +
                        (known_.empty() ? "; no nameserver is known yet" : "; kept are " + listed(known_)));
}

void NameserverDiscovery::learned(std::vector<std::string> addresses) {
  failures_ = 0;
  if (sameMembers(known_, addresses)) return;
  log_.write(LogLevel::kInfo, "route",
             "the address server " + source_->name() + " names the nameservers " + listed(addresses) +
                 (known_.empty() ? "" : " instead of " + listed(known_)));
  known_ = addresses;
  on_list_(std::move(addresses));
}

void NameserverDiscovery::close() {
  closed_ = true;
  timer_.cancel();
  source_->close();
}

std::string NameserverDiscovery::trouble() const {
  const std::string what = failures_ == 0
                               ? "has not answered yet"
                               : why_ + " (" + std::to_string(failures_) + (failures_ == 1 ? " try)" : " tries)");
  return "no nameserver is known: the address server " + source_->name() + " " + what +
         "; it must answer GET with status 200 and host:port;host:port";
}

}  // namespace mqclient::client
