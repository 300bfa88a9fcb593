#include "remoting/in_process_link.h"

#include <algorithm>
#include <utility>

#include "base/block_pool.h"

namespace mqclient::remoting {

using base::Chain;
using base::Next;
using base::Object;
using base::Ref;

namespace {
/// Held frames handed on in one step of the strand (S6).
constexpr int kResumeFramesPerStep = 64;
}  // namespace

struct LinkEnd::FrameTask final : base::Task, base::Pooled {
  FrameTask(LinkEnd& receiver, Chain&& f) noexcept : to(receiver), frame(std::move(f)) {}
  Next run() noexcept override {
    LinkEnd& end = to;
    Chain bytes = std::move(frame);
    delete this;
    end.arrived(std::move(bytes));
    return Next::kDone;
  }
  LinkEnd& to;
  Chain frame;
};

struct LinkEnd::DropTask final : base::Task {
  DropTask(LinkEnd& e, std::uint64_t t) noexcept : end(e), tag(t) {}
  Next run() noexcept override {
    if (!end.ended_) end.handler_->onDropped(tag, FrameFate::kNotSent);
    delete this;
    return Next::kDone;
  }
  LinkEnd& end;
  std::uint64_t tag;
};

struct LinkEnd::ResumeTask final : base::Task {
  explicit ResumeTask(LinkEnd& e) noexcept : end(e) {}
  Next run() noexcept override {
    const Next rest = end.resume();
    if (rest == Next::kDone) delete this;
    return rest;
  }
  LinkEnd& end;
};

/// The way of frames through a LinkPolicy: a strand of its own per direction, so that the policy sees the frames one at
/// a time and a delayed one is never overtaken.
struct LinkEnd::Output {
  struct SendTask final : base::Task {
    SendTask(Output& o, Chain&& f, std::uint64_t t) noexcept : output(o), frame(std::move(f)), tag(t) {}
    Next run() noexcept override {
      Output& out = output;
      Chain bytes = std::move(frame);
      const std::uint64_t its_tag = tag;
      delete this;
      out.decide(std::move(bytes), its_tag);
      return Next::kDone;
    }
    Output& output;
    Chain frame;
    std::uint64_t tag;
  };
  struct DelayTimer final : base::Timer {
    explicit DelayTimer(Output& o) noexcept : Timer(o.strand), output(o) {}
    void onTimer() noexcept override { output.flush(); }
    Output& output;
  };
  struct Delayed {
    base::SteadyTime due;
    Chain frame;
  };

  explicit Output(LinkEnd& e) noexcept : end(e), strand(e.strand().engine()), timer(*this) {}

  void decide(Chain frame, std::uint64_t tag) noexcept {
    Link& link = end.link_;
    if (link.closed()) return end.reportDropped(tag);
    const LinkVerdict verdict =
        link.policy_->onFrame(link.number_, link.client_address_, link.server_address_, !end.serves_, frame);
    switch (verdict.kind) {
      case LinkVerdict::Kind::kDrop:
        end.outputShrank(frame.size());
        return;
      case LinkVerdict::Kind::kCut:
        end.reportDropped(tag);
        link.close(end, Error(ErrorCode::kConnectionLost, "the connection was cut"),
                   Error(ErrorCode::kConnectionLost, "the connection was cut"));
        return;
      case LinkVerdict::Kind::kDeliver:
        break;
    }
    if (verdict.delay.count() <= 0 && queue.empty()) return end.forward(std::move(frame));
    const base::SteadyTime due = strand.engine().now() + std::max(verdict.delay, base::Nanos(0));
    queue.push_back({queue.empty() ? due : std::max(due, queue.back().due), std::move(frame)});
    if (queue.size() == 1) timer.arm(Ref<Object>(&link), queue.front().due);
  }

  void flush() noexcept {
    if (end.link_.closed()) return queue.clear();
    const base::SteadyTime now = strand.engine().now();
    while (!queue.empty() && queue.front().due <= now) {
      Chain frame = std::move(queue.front().frame);
      queue.pop_front();
      end.forward(std::move(frame));
    }
    if (!queue.empty()) timer.arm(Ref<Object>(&end.link_), queue.front().due);
  }

  /// Frames under way when the connection ended are lost; what became of them nobody can say.
  void closed() noexcept {
    queue.clear();
    timer.cancel();
  }

