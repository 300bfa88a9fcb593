#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace mqbench {

/// Lines of text, none with a line feed in it.
using Lines = std::vector<std::string>;

/// Runs `what` in a process of its own, so that nobody sees another's heap, threads or caches, and answers its lines.
/// Nothing: it ended otherwise, or took longer than `seconds_max` (0: any time); `how` says which.
std::optional<Lines> runApart(const std::function<Lines()>& what, std::string& how, unsigned seconds_max = 0);

}  // namespace mqbench
