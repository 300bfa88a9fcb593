#include "apart.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "report.h"

namespace mqbench {

std::optional<Lines> runApart(const std::function<Lines()>& what, std::string& how, unsigned seconds_max) {
  int ends[2];
  if (pipe(ends) != 0) fail("pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    close(ends[0]);
    alarm(seconds_max);
    FILE* out = fdopen(ends[1], "w");
    for (const std::string& line : what()) std::fprintf(out, "%s\n", line.c_str());
    std::fclose(out);
    std::_Exit(0);
  }
  close(ends[1]);
  FILE* in = fdopen(ends[0], "r");
  char* line = nullptr;
  std::size_t room = 0;
  Lines lines;
  for (ssize_t size = 0; (size = getline(&line, &room, in)) > 0;) {
    lines.emplace_back(line, static_cast<std::size_t>(size - 1));
  }
  std::free(line);
  std::fclose(in);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return lines;
  how = WIFEXITED(status)             ? "status " + std::to_string(WEXITSTATUS(status))
        : WTERMSIG(status) == SIGALRM ? "not done after " + std::to_string(seconds_max) + " s"
                                      : "signal " + std::to_string(WTERMSIG(status));
  return std::nullopt;
}

}  // namespace mqbench
