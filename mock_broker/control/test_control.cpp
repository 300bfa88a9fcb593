#include "mock_broker/control/test_control.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/completion.h"
#include "base/wait.h"
#include "mock_broker/control/answers.h"
#include "mock_broker/control/rule_fields.h"
#include "mock_broker/control/token.h"

namespace mqclient::control {

namespace {

constexpr std::int64_t kIdMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kWaitDefaultMs = 5'000;
constexpr std::int64_t kWaitMaxMs = 60'000;
/// How often a fault is looked at by who waits for it.
constexpr base::Millis kLookEvery{1};
/// Messages or frames of one answer, and about how many bytes they may take.
constexpr std::int64_t kListDefault = 100;
constexpr std::int64_t kListMax = 4'096;
constexpr std::size_t kAnswerBytesMax = 16u << 20;

template <class F>
std::string answerOf(F fill) {
  std::string text;
  protocol::JsonWriter json(text);
  AnswerObject object(json);
  fill(object);
  return text;
}

int statusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kClosed:
    case ErrorCode::kQueueFull:
      return 409;
    case ErrorCode::kTimeout:
      return 504;
    default:
      return 500;
  }
}

void writeNames(protocol::JsonWriter& json, const std::vector<std::string>& names) {
  json.beginArray();
  for (const std::string& name : names) json.value(std::string_view(name));
  json.endArray();
}

/// The elements from `first` on, as JSON, as long as the answer has room; answers how many were written.
template <class Elements, class Write>
std::size_t writeList(protocol::JsonWriter& json, const std::string& text, const Elements& elements, std::size_t first,
                      std::size_t most, Write write) {
  std::size_t written = 0;
  json.beginArray();
  while (first + written < elements.size() && written < most && text.size() < kAnswerBytesMax) {
    write(json, elements[first + written++]);
  }
  json.endArray();
  return written;
}

Result<std::string> noArguments(std::string_view arguments, std::string answer) {
  FieldReader reader(arguments);
  if (auto read = reader.read({}); !read) return read.error();
  return answer;
}

}  // namespace

Result<std::unique_ptr<TestControl>> TestControl::start(Options options, base::Ref<base::Engine> engine,
                                                        base::Ref<faults::FaultPlan> plan, standalone::Server& server) {
  std::unique_ptr<TestControl> control(new TestControl(std::move(options.token), engine, std::move(plan), server));
  auto http = HttpServer::start(std::move(engine), {.port = options.port},
                                [c = control.get()](const HttpRequest& request) { return c->answer(request); });
  if (!http) return http.error();
  control->http_ = std::move(*http);
  return control;
}

TestControl::TestControl(std::string token, base::Ref<base::Engine> engine, base::Ref<faults::FaultPlan> plan,
                         standalone::Server& server)
    : token_(std::move(token)), engine_(std::move(engine)), plan_(std::move(plan)), server_(server) {
  plan_->watch();
}

TestControl::~TestControl() {
  stop();
}

void TestControl::stop() {
  stopping_ = true;
  if (http_) http_->stop();
  clearAll();
}

const std::vector<TestControl::Verb>& TestControl::verbs() {
  static const std::vector<Verb> kVerbs{
      {"inject", &TestControl::inject},
      {"hold", &TestControl::hold},
      {"wait", &TestControl::wait},
      {"release", &TestControl::release},
      {"fired", &TestControl::fired},
      {"clear", &TestControl::clear},
      {"neverFired", &TestControl::neverFired},
      {"requests", &TestControl::requests},
      {"trace", &TestControl::trace},
      {"messages", &TestControl::messages},
      {"committedOffset", &TestControl::committedOffset},
      {"members", &TestControl::members},
      {"stopBroker", &TestControl::stopBroker},
      {"startBroker", &TestControl::startBroker},
      {"state", &TestControl::state},
  };
  return kVerbs;
}

