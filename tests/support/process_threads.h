#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace mqclient::testing {

/// Names of the living threads of this process, those of the library ("mq-…") only.
std::vector<std::string> libraryThreads();
/// Number of all living threads and of open descriptors of this process.
int allThreads();
int openDescriptors();
/// True as soon as at most `most` threads live, false after ten seconds with more. For threads that were joined: the
/// kernel lets the joining thread go on a moment before it takes the other one off the list.
bool threadsFallTo(int most);
/// This process may open as many descriptors as the system allows it.
void allowManyDescriptors();
/// Memory of a process that is in use; 0: of this one.
std::size_t residentBytes(pid_t process = 0);

}  // namespace mqclient::testing
