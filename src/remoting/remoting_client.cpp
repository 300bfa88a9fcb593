#include "remoting/remoting_client.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/answer_source.h"
#include "base/mutex.h"
#include "remoting/client_channel.h"

namespace mqclient::remoting {

using base::Chain;
using base::Completion;
using base::Ref;
using base::SteadyTime;
using protocol::RemotingCommand;

namespace {

/// What a channel may leave in the client's count: a small part of the bound.
constexpr std::size_t kCountedLateMax = 32;
constexpr std::size_t kCountedLatePart = 1024;

/// The channels by address. Channels keep it alive, it keeps them until they are forgotten or the client is closed.
class ClientCore final : public ClientShared {
 public:
  /// Null: closed.
  Ref<ClientChannel> channel(const std::string& address) {
    base::MutexLock lock(mutex_);
    if (closed_) return nullptr;
    if (last_ && last_->address() == address) return last_.take();
    Ref<ClientChannel>& found = channels_[address];
    if (!found) {
      found = base::makeRef<ClientChannel>(Ref<ClientShared>(this), address);
      ++living_;
    }
    last_ = base::RefStock<ClientChannel>(found);
    return last_.take();
  }

  /// How many were under way before this request; none: the client's bound is reached.
  std::optional<std::size_t> admit() noexcept {
    const std::size_t before = in_flight.fetch_add(1, std::memory_order_relaxed);
    if (before < options.in_flight_max) return before;
    in_flight.fetch_sub(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  Error full() const {
    return Error(ErrorCode::kQueueFull,
                 std::to_string(options.in_flight_max) + " requests of this client are under way: try later");
  }
  static Error closedError() { return Error(ErrorCode::kClosed, "the client was closed"); }

  /// Adds an invocation to the channel of `address`; `make` builds it.
  template <class T, class Make>
  void begin(const std::string& address, Completion<T> done, Make make) {
    const std::optional<std::size_t> others = admit();
    if (!others) return std::move(done)(full());
    Ref<ClientChannel> to = channel(address);
    if (!to) {
      in_flight.fetch_sub(1, std::memory_order_relaxed);
      return std::move(done)(closedError());
    }
    const bool gather = *others > 0 && !base::BlockingCall::underWay();
    Invocation& i = *make(*to, std::move(done));
    ClientChannel::invoke(std::move(to), i, gather ? ClientChannel::Pace::kGather : ClientChannel::Pace::kAtOnce);
  }

  void forget(const std::string& address) {
    Ref<ClientChannel> gone;
    {
      base::MutexLock lock(mutex_);
      const auto found = channels_.find(address);
      if (found == channels_.end()) return;
      gone = std::move(found->second);
      last_ = {};
      channels_.erase(found);
    }
    gone->end(Error(ErrorCode::kConnectionLost, address + " is not needed any more"));
  }

  void close(Completion<void> done) {
    UpperSide done_with;
    std::map<std::string, Ref<ClientChannel>> channels;  // by name: nothing observable follows the order of a hash
    {
      base::MutexLock lock(mutex_);
      closed_ = true;
      for (auto& [address, c] : channels_) channels.emplace(address, std::move(c));
      last_ = {};
      channels_.clear();
      if (living_ == 0) {
        takeUpperSide(done_with);
      } else {
        closers_.push_back(std::move(done));
      }
    }
    for (const auto& [address, c] : channels) c->end(closedError());
    // Handed to the closers it is empty, which is what is asked here.
    if (done) std::move(done)(Result<void>());  // NOLINT(bugprone-use-after-move)
  }

  void onChannelEnded() noexcept override {
    std::vector<Completion<void>> closers;
    UpperSide done_with;
    {
      base::MutexLock lock(mutex_);
      if (--living_ > 0 || !closed_) return;
      takeUpperSide(done_with);
      closers.swap(closers_);
    }
    for (Completion<void>& c : closers) std::move(c)(Result<void>());
  }

 private:
  /// What may own the client itself: let go once no channel can ask for it any more.
  struct UpperSide {
    Ref<RequestHandler> handler;
    Ref<RemotingClient::Events> events;
  };
  void takeUpperSide(UpperSide& to) noexcept {
    to.handler = std::move(handler);
    to.events = std::move(events);
  }

  base::Mutex mutex_;
  std::unordered_map<std::string, Ref<ClientChannel>> channels_ MQ_GUARDED_BY(mutex_);
  base::RefStock<ClientChannel> last_ MQ_GUARDED_BY(mutex_);  // the one that was asked for last
  std::size_t living_ MQ_GUARDED_BY(mutex_) = 0;              // channels not yet ended, forgotten ones included
  bool closed_ MQ_GUARDED_BY(mutex_) = false;
  std::vector<Completion<void>> closers_ MQ_GUARDED_BY(mutex_);
};

/// The handle: dropping it closes, whatever the channels still hold.
class Client final : public RemotingClient {
 public:
  explicit Client(Ref<ClientCore> core) noexcept : core_(std::move(core)) {}
  ~Client() override { core_->close({}); }

  void invoke(const std::string& address, std::int32_t opaque, Chain frame, SteadyTime deadline,
              Completion<RemotingCommand> done, WhenOutputFull when_full) override {
    core_->begin(address, std::move(done), [&](ClientChannel& c, Completion<RemotingCommand>&& d) {
      return new Invocation(c, opaque, std::move(frame), deadline, std::move(d), when_full);
    });
  }
  void invokeOneway(const std::string& address, Chain frame, SteadyTime deadline, Completion<void> done,
                    WhenOutputFull when_full) override {
    core_->begin(address, std::move(done), [&](ClientChannel& c, Completion<void>&& d) {
      return new Invocation(c, std::move(frame), deadline, std::move(d), when_full);
    });
  }
  void setRequestHandler(Ref<RequestHandler> handler) override { core_->handler = std::move(handler); }
  void setEvents(Ref<Events> events) override { core_->events = std::move(events); }
  void forget(const std::string& address) override { core_->forget(address); }
  std::size_t connections() const override { return core_->open.load(std::memory_order_relaxed); }
  const RemotingClientCounters& counters() const noexcept override { return core_->counters; }
  void close(Completion<void> done) override { core_->close(std::move(done)); }

 private:
  const Ref<ClientCore> core_;
};

}  // namespace

Ref<RemotingClient> RemotingClient::make(Ref<base::Engine> engine, Ref<Transport> transport, Ref<base::Log> log,
                                         RemotingClientOptions options) {
  Ref<ClientCore> core = base::makeRef<ClientCore>();
  core->engine = std::move(engine);
  core->transport = std::move(transport);
  core->log = std::move(log);
  core->options = options;
  core->counted_late = std::min(kCountedLateMax, options.in_flight_max / kCountedLatePart);
  return base::makeRef<Client>(std::move(core));
}

}  // namespace mqclient::remoting