HttpAnswer TestControl::answer(const HttpRequest& request) {
  if (!carriesToken(request.authorization, token_)) {
    return refusal(401, "the token is expected: Authorization: Bearer TOKEN");
  }
  if (request.method != "POST") return refusal(405, "verbs are asked for with POST");
  const std::string_view target = request.target;
  const auto verb = std::ranges::find_if(
      verbs(), [target](const Verb& one) { return target.starts_with('/') && target.substr(1) == one.name; });
  if (verb == verbs().end()) {
    std::string names;
    for (const Verb& one : verbs()) (names += names.empty() ? "/" : ", /") += one.name;
    return refusal(404, "there are: " + names);
  }
  const Answer answer = (this->*verb->run)(request.body);
  return answer ? HttpAnswer{200, *answer} : refusal(statusOf(answer.error().code()), answer.error().message());
}

// ---- faults

TestControl::Answer TestControl::keep(Result<RulePointer> rule, bool optional) {
  if (!rule) return rule.error();
  if (optional) (*rule)->makeOptional();
  std::int64_t id = 0;
  {
    base::MutexLock lock(mutex_);
    if (rules_.size() < kRulesMax) {
      id = ++last_id_;
      rules_[id] = *rule;
    }
  }
  if (id != 0) return answerOf([id](AnswerObject& o) { o.number("id", id); });
  plan_->clear(*rule);
  return Error(ErrorCode::kQueueFull, std::to_string(kRulesMax) + " faults are in force; clear some");
}

Result<TestControl::RulePointer> TestControl::ruleOf(std::int64_t id) const {
  base::MutexLock lock(mutex_);
  const auto found = rules_.find(id);
  if (found != rules_.end()) return found->second;
  return Error(ErrorCode::kInvalidArgument,
               "id is wrong: no fault or hold in force has the number " + std::to_string(id));
}

TestControl::Answer TestControl::inject(std::string_view arguments) {
  Match match;
  std::optional<FaultAction> action;
  bool optional = false;
  FieldReader reader(arguments);
  auto read = reader.read({matchField("match", match),
                           actionField("action", action, Need::kRequired),
                           {"optional", [&optional](FieldReader& r) { return r.truth(optional); }}});
  if (!read) return read.error();
  return keep(plan_->inject(std::move(match), *std::move(action)), optional);
}

TestControl::Answer TestControl::hold(std::string_view arguments) {
  Match match;
  bool optional = false;
  FieldReader reader(arguments);
  auto read = reader.read(
      {matchField("match", match), {"optional", [&optional](FieldReader& r) { return r.truth(optional); }}});
  if (!read) return read.error();
  return keep(plan_->hold(std::move(match)), optional);
}

TestControl::Answer TestControl::wait(std::string_view arguments) {
  std::int64_t id = 0;
  int times = 1;
  base::Millis at_most{kWaitDefaultMs};
  FieldReader reader(arguments);
  auto read = reader.read({numberField("id", id, 1, kIdMax, Need::kRequired),
                           numberField("times", times, 1, std::numeric_limits<int>::max()),
                           numberField("timeoutMs", at_most, 0, kWaitMaxMs)});
  if (!read) return read.error();
  auto found = ruleOf(id);
  if (!found) return found.error();
  const RulePointer rule = *found;
  const auto never = base::makeRef<base::WaitSlot>();
  const base::SteadyTime deadline = engine_->now() + at_most;
  while (rule->fired() < times) {
    if (stopping_ || rule->ended()) return Error(ErrorCode::kClosed, "the fault was cleared meanwhile");
    if (engine_->now() >= deadline) {
      return Error(ErrorCode::kTimeout, rule->toString() + ": " + std::to_string(rule->fired()) + " times within " +
                                            std::to_string(at_most.count()) + " ms; /trace shows what passed");
    }
    engine_->waitFor(*never, engine_->now() + kLookEvery);
  }
  return answerOf([&rule](AnswerObject& o) {
    o.number("fired", rule->fired());
    if (const auto first = rule->firstHeld()) write(o.member("frame"), *first);
  });
}

