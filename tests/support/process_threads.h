#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace mqclient::testing {

/// Names of the living threads of this process, those of the library ("mq-…") only.
std::vector<std::string> libraryThreads();
/// Number of all living threads and of open descriptors of this process.
int allThreads();
int openDescriptors();
/// This process may open as many descriptors as the system allows it.
void allowManyDescriptors();
/// Memory of this process that is in use.
std::size_t residentBytes();

}  // namespace mqclient::testing
