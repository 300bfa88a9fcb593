#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>

#include "mqclient/simulation.h"
#include "mqclient/testing/fixture.h"

namespace mqclient {
inline namespace v1 {

/// forEachSeed() for GoogleTest: a seed fails when its scenario throws or an expectation in it does; then the last
/// hundred events of its cluster are shown, and how to run that seed alone. For EXPECT_TRUE. `failed` is asked after
/// each run.
///
///   EXPECT_TRUE(holdsForEachSeed(100, {.brokers = 2}, [](World& world) {
///     auto producer = DefaultMQProducer::start("shop", world.client()).value();
///     EXPECT_THAT(producer.send(Message("orders", "{}")), IsOk());
///   }));
inline ::testing::AssertionResult holdsForEachSeed(std::uint64_t count, MockClusterOptions options,
                                                   const std::function<void(World&)>& scenario,
                                                   bool (*failed)() = &::testing::Test::HasFailure) {
  options.recordFromStart = true;
  const Result<void> ran = forEachSeed(count, options, [&](World& world) {
    try {
      scenario(world);
      if (failed()) throw std::runtime_error("an expectation failed");
    } catch (...) {
      std::cerr << detail::tailOfTrace(world.cluster);
      throw;
    }
  });
  if (ran) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << ran.error().message();
}

/// Something that has to happen in at least one run of a batch: a batch in which no connection was ever cut proves
/// nothing about cut connections. Its end fails the test if it never did.
///
///   Sometimes cut("a connection is cut under a send");
///   EXPECT_TRUE(holdsForEachSeed(100, {}, [&](World& world) { ...; cut.happened(fault.fired() > 0); }));
class Sometimes {
 public:
  explicit Sometimes(std::string what) : what_(std::move(what)) {}
  Sometimes(const Sometimes&) = delete;
  Sometimes& operator=(const Sometimes&) = delete;
  ~Sometimes() {
    if (times_ == 0) ADD_FAILURE() << "never in all runs: " << what_;
  }
  /// `times` more.
  void happened(std::uint64_t times = 1) noexcept { times_ += times; }
  std::uint64_t times() const noexcept { return times_; }

 private:
  const std::string what_;
  std::uint64_t times_ = 0;
};

}  // namespace v1
}  // namespace mqclient