TestControl::Answer TestControl::release(std::string_view arguments) {
  std::int64_t id = 0;
  std::optional<FaultAction> action;
  FieldReader reader(arguments);
  auto read = reader.read({numberField("id", id, 1, kIdMax, Need::kRequired), actionField("action", action)});
  if (!read) return read.error();
  const auto rule = ruleOf(id);
  if (!rule) return rule.error();
  if (!(*rule)->holds()) return Error(ErrorCode::kInvalidArgument, "id is wrong: a fault holds nothing; clear it");
  RulePointer next;
  if (action) {
    auto once = plan_->onceReleased(*std::move(action));
    if (!once) return once.error();
    next = *std::move(once);
  }
  {
    base::MutexLock lock(mutex_);
    rules_.erase(id);
  }
  plan_->clear(*rule, next);
  return answerOf([&rule](AnswerObject& o) { o.number("fired", (*rule)->fired()); });
}

TestControl::Answer TestControl::fired(std::string_view arguments) {
  std::int64_t id = 0;
  FieldReader reader(arguments);
  if (auto read = reader.read({numberField("id", id, 1, kIdMax, Need::kRequired)}); !read) return read.error();
  const auto rule = ruleOf(id);
  if (!rule) return rule.error();
  return answerOf([&rule](AnswerObject& o) { o.number("fired", (*rule)->fired()); });
}

void TestControl::clearAll() {
  std::map<std::int64_t, RulePointer> all;
  {
    base::MutexLock lock(mutex_);
    all.swap(rules_);
  }
  for (const auto& [id, rule] : all) plan_->clear(rule);
}

TestControl::Answer TestControl::clear(std::string_view arguments) {
  std::int64_t id = 0;
  FieldReader reader(arguments);
  if (auto read = reader.read({numberField("id", id, 1, kIdMax)}); !read) return read.error();
  if (id == 0) {
    clearAll();
    return answerOf([](AnswerObject&) {});
  }
  const auto rule = ruleOf(id);
  if (!rule) return rule.error();
  {
    base::MutexLock lock(mutex_);
    rules_.erase(id);
  }
  plan_->clear(*rule);
  return answerOf([&rule](AnswerObject& o) { o.number("fired", (*rule)->fired()); });
}

TestControl::Answer TestControl::neverFired(std::string_view arguments) {
  return noArguments(arguments,
                     answerOf([this](AnswerObject& o) { writeNames(o.member("faults"), plan_->neverFired()); }));
}

// ---- what passed

TestControl::Answer TestControl::requests(std::string_view arguments) {
  Match match;
  std::int64_t limit = kListDefault;
  RawBytes raw = RawBytes::kLeftOut;
  const auto take_raw = [&raw](FieldReader& r) {
    bool shown = false;
    if (!r.truth(shown)) return false;
    raw = shown ? RawBytes::kShown : RawBytes::kLeftOut;
    return true;
  };
  FieldReader reader(arguments);
  auto read = reader.read({matchField("match", match), numberField("limit", limit, 1, kListMax), {"raw", take_raw}});
  if (!read) return read.error();
  const std::vector<Captured> frames = plan_->recording().frames(match);
  const std::size_t most = static_cast<std::size_t>(limit);
  const std::size_t first = frames.size() - std::min(frames.size(), most);
  std::string text;
  protocol::JsonWriter json(text);
  {
    AnswerObject object(json);
    const std::size_t written = writeList(object.member("frames"), text, frames, first, most,
                                          [raw](auto& to, const Captured& frame) { write(to, frame, raw); });
    object.number("leftOut", static_cast<std::int64_t>(frames.size() - written));
  }
  return text;
}

TestControl::Answer TestControl::trace(std::string_view arguments) {
  std::string lines = plan_->recording().trace();
  if (!lines.empty()) lines.pop_back();
  std::ranges::replace(lines, '\n', ',');  // each line is an object, and none has a line's end inside
  return noArguments(arguments, answerOf([&lines](AnswerObject& o) { o.member("events").raw('[' + lines + ']'); }));
}

// ---- the broker

Result<void> TestControl::look(UniqueFunction<void(const broker::Inspection&)> look) {
  auto looked = base::makeOperation<void>(engine_->callbackTarget());
  const bool running = server_.inspect([&look, done = std::move(looked.completion)](const auto& inspection) mutable {
    look(inspection);
    std::move(done)(Result<void>());
  });
  if (running) return std::move(looked.future).get();
  std::move(looked.future).detach();
  return Error(ErrorCode::kClosed, server_.brokerName() + " is stopped");
}