  LinkEnd& end;
  base::Strand strand;
  DelayTimer timer;
  std::deque<Delayed> queue;
};

LinkEnd::LinkEnd(Link& link, bool serves) noexcept : link_(link), serves_(serves), close_task_(*this) {}

LinkEnd::~LinkEnd() = default;

void LinkEnd::lastReferenceGone() noexcept {
  link_.release();
}

LinkEnd& LinkEnd::other() const noexcept {
  return serves_ ? link_.client_ : link_.server_;
}

const std::string& LinkEnd::peerAddress() const noexcept {
  return serves_ ? link_.client_address_ : link_.server_address_;
}

const std::string& LinkEnd::localAddress() const noexcept {
  return serves_ ? link_.server_address_ : link_.client_address_;
}

bool LinkEnd::hasRoom(std::size_t bytes) const noexcept {
  const std::size_t used = output_bytes_.load(std::memory_order_relaxed);
  return used <= kOutputBytesMax && bytes <= kOutputBytesMax - used;
}

bool LinkEnd::overOutputBound() const noexcept {
  return output_bytes_.load() > kOutputBytesMax;
}

void LinkEnd::send(Chain frame, std::uint64_t tag, base::SteadyTime /*useful_until*/) noexcept {
  if (link_.closed()) return reportDropped(tag);
  output_bytes_.fetch_add(frame.size(), std::memory_order_relaxed);
  if (!output_) return forward(std::move(frame));
  auto* task = new Output::SendTask(*output_, std::move(frame), tag);
  task->alive = Ref<Object>(&link_);
  output_->strand.post(*task);
}

void LinkEnd::forward(Chain&& frame) noexcept {
  LinkEnd& to = other();
  auto* task = new FrameTask(to, std::move(frame));
  task->alive = Ref<Object>(&link_);
  to.strand().post(*task);
}

void LinkEnd::reportDropped(std::uint64_t tag) noexcept {
  if (strand().isCurrent()) {
    if (!ended_) handler_->onDropped(tag, FrameFate::kNotSent);
    return;
  }
  auto* task = new DropTask(*this, tag);
  task->alive = Ref<Object>(&link_);
  strand().post(*task);
}

void LinkEnd::arrived(Chain&& frame) noexcept {
  if (serves_ && (!held_.empty() || mustHold())) {
    // N5: an answer is never refused, so whoever asks without taking the answers, or more than the handler takes, is
    // not read until half is out.
    held_.push_back(std::move(frame));
    paused_.store(true);
    if (mustHold() || !paused_.exchange(false)) return;
    if (resume() == Next::kAgain) {
      auto* task = new ResumeTask(*this);
      task->alive = Ref<Object>(&link_);
      strand().post(*task);
    }
    return;
  }
  handOn(std::move(frame));
}

void LinkEnd::handOn(Chain&& frame) noexcept {
  other().outputShrank(frame.size());
  if (ended_ || closed_here_.load(std::memory_order_relaxed)) return;
  handler_->onFrame(std::move(frame));
}

void LinkEnd::outputShrank(std::size_t bytes) noexcept {
  const std::size_t left = output_bytes_.fetch_sub(bytes) - bytes;
  if (left <= kOutputBytesMax / 2) framesWanted();
}

void LinkEnd::framesWanted() noexcept {
  if (!paused_.load() || !paused_.exchange(false)) return;
  auto* task = new ResumeTask(*this);
  task->alive = Ref<Object>(&link_);
  strand().post(*task);
}

base::Next LinkEnd::resume() noexcept {
  for (int i = 0; !held_.empty(); ++i) {
    if (i == kResumeFramesPerStep) return Next::kAgain;
    if (mustHold()) {
      paused_.store(true);
      if (mustHold() || !paused_.exchange(false)) return Next::kDone;
    }
    Chain frame = std::move(held_.front());
    held_.pop_front();
    handOn(std::move(frame));
  }
  return Next::kDone;
}

void LinkEnd::close(Error why) noexcept {
  closed_here_.store(true, std::memory_order_relaxed);
  link_.close(*this, std::move(why), Error(ErrorCode::kConnectionLost, "the connection was closed by the peer"));
}

base::Next LinkEnd::CloseTask::run() noexcept {
  end.ended_ = true;
  end.held_.clear();
  end.handler_->onClosed(why);
  return Next::kDone;
}

Link::Link(std::uint64_t number, std::string client, std::string server, std::shared_ptr<LinkPolicy> policy,
           std::shared_ptr<std::atomic<std::size_t>> open)
    : number_(number),
      client_address_(std::move(client)),
      server_address_(std::move(server)),
      policy_(std::move(policy)),
      open_(std::move(open)),
      client_(*this, false),
      server_(*this, true) {
  retain();  // one reference for each end, given up when the end's own last reference goes
  retain();
}

Ref<Connection> Link::takeEnd(bool server) noexcept {
  return Ref<Connection>::adopt(server ? &server_ : &client_);
}

void Link::establish(Ref<ConnectionHandler> client, Ref<ConnectionHandler> server) {
  client_.handler_ = std::move(client);
  server_.handler_ = std::move(server);
  if (policy_) {
    client_.output_ = std::make_unique<LinkEnd::Output>(client_);
    server_.output_ = std::make_unique<LinkEnd::Output>(server_);
  }
  open_->fetch_add(1, std::memory_order_relaxed);
}

void Link::activate() noexcept {
  if (phase_.exchange(Phase::kActive, std::memory_order_acq_rel) == Phase::kCloseWanted) postCloses();
}

void Link::close(LinkEnd& from, Error why, Error other_hears) noexcept {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  from.close_task_.why = std::move(why);
  from.other().close_task_.why = std::move(other_hears);
  if (phase_.exchange(Phase::kCloseWanted, std::memory_order_acq_rel) == Phase::kActive) postCloses();
}

void Link::postCloses() noexcept {
  const Ref<Object> self(this);  // the handlers let go of their ends as soon as they hear
  open_->fetch_sub(1, std::memory_order_relaxed);
  for (LinkEnd* end : {&client_, &server_}) {
    if (end->output_) {
      end->output_->strand.post(Ref<Object>(this), [end] { end->output_->closed(); });
    }
    end->close_task_.alive = Ref<Object>(this);
    end->strand().post(end->close_task_);
  }
}

}  // namespace mqclient::remoting
