// mqsim: the whole system from seeds. See usage() below.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "scenario.h"
#include "workers.h"

namespace {

using namespace mqclient::simulation;

constexpr std::uint64_t kSeedsDefault = 1'000;
/// So many seeds run in a second process, too: every one of few, one of twenty of many.
constexpr std::uint64_t kComparedMin = 20;
constexpr std::uint64_t kComparedShare = 20;
/// Of so many traces one may be equal to another.
constexpr std::uint64_t kEqualAllowedPer = 1'000;
/// In so many seeds each kind of fault must have happened at least once.
constexpr std::size_t kEveryKindHappensIn = 50;
constexpr std::size_t kFailuresMax = 5;
constexpr std::uint64_t kToldEvery = 100;

enum ExitCode { kKept = 0, kBroken = 1, kCannotRun = 2 };

struct Arguments {
  std::uint64_t first = 1;
  std::uint64_t seeds = kSeedsDefault;
  std::optional<std::uint64_t> one;
  bool log = false;
  bool until_failure = false;
  bool help = false;
  std::string wrong;
};

void usage() {
  std::puts(
      "usage: mqsim [--seeds N] [--first S]   N seeds from S on (default 1000 from 1), in one process per processor;\n"
      "             [--until-failure]         ends with the first seed that fails, not with the fifth\n"
      "       mqsim --seed S [--log]          one seed again, telling what happens; --log: the clients' log lines too\n"
      "\n"
      "A seed decides a whole run in virtual time: two nameservers, two brokers, three producers, four consumers of a\n"
      "group that join and leave, links that delay, swallow and cut, brokers that die and come back, every fault of\n"
      "mqclient/mock_faults.h among the frames. Then the faults stop, everything drains, and it is checked that every\n"
      "acknowledged message was finished, that each queue's messages came first in their order, that the reader of "
      "one\n"
      "tag was given all of it, and that every callback ran once. Some seeds run in a second process and must leave "
      "the\n"
      "same trace. Of 50 seeds or more each kind of fault must have happened in one; how often is printed.\n"
      "Exit code 0: every seed kept every promise. 1: one did not; its replay line was printed. 2: it could not run.");
}

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc && a.wrong.empty(); ++i) {
    const std::string_view name = argv[i];
    if (name == "--help" || name == "-h") {
      a.help = true;
    } else if (name == "--log") {
      a.log = true;
    } else if (name == "--until-failure") {
      a.until_failure = true;
    } else if (name == "--seeds" || name == "--first" || name == "--seed") {
      const std::string_view text = ++i < argc ? argv[i] : "";
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        a.wrong = std::string(name) + " wants a number, not '" + std::string(text) + "'";
      } else if (name == "--seeds") {
        a.seeds = value;
        if (value == 0) a.wrong = "--seeds wants at least 1";
      } else if (name == "--first") {
        a.first = value;
      } else {
        a.one = value;
      }
    } else {
      a.wrong = "there is no argument '" + std::string(name) + "'; see --help";
    }
  }
  return a;
}

/// The line that runs a seed again: of mqsim_<mutant>, with the mutant.
std::string replayLine(const char* program, std::uint64_t seed) {
  std::string_view name = program;
  name.remove_prefix(name.rfind('/') + 1);
  constexpr std::string_view kMutantPrefix = "mqsim_";
  std::string mutant;
  if (name.starts_with(kMutantPrefix)) {
    mutant = " --mutant " + std::string(name.substr(kMutantPrefix.size()));
    std::replace(mutant.begin(), mutant.end(), '_', '-');
  }
  return "./dev simulate --seed " + std::to_string(seed) + mutant;
}

void printViolations(const Outcome& outcome, const std::string& replay) {
  std::printf("seed %" PRIu64 " FAILED\n", outcome.seed);
  if (!outcome.died.empty()) std::printf("  %s\n", outcome.died.c_str());
  for (const std::string& violation : outcome.figures.violations) std::printf("  %s\n", violation.c_str());
  std::printf("  replay: %s\n", replay.c_str());
}

/// How often each kind of fault happened in the whole batch, a few to a line. False: a kind never did, in so many seeds
/// that it should have; then nothing is known of it.
bool printFaults(const std::map<std::string, std::uint64_t>& faults, std::size_t seeds) {
  constexpr std::size_t kLine = 110;
  std::string line = "faults:";
  std::string never;
  for (const auto& [kind, times] : faults) {
    const std::string one = " " + kind + " " + std::to_string(times);
    if (line.size() + one.size() > kLine) {
      std::puts(line.c_str());
      line = "       ";
    }
    line += one;
    if (times == 0) never += " " + kind;
  }
  std::puts(line.c_str());
  if (never.empty() || seeds < kEveryKindHappensIn) return true;
  std::printf("FAILED: never happened in %zu seeds:%s\n", seeds, never.c_str());
  return false;
}

void printFigures(const Figures& f) {
  std::printf(
      "%zu messages acknowledged of %zu sends, %zu deliveries (%zu repeated), %zu membership changes (%zu "
      "abrupt), %zu link faults, %" PRIu64 " frames, %" PRIu64 " events, %.1f s virtual\n",
      f.messages, f.sends, f.deliveries, f.repeated, f.membership_changes, f.abrupt_leaves, f.link_faults, f.frames,
      f.events, static_cast<double>(f.virtual_millis) / 1000);
  (void)printFaults(f.faults, 1);
  std::printf("trace %016" PRIx64 ", schedule %016" PRIx64 "\n", f.trace_hash, f.schedule_hash);
}

