#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "mqclient/codes.h"
#include "mqclient/error.h"
#include "mqclient/export.h"

namespace mqclient {
inline namespace v1 {

enum class NodeRole { kNameserver, kBroker };

/// kToNode: requests to a node, and answers to what a broker asked. kFromNode: a node's replies, and what a broker
/// asks.
enum class FrameDirection { kToNode, kFromNode };

/// One frame as it passed the serving end of a connection.
struct Captured {
  RequestCode code{};            ///< of a reply: its request's; 0 if that passed before recording began
  std::string from{}, to{};      ///< "ip:port" of the two ends
  std::string topic{}, group{};  ///< of a reply: its request's. Of a heartbeat: its first consumer or producer group
  std::string body{};
  int queueId{-1};
  int responseCode{-1};  ///< -1: a request
  std::map<std::string, std::string> extFields{};
  std::string remark{};
  FrameDirection direction{};
  NodeRole role{};
  std::string node{};           ///< "broker-a", "nameserver-0"
  std::string clientId{};       ///< as the connection's last heartbeat said; empty on a nameserver's connections
  std::uint64_t connection{0};  ///< 1, 2, ... in order of accept
  int opaque{0};
  bool oneway{false};
  std::chrono::milliseconds at{0};  ///< since the cluster began
  std::string raw{};                ///< the frame's bytes, as they came to the fault layer
  std::string fault{};              ///< what was done to it: "drop", "hold", ...; empty: nothing
};

/// Which frames. What is left unset fits every frame; what is set must fit.
struct Match {
  std::optional<RequestCode> code{};  ///< also finds the replies to it (kFromNode)
  std::string topic{}, group{};
  std::string node{};  ///< "broker-a", "nameserver-0"
  std::string clientId{};
  std::optional<int> queueId{};
  std::optional<NodeRole> role{};
  std::optional<std::uint64_t> connection{};
  std::optional<FrameDirection> direction{};  ///< unset: kToNode for faults and holds, both for requests()
  int nth{0};                                 ///< only the n-th frame that fits all the rest; 0: each
  double probability{1};                      ///< of acting on a frame whose turn it is
  std::chrono::milliseconds from{0};          ///< only from so long after inject() on ...
  std::chrono::milliseconds until{std::chrono::milliseconds::max()};  ///< ... and before this
  /// Any other condition. Runs where the frame passes: it looks at the frame and neither waits, nor throws, nor calls
  /// the cluster.
  std::function<bool(const Captured&)> where{};
};

/// The names of FaultAction's makers.
enum class FaultVerb : std::uint8_t {
  kReply,
  kDelayBefore,
  kDelayAfter,
  kDrop,
  kApplyThenDropReply,
  kDuplicate,
  kReorder,
  kDisconnectBefore,
  kDisconnectAfter,
  kReset,
  kFinish,
  kHalfOpen,
  kCutAfter,
  kSlices,
  kThrottle,
  kFlipBits,
  kGarbage,
  kOversize,
  kWrongOpaque,
  kWrongCrc,
  kDecompressionBomb,
  kRefuse,
};
/// As the maker is called: "applyThenDropReply".
MQCLIENT_EXPORT const char* toString(FaultVerb) noexcept;

/// What happens to a frame that fits. "The request" is the frame that fits, "the reply" the node's answer to it; a
/// one-way request has none, so that what acts on replies leaves it alone. With FrameDirection::kFromNode everything
/// acts on the frame that fits.
class FaultAction {
 public:
  /// This answer in place of the node's, which does not see the request.
  static FaultAction reply(ResponseCode code, std::string remark = {}) {
    FaultAction action(FaultVerb::kReply);
    action.response_code_ = code;
    action.remark_ = std::move(remark);
    return action;
  }
  /// The request waits before the node sees it. Others overtake it.
  static FaultAction delayBefore(std::chrono::milliseconds by) { return {FaultVerb::kDelayBefore, by.count()}; }
  /// The reply waits. Others overtake it.
  static FaultAction delayAfter(std::chrono::milliseconds by) { return {FaultVerb::kDelayAfter, by.count()}; }
  /// The request vanishes.
  static FaultAction drop() { return FaultVerb::kDrop; }
  /// The node does what was asked, and its reply vanishes.
  static FaultAction applyThenDropReply() { return FaultVerb::kApplyThenDropReply; }
  /// The request comes to the node twice.
  static FaultAction duplicate() { return FaultVerb::kDuplicate; }
  /// The request comes after the next frame of its connection and direction, or after 500 ms if there is none.
  static FaultAction reorder() { return FaultVerb::kReorder; }
  /// The connection ends before the node sees the request.
  static FaultAction disconnectBefore() { return FaultVerb::kDisconnectBefore; }
  /// The node does what was asked, and the connection ends in place of the reply (one-way: behind the request).
  static FaultAction disconnectAfter() { return FaultVerb::kDisconnectAfter; }
  /// As disconnectBefore, and over TCP the peer hears RST.
  static FaultAction reset() { return FaultVerb::kReset; }
  /// The reply arrives, and behind it the connection ends: the next request meets an ended connection.
  static FaultAction finish() { return FaultVerb::kFinish; }
  /// From the request on both directions of the connection are swallowed for ever, and nobody is told.
  static FaultAction halfOpen() { return FaultVerb::kHalfOpen; }
  /// So many bytes of the reply arrive, then the connection ends.
  static FaultAction cutAfter(std::size_t bytes) { return {FaultVerb::kCutAfter, static_cast<std::int64_t>(bytes)}; }
  /// The reply leaves so many bytes at a time. MockTransport::kTcp only.
  static FaultAction slices(std::size_t bytes) { return {FaultVerb::kSlices, static_cast<std::int64_t>(bytes)}; }
  /// From the request on the node's output on this connection is so slow, as long as the fault lives.
  static FaultAction throttle(std::size_t bytesPerSecond) {
    return {FaultVerb::kThrottle, static_cast<std::int64_t>(bytesPerSecond)};
  }
  /// So many random bits of the reply, behind its length field, are turned over.
  static FaultAction flipBits(int count) { return {FaultVerb::kFlipBits, count}; }
  /// In place of the reply comes a frame of its size that means nothing.
  static FaultAction garbage() { return FaultVerb::kGarbage; }
  /// The reply announces 2 GiB.
  static FaultAction oversize() { return FaultVerb::kOversize; }
  /// The reply is for a request that nobody made.
  static FaultAction wrongOpaque() { return FaultVerb::kWrongOpaque; }
  /// No record of a pull reply has the checksum of its body.
  static FaultAction wrongCrc() { return FaultVerb::kWrongCrc; }
  /// The first record of a pull reply claims a compressed body, which inflates beyond what any message may have.
  static FaultAction decompressionBomb() { return FaultVerb::kDecompressionBomb; }
  /// Connects fail as long as the fault lives. The match knows role and node only.
  static FaultAction refuse() { return FaultVerb::kRefuse; }

  FaultVerb verb() const noexcept { return verb_; }
  /// Milliseconds, bytes or bits, as the verb counts.
  std::int64_t amount() const noexcept { return amount_; }
  ResponseCode responseCode() const noexcept { return response_code_; }
  const std::string& remark() const noexcept { return remark_; }

 private:
  FaultAction(FaultVerb verb, std::int64_t amount = 0) : verb_(verb), amount_(amount) {}
  FaultVerb verb_;
  std::int64_t amount_;
  ResponseCode response_code_{};
  std::string remark_{};
};

/// A fault that is in force as long as this handle: its end clears it. Any member from any thread.
class MQCLIENT_EXPORT Fault {
 public:
  Fault(Fault&&) noexcept;
  Fault& operator=(Fault&&) noexcept;
  ~Fault();

  /// How often it acted.
  int fired() const;
  /// It need not fire: MockCluster::faultsNeverFired() does not name it.
  void optional();
  /// Acts no more. What it did to connections (halfOpen) stays done; what it delayed still comes.
  void clear();

 private:
  friend class MockCluster;
  struct Impl;
  explicit Fault(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Frames held back where they pass. Its end releases them. Any member from any thread.
class MQCLIENT_EXPORT Held {
 public:
  Held(Held&&) noexcept;
  Held& operator=(Held&&) noexcept;
  ~Held();

  /// The first frame held, as soon as there is one. kTimeout: none came (virtual time passes meanwhile); kWouldBlock
  /// where waiting is not possible.
  Result<Captured> wait(std::chrono::milliseconds atMost = std::chrono::milliseconds{5000});
  /// Everything held goes on, in order, and nothing more is held.
  void release();
  /// The same, but each frame meets `action` first. Errors: kInvalidArgument, kUnsupported, as of inject(); then it is
  /// still held.
  Result<void> releaseWith(FaultAction action);
  /// It need not hold anything: MockCluster::faultsNeverFired() does not name it.
  void optional();

 private:
  friend class MockCluster;
  struct Impl;
  explicit Held(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace v1
}  // namespace mqclient
