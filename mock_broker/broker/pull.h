#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/strand.h"
#include "base/timer.h"
#include "mock_broker/broker/core.h"

namespace mqclient::broker {

/// One pull on its way: checked in *tables*, scanned outside strands, held in *tables* if there is nothing yet.
///
/// Owner    whichever task carries it, or the hold table. It owns copies of its fields, no receive buffer (C5).
/// Members  begin() may touch everything in *tables*; scan() reads what begin() left and touches nothing else.
class PullRequest final : public base::Object {
 public:
  enum class Stage { kBegin, kScan, kHold };

  PullRequest(base::Ref<BrokerCore> core, base::Ref<remoting::Peer> peer, remoting::Responder responder);

  /// Takes the next step where it belongs.
  void go(Stage stage) noexcept;
  bool maySuspend() const noexcept;
  void answer(ResponseCode code, std::string_view remark, const store::GetMessageResult& found);

  const base::Ref<BrokerCore> core;
  const base::Ref<remoting::Peer> peer;
  remoting::Responder responder;

  std::string group;
  std::string topic;
  std::int32_t queue_id{0};
  std::int32_t count_max{0};
  std::int64_t offset{0};
  std::int64_t bytes_max{0};
  std::int64_t commit_offset{0};
  std::int64_t sub_version{0};
  std::int64_t suspend_ms{0};
  std::int32_t sys_flag{0};
  std::int32_t topic_sys_flag{0};
  std::int32_t group_sys_flag{0};
  bool lite{false};
  bool sql{false};             ///< asked for an expression type other than TAG
  bool bad_expression{false};  ///< the request's own subscription cannot be read
  bool first{true};            ///< false: after a wake-up or the end of the hold; answers whatever there is
  bool held{false};
  std::shared_ptr<const store::TagFilter> filter;
  base::Ref<store::ConsumeQueue> queue;
  std::int64_t looked_to{0};                  ///< while held: units below did not pass
  std::size_t queue_index{0}, peer_index{0};  ///< places in the hold table

  struct Expiry final : base::Timer {
    explicit Expiry(PullRequest& p);
    void onTimer() noexcept override;
    PullRequest& pull;
  };
  Expiry expiry;

 private:
  struct Step final : base::Task {
    explicit Step(PullRequest& p) : pull(p) {}
    base::Next run() noexcept override;
    PullRequest& pull;
  };
  void scan();

  Step step_;
  Stage stage_{Stage::kBegin};
};

}  // namespace mqclient::broker
