#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace mqclient::testing {

/// How a Stranger behaves.
struct Manners {
  std::string greeting{};  ///< said to whoever connects
  /// What is said to the bytes that came; empty: nothing, ever.
  std::function<std::string(std::string_view bytes)> answer{};
  enum class Then { kStays, kCloses };
  Then after_greeting{Then::kStays}, after_answer{Then::kStays};
  bool drips{false};  ///< answers go out a byte at a time, far too slowly
};

/// A server on loopback that is not what a client looks for. One thread, ended by the destructor.
class Stranger {
 public:
  explicit Stranger(Manners manners);
  ~Stranger();
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  const std::string& address() const { return address_; }
  int accepted() const { return accepted_.load(); }

 private:
  struct Guest {
    int fd;
    std::string to_say;
  };
  void run();
  void welcome();
  /// False: the connection is over.
  bool hear(Guest& guest);
  bool say(Guest& guest, std::string_view bytes, Manners::Then then);

  const Manners manners_;
  int listener_ = -1;
  int ended_[2] = {-1, -1};  // a pipe
  std::string address_;
  std::atomic<int> accepted_{0};
  std::vector<Guest> guests_;
  std::thread thread_;
};

/// Carries the bytes of TCP connections on to another address and back, until it is told to swallow them: what a client
/// then sees is a peer whose machine is gone, without a word. One thread, ended by the destructor.
class Relay {
 public:
  explicit Relay(std::string to);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return address_; }
  /// Connections that stand now swallow everything from here on, later ones carry it.
  void swallow() { swallowed_.store(accepted_.load()); }
  int accepted() const { return accepted_.load(); }

 private:
  struct Pair {
    int number;
    int client, server;
  };
  void run();
  bool carry(const Pair& pair, int from, int to) const;

  const std::string to_;
  int listener_ = -1;
  int ended_[2] = {-1, -1};  // a pipe
  std::string address_;
  std::atomic<int> accepted_{0};
  std::atomic<int> swallowed_{0};  // connections with numbers up to this one
  std::thread thread_;
};

/// Says `bytes` to who listens at the address and hears the connection out: what came before its end. Nothing: it did
/// not end in 30 s.
std::optional<std::string> answerAndEnd(const std::string& address, std::string_view bytes);

/// An address of this machine at which nobody listens.
std::string closedAddress();

}  // namespace mqclient::testing
