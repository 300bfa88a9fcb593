#include "broker_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

#include "report.h"

namespace mqbench {

std::string besideThis(const std::string& program) {
  std::array<char, 4096> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size <= 0) fail("cannot read /proc/self/exe");
  std::string path(self.data(), static_cast<std::size_t>(size));
  path.resize(path.rfind('/') + 1);
  return path + program;
}

void bindTo(const std::vector<int>& processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int p : processors) CPU_SET(static_cast<unsigned>(p), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("the process cannot be bound to its processors");
}

namespace {

std::vector<std::string> mqbroker(const std::vector<std::string>& conf) {
  std::vector<std::string> line{"mqbroker", "--listen-port", "0", "--namesrv-port", "0"};
  for (const std::string& one : conf) {
    line.emplace_back("--conf");
    line.push_back(one);
  }
  return line;
}

}  // namespace

BrokerProcess::BrokerProcess(const std::vector<std::string>& conf, const std::vector<int>& processors) {
  begin(mqbroker(conf), processors);
}

BrokerProcess::BrokerProcess(Program program) {
  begin(std::move(program.line), {});
}

void BrokerProcess::begin(std::vector<std::string> line, const std::vector<int>& processors) {
  std::array<int, 2> out{};
  if (pipe2(out.data(), O_CLOEXEC) != 0) fail("pipe2");
  const std::string path = line.front() = besideThis(line.front());
  std::vector<char*> arguments;
  arguments.reserve(line.size() + 1);
  for (std::string& one : line) arguments.push_back(one.data());
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!processors.empty()) bindTo(processors);
    dup2(out[1], STDOUT_FILENO);
    const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(quiet, STDERR_FILENO);
    execv(path.c_str(), arguments.data());
    _exit(127);
  }
  close(out[1]);
  FILE* in = fdopen(out[0], "r");
  std::array<char, 128> first{};
  if (!in || !std::fgets(first.data(), first.size(), in)) fail(path + " did not start; is it built?");
  std::fclose(in);
  address_ = first.data();
  address_.pop_back();
}

BrokerProcess::~BrokerProcess() {
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("a broker did not end in order");
}

double BrokerProcess::residentMiB() const {
  long total = 0;
  long resident = 0;
  FILE* f = std::fopen(("/proc/" + std::to_string(pid_) + "/statm").c_str(), "r");
  if (!f || std::fscanf(f, "%ld %ld", &total, &resident) != 2) fail("cannot read statm of mqbroker");
  std::fclose(f);
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double BrokerProcess::cpuMillis() const {
  const std::string tasks = "/proc/" + std::to_string(pid_) + "/task";
  DIR* d = opendir(tasks.c_str());
  if (!d) fail("cannot read " + tasks);
  double nanos = 0;
  while (const dirent* e = readdir(d)) {
    if (std::isdigit(static_cast<unsigned char>(e->d_name[0])) == 0) continue;
    long long on_cpu = 0;
    FILE* f = std::fopen((tasks + "/" + e->d_name + "/schedstat").c_str(), "r");
    if (!f || std::fscanf(f, "%lld", &on_cpu) != 1) fail("cannot read schedstat of mqbroker");
    std::fclose(f);
    nanos += static_cast<double>(on_cpu);
  }
  closedir(d);
  return nanos / 1e6;
}

}  // namespace mqbench
