#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "remoting/transport.h"

namespace mqclient::remoting {

/// What a link does with one frame. Consulted inside the sending end's output, once a frame, in order.
struct LinkVerdict {
  enum class Kind {
    kDeliver,
    kDrop /*a black hole: the bytes vanish, nobody is told*/,
    kCut /*the connection ends before this frame*/
  };
  Kind kind{Kind::kDeliver};
  base::Nanos delay{0};  ///< before delivery; frames of one direction never overtake each other
};

/// The seam for simulation and faults. `link` numbers connections in order of connect; `to_server` is the direction.
class LinkPolicy {
 public:
  virtual ~LinkPolicy() = default;
  virtual LinkVerdict onFrame(std::uint64_t link, const std::string& client, const std::string& server, bool to_server,
                              const base::Chain& frame) noexcept = 0;
  /// Whether a connect to `server` may succeed now, and after which delay.
  virtual LinkVerdict onConnect(const std::string& server) noexcept = 0;
};

/// A network inside the process: addresses are names of its own, no port, no thread (N7). One strand per direction;
/// send posts the encoded frame, the receiver decodes it; bounds, fates and close events are those of TCP. `send` on an
/// idle link runs the receiver on the calling thread as soon as no strand is on its stack.
class InProcessNetwork : public Transport {
 public:
  static base::Ref<InProcessNetwork> make();
  /// Null: every frame is delivered at once. Set before the first connection.
  virtual void setPolicy(std::shared_ptr<LinkPolicy> policy) = 0;
  virtual std::size_t openConnections() const = 0;
};

}  // namespace mqclient::remoting
