// mqbroker: a nameserver and a broker in one process. See docs/mqbroker.md.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>

#include "base/completion.h"
#include "base/engine.h"
#include "base/wait.h"
#include "mock_broker/control/test_control.h"
#include "mock_broker/control/token.h"
#include "mock_broker/standalone/command_line.h"
#include "mock_broker/standalone/server.h"
#include "mock_broker/standalone/settings.h"
#include "mqclient/version.h"
#include "remoting/tcp_socket.h"

namespace {

using namespace mqclient;

constexpr int kExitFailed = 1;
constexpr int kExitWrong = 2;
/// From the first SIGTERM: then the process ends whatever still runs.
constexpr unsigned kSecondsToEnd = 10;
constexpr base::Millis kPatience{2'000};
constexpr base::Millis kLookEvery{1};
constexpr std::size_t kConfigBytesMax = 1 << 20;

void say(const char* kind, const std::string& text) {
  std::fprintf(stderr, "mqbroker: %s%s\n", kind, text.c_str());
}

void logLine(LogLevel level, std::string_view component, std::string_view line) {
  static constexpr std::array kNames{"ERROR", "WARN", "INFO", "DEBUG"};
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm local;
  localtime_r(&now.tv_sec, &local);
  std::array<char, 32> stamp;
  std::strftime(stamp.data(), stamp.size(), "%F %T", &local);
  std::fprintf(stderr, "%s.%03ld %s %.*s: %.*s\n", stamp.data(), now.tv_nsec / 1'000'000,
               kNames[static_cast<std::size_t>(level)], static_cast<int>(component.size()), component.data(),
               static_cast<int>(line.size()), line.data());
}

Result<std::string> readFile(const std::string& path) {
  const auto failed = [&path](const char* what) {
    return Error(ErrorCode::kInvalidArgument, path + ": " + what + ": " + remoting::systemText(errno));
  };
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed("cannot be opened");
  std::string text;
  std::array<char, 4096> part;
  ssize_t got = 0;
  while (text.size() <= kConfigBytesMax && (got = read(file, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  Result<std::string> answer =
      got < 0 ? Result<std::string>(failed("cannot be read")) : Result<std::string>(std::move(text));
  close(file);
  if (answer && answer->size() > kConfigBytesMax) {
    return Error(ErrorCode::kInvalidArgument, path + ": over 1 MiB; a configuration of key=value lines is expected");
  }
  return answer;
}

/// Every complaint goes to standard error; false if there was one.
bool readSettings(const standalone::CommandLine& line, standalone::Settings& settings) {
  using standalone::ConfigFile;
  standalone::SettingsReader reader;
  bool good = true;
  const auto readConfig = [&](const std::string& path, ConfigFile file) {
    if (path.empty()) return;
    const auto text = readFile(path);
    auto properties = text ? standalone::parseProperties(path, *text) : text.error();
    if (properties) return reader.read(*properties, file);
    say("", properties.error().message());
    good = false;
  };
  readConfig(line.namesrv_config_file, ConfigFile::kNamesrv);
  reader.read(line.namesrv, ConfigFile::kNamesrv);
  readConfig(line.config_file, ConfigFile::kBroker);
  reader.read(line.broker);
  settings = reader.finish();
  for (const std::string& warning : reader.warnings()) say("warning: ", warning);
  for (const std::string& error : reader.errors()) say("", error);
  return good && reader.errors().empty();
}

/// What is known before anything runs.
struct Start {
  standalone::CommandLine line{};
  standalone::Settings settings{};
  std::string control_token{};  ///< empty: no test control
};

sigset_t endingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void tellAboutStart(const standalone::Settings& settings, const standalone::Server& server) {
  constexpr std::int64_t kMiB = 1 << 20;
  say("", "messages are kept in memory only, the last " + std::to_string(settings.broker.memoryLogBytesMax / kMiB) +
              " MiB of them (memoryLogBytesMax), and end with this process");
  if (!standalone::isLoopback(settings.bindAddress)) {
    say("warning: ", "listens at " + settings.bindAddress + ": whoever reaches it may send and read");
  }
  std::string foreign;
  for (const std::string& address : server.foreignNameservers()) foreign += (foreign.empty() ? "" : ";") + address;
  say("", settings.broker.brokerName + " listens at " + server.brokerAddress() +
              (foreign.empty() ? "" : " and registers with " + foreign));
}

/// Connections hold the runtime for a moment after they have ended; whose reference is the last one joins its threads.
void endRuntime(base::Ref<base::Engine> engine) {
  const auto never = base::makeRef<base::WaitSlot>();
  const base::SteadyTime deadline = engine->now() + kPatience;
  while (!engine->isLastReference() && engine->now() < deadline) engine->waitFor(*never, engine->now() + kLookEvery);
}

/// What of it tests may steer; null without a token.
Result<std::unique_ptr<control::TestControl>> startControl(const base::Ref<base::Engine>& engine, const Start& start,
                                                           const base::Ref<faults::FaultPlan>& plan,
                                                           standalone::Server& server) {
  if (!plan) return std::unique_ptr<control::TestControl>();
  auto control = control::TestControl::start({start.control_token, start.line.test_control_port}, engine, plan, server);
  if (!control) {
    return Error(control.error().code(), "the test control " + control.error().message() +
                                             "; choose another port with --test-control-port (0: any free one)");
  }
  say("warning: ", "under test control at " + (*control)->address() +
                       ": whoever has the token makes it fail, and reads what is stored");
  return control;
}

int serve(const base::Ref<base::Engine>& engine, const Start& start) {
  const standalone::Settings& settings = start.settings;
  const auto plan = start.control_token.empty() ? base::Ref<faults::FaultPlan>()
                                                : base::makeRef<faults::FaultPlan>(engine, faults::Carrier::kSockets);
  auto started =
      standalone::Server::start(settings, engine, base::Log::make(*engine, start.line.log_level, logLine), plan);
  if (!started) {
    say("", started.error().message());
    return kExitFailed;
  }
  standalone::Server& server = **started;
  tellAboutStart(settings, server);
  auto control = startControl(engine, start, plan, server);
  if (!control) {
    say("", control.error().message());
    return kExitFailed;
  }
  auto ready = base::makeOperation<void>(engine->callbackTarget());
  server.whenReady(std::move(ready.completion));
  std::string lines = server.namesrvAddr() + '\n';
  if (*control) lines += "test control " + (*control)->address() + '\n';
  std::move(ready.future).then([lines = std::move(lines)](Result<void> known) {
    if (!known) return;  // ended before
    std::fputs(lines.c_str(), stdout);
    std::fflush(stdout);
  });

  const sigset_t ending = endingSignals();
  int signal = 0;
  sigwait(&ending, &signal);
  // From here on the system does it: a second signal ends the process, and so does the clock.
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
  alarm(kSecondsToEnd);
  if (*control) (*control)->stop();
  auto stopped = base::makeOperation<void>(engine->callbackTarget());
  server.stop(std::move(stopped.completion));
  const auto answer = std::move(stopped.future).get();
  if (!answer) say("", answer.error().message());
  return answer ? 0 : kExitFailed;
}

int run(const Start& start) {
  auto engine = base::makeThreadedEngine({});
  if (!engine) {
    say("", engine.error().message());
    return kExitFailed;
  }
  const int status = serve(*engine, start);
  endRuntime(std::move(*engine));
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const auto line = standalone::parseCommandLine(
      std::span<const char* const>(argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)));
  if (!line) {
    say("", line.error().message());
    return kExitWrong;
  }
  if (line->action == standalone::CommandLine::Action::kHelp) {
    const std::string_view text = standalone::helpText();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return 0;
  }
  if (line->action == standalone::CommandLine::Action::kVersion) {
    std::printf("mqbroker %s\n", MQCLIENT_VERSION);
    return 0;
  }
  Start start{.line = *line};
  if (!readSettings(*line, start.settings)) return kExitWrong;
  if (line->action == standalone::CommandLine::Action::kPrintConfig) {
    std::fputs(standalone::printed(start.settings).c_str(), stdout);
    return 0;
  }
  if (!line->test_control_token_file.empty()) {
    auto token = control::readTokenFile(line->test_control_token_file);
    if (!token) {
      say("", token.error().message());
      return kExitWrong;
    }
    start.control_token = *std::move(token);
  }
  // Before any thread is made: all of them leave these to main, which waits for them.
  const sigset_t ending = endingSignals();
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return run(start);
}