int runOne(const Arguments& arguments, const char* program) {
  const std::uint64_t seed = *arguments.one;
  pinTo(processors().front());
  Observer observer;
  observer.narrate = [](const std::string& line) { std::puts(line.c_str()); };
  observer.on_stuck = [&](const std::string&) {
    printViolations({.seed = seed, .died = "nothing can go on any more; see the report"}, replayLine(program, seed));
    (void)std::fflush(stdout);
  };
  observer.with_log = arguments.log;
  const Outcome outcome{.seed = seed, .figures = runSeed(seed, observer)};
  printFigures(outcome.figures);
  if (!outcome.passed()) printViolations(outcome, replayLine(program, seed));
  std::printf("%d passed, %d failed\n", outcome.passed() ? 1 : 0, outcome.passed() ? 0 : 1);
  return outcome.passed() ? kKept : kBroken;
}

template <class Get>
std::string range(const std::map<std::uint64_t, Outcome>& outcomes, Get get) {
  auto low = get(outcomes.begin()->second.figures);
  auto high = low;
  for (const auto& [seed, outcome] : outcomes) {
    low = std::min(low, get(outcome.figures));
    high = std::max(high, get(outcome.figures));
  }
  return std::to_string(low) + " to " + std::to_string(high);
}

int runMany(const Arguments& arguments, const char* program) {
  const auto began = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
  std::vector<std::uint64_t> seeds(arguments.seeds);
  for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] = arguments.first + i;

  Workers workers;
  std::map<std::uint64_t, Outcome> outcomes;
  std::set<std::uint64_t> failed;
  const auto fail = [&](const Outcome& outcome) {
    failed.insert(outcome.seed);
    printViolations(outcome, replayLine(program, outcome.seed));
    (void)std::fflush(stdout);
    if (failed.size() < (arguments.until_failure ? 1 : kFailuresMax)) return true;
    std::printf("stopped after %zu failing seeds\n", failed.size());
    return false;
  };
  bool stopped = false;
  const bool ran = workers.run(seeds, {}, [&](const Outcome& outcome) {
    outcomes[outcome.seed] = outcome;
    if (!outcome.passed()) stopped = !fail(outcome);
    if (outcomes.size() % kToldEvery == 0) {
      std::printf("%zu of %zu seeds, %.0f s\n", outcomes.size(), seeds.size(), seconds());
      (void)std::fflush(stdout);
    }
    return !stopped;
  });
  if (!ran) {
    std::puts("mqsim: a process could not be started");
    return kCannotRun;
  }

  std::size_t compared = 0;
  if (!stopped) {
    const std::uint64_t wanted = std::max(kComparedMin, arguments.seeds / kComparedShare);
    const std::uint64_t step = std::max<std::uint64_t>(1, arguments.seeds / wanted);
    std::vector<std::uint64_t> again;
    std::vector<int> not_in;
    for (std::size_t i = 0; i < seeds.size(); i += step) {
      if (!outcomes[seeds[i]].passed()) continue;
      again.push_back(seeds[i]);
      not_in.push_back(outcomes[seeds[i]].process);
    }
    const bool ran_again = workers.run(again, not_in, [&](const Outcome& second) {
      ++compared;
      const Figures& first = outcomes[second.seed].figures;
      if (second.passed() && second.figures.trace_hash == first.trace_hash &&
          second.figures.schedule_hash == first.schedule_hash && second.figures.events == first.events) {
        return true;
      }
      Outcome bad = second;
      bad.figures.violations.insert(bad.figures.violations.begin(), "two processes ran it differently");
      return fail(bad);
    });
    if (!ran_again) {
      std::puts("mqsim: a process could not be started");
      return kCannotRun;
    }
  }

  std::set<std::uint64_t> traces;
  for (const auto& [seed, outcome] : outcomes) {
    if (outcome.died.empty()) traces.insert(outcome.figures.trace_hash);
  }
  std::printf("a seed: %s messages, %s deliveries, %s membership changes, %s link faults, %s frames, %s ms virtual\n",
              range(outcomes, [](const Figures& f) { return f.messages; }).c_str(),
              range(outcomes, [](const Figures& f) { return f.deliveries; }).c_str(),
              range(outcomes, [](const Figures& f) { return f.membership_changes; }).c_str(),
              range(outcomes, [](const Figures& f) { return f.link_faults; }).c_str(),
              range(outcomes, [](const Figures& f) { return f.frames; }).c_str(),
              range(outcomes, [](const Figures& f) { return f.virtual_millis; }).c_str());
  std::map<std::string, std::uint64_t> faults;
  for (const auto& [seed, outcome] : outcomes) {
    for (const auto& [kind, times] : outcome.figures.faults) faults[kind] += times;
  }
  const bool every_kind = printFaults(faults, outcomes.size()) || stopped;
  bool alike = false;
  if (failed.empty() && outcomes.size() - traces.size() > outcomes.size() / kEqualAllowedPer) {
    alike = true;
    std::puts("FAILED: too many seeds left the same trace");
  }
  std::printf("%zu seeds in %.1f s in %zu processes, %zu different traces, %zu run again in another process\n",
              outcomes.size(), seconds(), workers.size(), traces.size(), compared);
  std::printf("%zu passed, %zu failed\n", outcomes.size() - failed.size(), failed.size());
  return failed.empty() && !alike && every_kind ? kKept : kBroken;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  if (!arguments.wrong.empty()) {
    std::fprintf(stderr, "mqsim: %s\n", arguments.wrong.c_str());
    return kCannotRun;
  }
  if (arguments.help) {
    usage();
    return kKept;
  }
  return arguments.one ? runOne(arguments, argv[0]) : runMany(arguments, argv[0]);
}
