#include "workers.h"

#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <utility>

namespace mqclient::simulation {
namespace {

/// Real time after which a seed counts as hung: a thousand times what one takes.
constexpr unsigned kSecondsPerSeed = 120;
constexpr std::size_t kWorkersMin = 2;
constexpr std::size_t kWorkersMax = 16;

bool writeAll(int to, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(to, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    written += static_cast<std::size_t>(n);
  }
  return true;
}

/// One line of numbers, then one line per violation, then an empty one.
std::string encode(const Figures& f) {
  std::ostringstream out;
  out << f.trace_hash << ' ' << f.schedule_hash << ' ' << f.events << ' ' << f.frames << ' ' << f.virtual_millis << ' '
      << f.sends << ' ' << f.messages << ' ' << f.deliveries << ' ' << f.repeated << ' ' << f.membership_changes << ' '
      << f.abrupt_leaves << ' ' << f.link_faults << ' ' << f.faults.size();
  for (const auto& [kind, times] : f.faults) out << ' ' << kind << ' ' << times;
  out << '\n';
  for (std::string violation : f.violations) {
    std::replace(violation.begin(), violation.end(), '\n', '|');
    out << violation << '\n';
  }
  out << '\n';
  return std::move(out).str();
}

Figures decode(const std::string& text) {
  std::istringstream in(text);
  Figures f;
  std::size_t kinds = 0;
  in >> f.trace_hash >> f.schedule_hash >> f.events >> f.frames >> f.virtual_millis >> f.sends >> f.messages >>
      f.deliveries >> f.repeated >> f.membership_changes >> f.abrupt_leaves >> f.link_faults >> kinds;
  for (; kinds > 0; --kinds) {
    std::string kind;
    in >> kind;
    in >> f.faults[kind];
  }
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line) && !line.empty()) f.violations.push_back(line);
  return f;
}

/// The child: runs seeds as they come until nobody asks any more.
[[noreturn]] void serve(int in, int out, int processor) {
  pinTo(processor);
  std::string asked;
  std::array<char, 64> buffer{};
  for (;;) {
    const ssize_t n = ::read(in, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) ::_exit(0);
    asked.append(buffer.data(), static_cast<std::size_t>(n));
    for (std::size_t end = asked.find('\n'); end != std::string::npos; end = asked.find('\n')) {
      const std::uint64_t seed = std::stoull(asked.substr(0, end));
      asked.erase(0, end + 1);
      ::alarm(kSecondsPerSeed);
      const Figures figures = runSeed(seed);
      ::alarm(0);
      if (!writeAll(out, encode(figures))) ::_exit(0);
    }
  }
}

std::string howItEnded(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGALRM) return "it did not end within " + std::to_string(kSecondsPerSeed) + " s of real time";
    return "the process died of signal " + std::to_string(signal);
  }
  return "the process ended with exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::vector<int> processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  std::vector<int> all;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(static_cast<std::size_t>(i), &allowed)) all.push_back(i);
    }
  }
  if (all.empty()) all.push_back(0);
  return all;
}

void pinTo(int processor) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(processor), &one);
  (void)::sched_setaffinity(0, sizeof one, &one);  // not allowed: slower, and right all the same
}

Workers::Workers() {
  (void)::signal(SIGPIPE, SIG_IGN);
  workers_.resize(std::clamp(processors().size(), kWorkersMin, kWorkersMax));
  for (std::size_t i = 0; i < workers_.size(); ++i) workers_[i].processor = i;
}

Workers::~Workers() {
  for (Worker& worker : workers_) end(worker);
}

bool Workers::begin(Worker& worker) {
  std::array<int, 2> to{};
  std::array<int, 2> from{};
  if (::pipe(to.data()) != 0) return false;
  if (::pipe(from.data()) != 0) {
    ::close(to[0]);
    ::close(to[1]);
    return false;
  }
  const std::vector<int> allowed = processors();
  (void)std::fflush(nullptr);
  const int pid = ::fork();
  if (pid == 0) {
    // What belongs to the others, too: a worker must see the end of its own questions.
    for (const Worker& other : workers_) {
      if (other.to >= 0) ::close(other.to);
      if (other.from >= 0) ::close(other.from);
    }
    ::close(to[1]);
    ::close(from[0]);
    serve(to[0], from[1], allowed[worker.processor % allowed.size()]);
  }
  ::close(to[0]);
  ::close(from[1]);
  if (pid < 0) {
    ::close(to[1]);
    ::close(from[0]);
    return false;
  }
  worker.pid = pid;
  worker.to = to[1];
  worker.from = from[0];
  worker.read.clear();
  worker.busy = false;
  return true;
}

void Workers::end(Worker& worker) {
  if (worker.pid < 0) return;
  ::close(worker.to);
  ::close(worker.from);
  if (worker.busy) (void)::kill(worker.pid, SIGKILL);
  (void)::waitpid(worker.pid, nullptr, 0);
  worker.pid = worker.to = worker.from = -1;
}

bool Workers::give(Worker& worker, std::uint64_t seed) {
  if (worker.pid < 0 && !begin(worker)) return false;
  worker.busy = true;
  worker.seed = seed;
  (void)writeAll(worker.to, std::to_string(seed) + "\n");  // to a dead one: its end is read like any other answer
  return true;
}

bool Workers::readSome(Worker& worker, Outcome& outcome) {
  std::array<char, 4096> buffer{};
  const ssize_t n = ::read(worker.from, buffer.data(), buffer.size());
  if (n < 0 && errno == EINTR) return false;
  outcome.seed = worker.seed;
  outcome.process = worker.pid;
  if (n > 0) {
    worker.read.append(buffer.data(), static_cast<std::size_t>(n));
    if (!worker.read.ends_with("\n\n")) return false;
    outcome.figures = decode(worker.read);
    worker.read.clear();
    worker.busy = false;
    return true;
  }
  int status = 0;
  (void)::waitpid(worker.pid, &status, 0);
  outcome.died = howItEnded(status);
  ::close(worker.to);
  ::close(worker.from);
  worker.pid = worker.to = worker.from = -1;
  worker.busy = false;
  return true;
}

bool Workers::run(const std::vector<std::uint64_t>& seeds, const std::vector<int>& not_in,
                  const OnOutcome& on_outcome) {
  std::vector<bool> given(seeds.size(), false);
  std::size_t first_left = 0;
  std::size_t ended = 0;
  while (ended < seeds.size()) {
    std::vector<pollfd> answers;
    std::vector<Worker*> asked;
    for (Worker& worker : workers_) {
      if (!worker.busy) {
        if (worker.pid < 0 && !begin(worker)) return false;
        std::size_t i = first_left;
        while (i < seeds.size() && (given[i] || (!not_in.empty() && not_in[i] == worker.pid))) ++i;
        if (i == seeds.size()) continue;
        given[i] = true;
        while (first_left < seeds.size() && given[first_left]) ++first_left;
        if (!give(worker, seeds[i])) return false;
      }
      answers.push_back({worker.from, POLLIN, 0});
      asked.push_back(&worker);
    }
    if (::poll(answers.data(), answers.size(), -1) < 0 && errno != EINTR) return false;
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if ((answers[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      Outcome outcome;
      if (!readSome(*asked[i], outcome)) continue;
      ++ended;
      if (!on_outcome(outcome)) return true;
    }
  }
  return true;
}

}  // namespace mqclient::simulation
