#include "tests/support/process_threads.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace mqclient::testing {

namespace {

int entriesOf(const char* dir) {
  DIR* d = opendir(dir);
  if (!d) return 0;
  int n = 0;
  while (const dirent* e = readdir(d)) n += e->d_name[0] != '.';
  closedir(d);
  return n;
}

}  // namespace

std::vector<std::string> libraryThreads() {
  std::vector<std::string> names;
  DIR* d = opendir("/proc/self/task");
  if (!d) return names;
  while (const dirent* e = readdir(d)) {
    if (e->d_name[0] == '.') continue;
    std::ifstream comm(std::string("/proc/self/task/") + e->d_name + "/comm");
    std::string name;
    if (std::getline(comm, name) && name.starts_with("mq-")) names.push_back(std::move(name));
  }
  closedir(d);
  return names;
}

int allThreads() {
  return entriesOf("/proc/self/task");
}

bool threadsFallTo(int most) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (allThreads() > most) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

int openDescriptors() {
  return entriesOf("/proc/self/fd") - 1;  // without the one that reads the directory
}

void allowManyDescriptors() {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

std::size_t residentBytes(pid_t process) {
  std::ifstream statm("/proc/" + (process == 0 ? std::string("self") : std::to_string(process)) + "/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace mqclient::testing
