#pragma once

#include <string_view>

namespace mqclient::protocol {

enum class Need { kRequired, kOptional };

/// One row of a field list: the name on the wire and where the value lives. Every header and every JSON body has one
/// list, `static constexpr auto fields()`, a tuple of these; encoding, decoding and the tests walk it.
template <class Owner, class T>
struct Field {
  std::string_view name;
  T Owner::*member;
  Need need;
};

/// A value the receiver cannot do without.
template <class Owner, class T>
constexpr Field<Owner, T> must(std::string_view name, T Owner::*member) {
  return {name, member, Need::kRequired};
}

/// A value that may be absent: the member then keeps its initializer. Empty optionals and empty strings are not sent.
template <class Owner, class T>
constexpr Field<Owner, T> may(std::string_view name, T Owner::*member) {
  return {name, member, Need::kOptional};
}

}  // namespace mqclient::protocol
