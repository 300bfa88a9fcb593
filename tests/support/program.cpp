#include "tests/support/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace mqclient::testing {
namespace {

using Clock = std::chrono::steady_clock;

int millisLeft(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

void closeFd(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

}  // namespace

Program::Program(const std::string& path, std::vector<std::string> arguments) {
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGINT, SIG_DFL);  // a shell ignores it for what it runs in the background
    execv(path.c_str(), argv.data());
    _exit(127);
  }
  close(out[1]);
  close(err[1]);
  out_fd_ = out[0];
  err_fd_ = err[0];
  if (pid_ < 0) throw std::runtime_error("fork");
}

Program::Program(Program&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      out_fd_(std::exchange(other.out_fd_, -1)),
      err_fd_(std::exchange(other.err_fd_, -1)),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

Program::~Program() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  closeFd(out_fd_);
  closeFd(err_fd_);
}

bool Program::pump(Clock::time_point deadline) {
  std::array<pollfd, 2> ends{pollfd{out_fd_, POLLIN, 0}, pollfd{err_fd_, POLLIN, 0}};
  if (out_fd_ < 0 && err_fd_ < 0) return false;
  const int ready = poll(ends.data(), ends.size(), millisLeft(deadline));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) return false;
  const auto take = [](const pollfd& end, int& fd, std::string& into) {
    if (fd < 0 || end.revents == 0) return;
    std::array<char, 4096> part;
    const ssize_t got = read(fd, part.data(), part.size());
    if (got > 0) {
      into.append(part.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {
      closeFd(fd);
    }
  };
  take(ends[0], out_fd_, out_);
  take(ends[1], err_fd_, err_);
  return true;
}

std::optional<std::string> Program::readLine(Millis patience) {
  const auto deadline = Clock::now() + patience;
  while (out_.find('\n') == std::string::npos) {
    if (out_fd_ < 0 || !pump(deadline)) return std::nullopt;
  }
  const std::size_t end = out_.find('\n');
  std::string line = out_.substr(0, end);
  out_.erase(0, end + 1);
  return line;
}

bool Program::says(const std::string& text, Millis patience) {
  const auto deadline = Clock::now() + patience;
  while (err_.find(text) == std::string::npos) {
    if (err_fd_ < 0 || !pump(deadline)) return false;
  }
  return true;
}

void Program::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

Program::End Program::wait(Millis patience) {
  const auto deadline = Clock::now() + patience;
  while (pump(deadline)) {
  }
  End end;
  if (out_fd_ < 0 && err_fd_ < 0 && pid_ > 0) {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    if (WIFEXITED(status)) end.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.by_signal = WTERMSIG(status);
  }
  end.out = std::exchange(out_, {});
  end.err = std::exchange(err_, {});
  return end;
}

}  // namespace mqclient::testing
