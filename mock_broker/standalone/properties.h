#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mqclient/error.h"

namespace mqclient::standalone {

/// One setting, and where it was read: "broker.conf:7", or the name of a switch.
struct Property {
  std::string key;
  std::string value;
  std::string place;
};

/// Reads the text of a Java properties file, in its order; a key that comes again is listed again.
///
/// Shape    lines of `key=value`, `key:value` or `key value`; blanks before the key and around the separator do not
///          count. `#` and `!` begin a comment line. A backslash at the end of a line continues it, without the blanks
///          that begin the next. \t \n \r \f and \uXXXX are what they are in Java; before anything else a backslash
///          goes. Bytes are ISO 8859-1, answers UTF-8.
/// Errors   kInvalidArgument with name, line and what was expected: a \u without four hex digits, a line without a key,
///          a NUL byte.
/// Source   java.util.Properties.load(InputStream), which is how Apache RocketMQ reads broker.conf.
Result<std::vector<Property>> parseProperties(std::string_view name, std::string_view text);

}  // namespace mqclient::standalone
