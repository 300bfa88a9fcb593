// Rows about the executable mqbroker, started from the folder of this program.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <thread>

#include "mqclient/mqclient.h"
#include "report.h"

namespace mqbench {

using namespace mqclient;

namespace {

constexpr int kStarts = 21;
constexpr auto kSettle = std::chrono::milliseconds(500);
constexpr auto kIdle = std::chrono::seconds(5);

std::string besideThis(const char* program) {
  std::array<char, 4096> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size() - 1);
  if (size <= 0) fail("cannot read /proc/self/exe");
  std::string path(self.data(), static_cast<std::size_t>(size));
  path.resize(path.rfind('/') + 1);
  return path + program;
}

/// mqbroker on free ports; ends with this object.
class Process {
 public:
  Process() {
    std::array<int, 2> out{};
    if (pipe2(out.data(), O_CLOEXEC) != 0) fail("pipe2");
    const std::string path = besideThis("mqbroker");
    pid_ = fork();
    if (pid_ < 0) fail("fork");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(out[1], STDOUT_FILENO);
      const int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
      dup2(quiet, STDERR_FILENO);
      execl(path.c_str(), path.c_str(), "--listen-port", "0", "--namesrv-port", "0", nullptr);
      _exit(127);
    }
    close(out[1]);
    FILE* in = fdopen(out[0], "r");
    std::array<char, 128> line{};
    if (!in || !std::fgets(line.data(), line.size(), in)) fail(path + " did not start; build the target mqbroker");
    std::fclose(in);
    address_ = line.data();
    address_.pop_back();
  }
  ~Process() {
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail("mqbroker did not end in order");
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  const std::string& address() const { return address_; }

  double residentMiB() const {
    long total = 0;
    long resident = 0;
    FILE* f = std::fopen(("/proc/" + std::to_string(pid_) + "/statm").c_str(), "r");
    if (!f || std::fscanf(f, "%ld %ld", &total, &resident) != 2) fail("cannot read statm of mqbroker");
    std::fclose(f);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
  }

  /// Processor time of all its threads, to the nanosecond.
  double cpuMillis() const {
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

 private:
  pid_t pid_{-1};
  std::string address_;
};

void sendOne(const std::string& address) {
  auto producer = must(DefaultMQProducer::start("bench", {.namesrvAddr = address}), "producer");
  must(producer.send(Message("bench", std::string(1024, 'x'))), "send");
}

/// From before fork until a producer, started then, has its first message acknowledged on a topic made for it.
std::vector<Row> firstAck() {
  std::vector<double> millis;
  double to_address = 0;
  for (int i = 0; i < kStarts; ++i) {
    const auto began = Clock::now();
    const Process broker;
    to_address += microsSince(began) / 1'000 / kStarts;
    sendOne(broker.address());
    millis.push_back(microsSince(began) / 1'000);
  }
  std::array<char, 96> note{};
  std::snprintf(note.data(), note.size(), "address after %.1f on average, worst %.1f of %d", to_address,
                quantile(millis, 1), kStarts);
  return {Row{.name = "mqbroker.first_ack",
              .value = quantile(millis, 0.5),
              .unit = "ms",
              .bound = atMost(80, 50),
              .note = note.data()}};
}

std::vector<Row> idle() {
  const Process broker;
  sendOne(broker.address());
  std::this_thread::sleep_for(kSettle);
  const double before = broker.cpuMillis();
  const auto began = Clock::now();
  std::this_thread::sleep_for(kIdle);
  const double used = broker.cpuMillis() - before;
  return {Row{.name = "mqbroker.memory",
              .value = broker.residentMiB(),
              .unit = "MiB",
              .bound = atMost(30, 20),
              .note = "resident, after one message"},
          Row{.name = "mqbroker.idle",
              .value = used / (microsSince(began) / 1'000) * 100,
              .unit = "%",
              .bound = atMost(0.5, 0.1),
              .note = "of one processor"}};
}

}  // namespace

std::vector<Measurement> mqbrokerMeasurements() {
  return {{"mqbroker.first_ack", firstAck}, {"mqbroker.idle", idle}};
}

}  // namespace mqbench
