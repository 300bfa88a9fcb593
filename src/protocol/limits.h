#pragma once

#include <cstddef>
#include <cstdint>

namespace mqclient::protocol {

/// What a peer may send at most. Both sides check the same figures before they allocate anything.
struct FrameLimits {
  std::size_t frameBytes{16u << 20};       ///< whole frame with its length field. com.rocketmq.remoting.frameMaxLength
  std::size_t headerBytes{1u << 20};       ///< encoded header; the 24-bit field would allow 16 MiB
  std::size_t headerFields{1024};          ///< ext fields of one header
  std::size_t fieldValueBytes{64u << 10};  ///< one ext value of a request. A reply's value is bound by headerBytes
                                           ///< only: the msgId list of a batch of 4,096 takes up to 228 KiB
};

/// The length in front of every frame, which does not count itself.
inline constexpr std::size_t kLengthField = 4;
/// Nesting of arrays and objects in JSON headers and bodies.
inline constexpr int kJsonDepthMax = 64;
/// Body of one message, and of one client batch. DefaultMQProducer.java, MessageStoreConfig.java
inline constexpr std::size_t kMaxMessageSize = 4u << 20;
/// What a compressed body may inflate to: a bound against bombs, above what any broker takes uncompressed.
inline constexpr std::size_t kMaxInflatedBodySize = 4 * kMaxMessageSize;
/// Properties string of one message: its length field is a signed i16.
inline constexpr std::size_t kMaxPropertiesSize = 32767;
/// Messages of one client batch.
inline constexpr std::size_t kMaxBatchMessages = 4096;
/// Messages of one pull, and of one query.
inline constexpr int kMaxPullCount = 1024;
inline constexpr int kMaxQueryCount = 64;
/// Entries of one heartbeat.
inline constexpr std::size_t kMaxSubscriptionsPerClient = 1024;
/// Names, in bytes (their alphabet is ASCII). Validators.java, TopicValidator.java
inline constexpr std::size_t kMaxTopicLength = 127;
inline constexpr std::size_t kMaxGroupLength = 120;
inline constexpr std::size_t kMaxRetryTopicLength = 255;
/// Of TCP. That 0 is one, too, holds only where "any free one" is meant.
inline constexpr std::int32_t kPortMax = 65'535;

}  // namespace mqclient::protocol