TestControl::Answer TestControl::messages(std::string_view arguments) {
  std::string topic;
  int queue_id = -1;
  std::int64_t from = 0;
  std::int64_t limit = kListDefault;
  FieldReader reader(arguments);
  auto read = reader.read({textField("topic", topic, Need::kRequired),
                           numberField("queueId", queue_id, 0, std::numeric_limits<int>::max()),
                           numberField("fromOffset", from, 0, kIdMax), numberField("limit", limit, 1, kListMax)});
  if (!read) return read.error();
  std::vector<broker::StoredMessage> stored;
  auto looked = look([&](const broker::Inspection& inspection) { stored = inspection.messages(topic); });
  if (!looked) return looked.error();
  std::erase_if(stored, [&](const broker::StoredMessage& message) {
    return message.queueOffset < from || (queue_id >= 0 && message.queueId != queue_id);
  });
  std::string text;
  protocol::JsonWriter json(text);
  {
    AnswerObject object(json);
    const std::size_t written = writeList(object.member("messages"), text, stored, 0, static_cast<std::size_t>(limit),
                                          [](auto& to, const broker::StoredMessage& message) { write(to, message); });
    object.number("leftOut", static_cast<std::int64_t>(stored.size() - written));
  }
  return text;
}

TestControl::Answer TestControl::committedOffset(std::string_view arguments) {
  std::string group;
  std::string topic;
  int queue_id = 0;
  FieldReader reader(arguments);
  auto read = reader.read({textField("group", group, Need::kRequired), textField("topic", topic, Need::kRequired),
                           numberField("queueId", queue_id, 0, std::numeric_limits<int>::max(), Need::kRequired)});
  if (!read) return read.error();
  std::int64_t offset = -1;
  auto looked = look([&](const broker::Inspection& inspection) {
    offset = inspection.committedOffset(group, topic, queue_id).value_or(-1);
  });
  if (!looked) return looked.error();
  return answerOf([offset](AnswerObject& o) { o.number("offset", offset); });
}

TestControl::Answer TestControl::members(std::string_view arguments) {
  std::string group;
  FieldReader reader(arguments);
  if (auto read = reader.read({textField("group", group, Need::kRequired)}); !read) return read.error();
  std::vector<std::string> ids;
  auto looked = look([&](const broker::Inspection& inspection) { ids = inspection.members(group); });
  if (!looked) return looked.error();
  return answerOf([&ids](AnswerObject& o) { writeNames(o.member("members"), ids); });
}

TestControl::Answer TestControl::steer(std::string_view arguments, Steering what) {
  if (auto read = FieldReader(arguments).read({}); !read) return read.error();
  auto done = base::makeOperation<void>(engine_->callbackTarget());
  (server_.*what)(std::move(done.completion));
  if (auto answer = std::move(done.future).get(); !answer) return answer.error();
  return state({});
}

TestControl::Answer TestControl::stopBroker(std::string_view arguments) {
  return steer(arguments, &standalone::Server::stopBroker);
}

TestControl::Answer TestControl::startBroker(std::string_view arguments) {
  return steer(arguments, &standalone::Server::startBroker);
}

TestControl::Answer TestControl::state(std::string_view arguments) {
  std::string text;
  protocol::JsonWriter json(text);
  {
    AnswerObject object(json);
    object.text("namesrvAddr", server_.namesrvAddr());
    object.member("nodes").beginArray();
    const auto node = [&json](std::string_view role, const std::string& name, const std::string& address,
                              bool running) {
      AnswerObject one(json);
      one.text("role", role);
      one.text("name", name);
      one.text("address", address);
      one.truth("running", running);
    };
    for (std::size_t i = 0; i < server_.ownNameservers().size(); ++i) {
      node("nameserver", "nameserver-" + std::to_string(i), server_.ownNameservers()[i], true);
    }
    node("broker", server_.brokerName(), server_.brokerAddress(), server_.brokerRunning());
    json.endArray();
  }
  return noArguments(arguments, std::move(text));
}

}  // namespace mqclient::control
