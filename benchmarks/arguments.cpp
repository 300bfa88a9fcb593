#include "arguments.h"

#include <utility>

namespace mqbench {

namespace {
constexpr int kWrongArguments = 2;
}  // namespace

Arguments::Arguments(std::string program, const char* usage) : program_(std::move(program)), usage_(usage) {}

void Arguments::flag(const std::string& name, bool& to) {
  flags_[name] = &to;
}

void Arguments::value(const std::string& name, std::string& to) {
  value(name, [&to](const std::string& text) {
    to = text;
    return true;
  });
}

void Arguments::value(const std::string& name, std::function<bool(const std::string&)> take) {
  values_[name] = std::move(take);
}

std::optional<int> Arguments::read(int argc, char** argv) {
  std::string json_file;
  value("--json", json_file);
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help" || name == "-h") {
      std::fputs(usage_, stdout);
      return 0;
    }
    if (const auto flag = flags_.find(name); flag != flags_.end()) {
      *flag->second = true;
      continue;
    }
    const auto value = values_.find(name);
    if (value == values_.end() || i + 1 == argc || !value->second(argv[++i])) {
      return wrong("'" + name + "' is not understood\n" + usage_);
    }
  }
  if (json_file.empty()) return std::nullopt;
  json_.reset(std::fopen(json_file.c_str(), "w"));
  return json_ ? std::nullopt : std::optional(wrong("cannot write " + json_file + "\n"));
}

int Arguments::wrong(const std::string& what) const {
  std::fprintf(stderr, "%s: %s", program_.c_str(), what.c_str());
  return kWrongArguments;
}

void Arguments::json(const std::string& line) const {
  if (json_) std::fprintf(json_.get(), "%s\n", line.c_str());
}

}  // namespace mqbench
