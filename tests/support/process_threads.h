#pragma once

#include <string>
#include <vector>

namespace mqclient::testing {

/// Names of the living threads of this process, those of the library ("mq-…") only.
std::vector<std::string> libraryThreads();
/// Number of all living threads and of open descriptors of this process.
int allThreads();
int openDescriptors();

}  // namespace mqclient::testing
