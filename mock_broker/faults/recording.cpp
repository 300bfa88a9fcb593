#include "mock_broker/faults/recording.h"

#include <utility>

#include "mock_broker/faults/captured_frame.h"
#include "protocol/json.h"

namespace mqclient::faults {

namespace {

/// What a captured frame occupies, near enough.
std::size_t bytesOf(const Captured& frame) {
  return frame.raw.size() + frame.body.size();
}

class Line {
 public:
  explicit Line(std::string& to) : json_(to) { json_.beginObject(); }
  void text(const char* name, std::string_view value) {
    if (value.empty()) return;
    json_.key(name);
    json_.value(value);
  }
  void number(const char* name, std::int64_t value) {
    json_.key(name);
    json_.value(value);
  }
  void end() { json_.endObject(); }

 private:
  protocol::JsonWriter json_;
};

void writeFrame(Line& line, const Captured& f) {
  const bool reply = f.responseCode >= 0;
  line.text("event", reply ? "reply" : "request");
  line.text("direction", f.direction == FrameDirection::kToNode ? "toNode" : "fromNode");
  line.text("node", f.node);
  line.number("connection", static_cast<std::int64_t>(f.connection));
  line.text("from", f.from);
  line.text("to", f.to);
  line.text("client", f.clientId);
  line.number("code", static_cast<int>(f.code));
  line.text("name", toString(f.code));
  line.number("opaque", f.opaque);
  if (f.oneway) line.text("oneway", "yes");
  if (reply) line.number("response", f.responseCode);
  line.text("remark", f.remark);
  line.text("topic", f.topic);
  line.text("group", f.group);
  if (f.queueId >= 0) line.number("queue", f.queueId);
  line.number("bytes", static_cast<std::int64_t>(f.raw.size()));
  line.text("fault", f.fault);
}

}  // namespace

void Recording::addFrame(Captured frame) {
  const auto at = frame.at;
  add({at, {}, {}, std::move(frame)});
}

void Recording::addEvent(std::chrono::milliseconds at, std::string what, std::string about) {
  add({at, std::move(what), std::move(about), {}});
}

void Recording::add(Event event) {
  std::deque<Shared> gone;  // dies outside the lock
  const std::size_t size = bytesOf(event.frame);
  auto shared = std::make_shared<const Event>(std::move(event));
  base::MutexLock lock(mutex_);
  events_.push_back(std::move(shared));
  bytes_ += size;
  while (events_.size() > kEventsMax || (bytes_ > kBytesMax && events_.size() > 1)) {
    bytes_ -= bytesOf(events_.front()->frame);
    gone.push_back(std::move(events_.front()));
    events_.pop_front();
  }
}

std::deque<Recording::Shared> Recording::events() const {
  base::MutexLock lock(mutex_);
  return events_;
}

std::vector<Captured> Recording::frames(const Match& match) const {
  std::vector<Captured> found;
  for (const Shared& event : events()) {
    if (event->what.empty() && fits(match, event->frame, std::nullopt)) found.push_back(event->frame);
  }
  return found;
}

std::string Recording::trace() const {
  std::string text;
  for (const Shared& event : events()) {
    Line line(text);
    line.number("ms", event->at.count());
    if (event->what.empty()) {
      writeFrame(line, event->frame);
    } else {
      line.text("event", event->what);
      line.text("about", event->about);
    }
    line.end();
    text += '\n';
  }
  return text;
}

}  // namespace mqclient::faults
