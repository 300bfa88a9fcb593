#pragma once

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace mqbench {

/// The arguments of a program that measures. Each has --help and --json FILE; the others it names itself.
class Arguments {
 public:
  Arguments(std::string program, const char* usage);

  void flag(const std::string& name, bool& to);
  void value(const std::string& name, std::string& to);
  /// `take` answers false for a value that is not understood.
  void value(const std::string& name, std::function<bool(const std::string&)> take);

  /// Nothing: go on. Else the program's exit status, and what there was to say is said.
  std::optional<int> read(int argc, char** argv);
  /// Says what is wrong; the exit status.
  int wrong(const std::string& what) const;
  /// A line for --json FILE, if it was given.
  void json(const std::string& line) const;

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };

  const std::string program_;
  const char* const usage_;
  std::map<std::string, bool*> flags_;
  std::map<std::string, std::function<bool(const std::string&)>> values_;
  std::unique_ptr<FILE, Close> json_;
};

}  // namespace mqbench
