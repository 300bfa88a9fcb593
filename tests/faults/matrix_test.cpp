// The matrix: what clients and brokers do × what goes wrong with the one request that does it. `told` is what the
// caller heard ("?": the broker may have acted), `kept` what is there once everything has settled. Times are upper
// bounds, from the frame that met the fault.
#include <array>

#include "tests/faults/operations.h"

namespace mqclient::faults {
namespace {

using enum Wrong;

struct Cell {
  Wrong wrong;
  const char* told;
  const char* kept;  ///< of a void cell: why it is void
};
constexpr const char* kVoid = nullptr;
constexpr const char* kNoReply = "a one-way request has no reply that could go wrong";
constexpr const char* kNeedsSockets = "a link carries whole frames: MatrixOverTcp";

template <std::size_t kCells>
struct Row {
  const char* operation;
  Outcome (*run)(World&, Wrong);
  std::array<Cell, kCells> cells;
  friend void PrintTo(const Row& row, std::ostream* out) { *out << row.operation; }
};

constexpr std::size_t kWrongs = static_cast<std::size_t>(kStaleRoute) + 1;
using VirtualRow = Row<kWrongs>;
using TcpRow = Row<4>;

// A send tries again, as the same message, at the other broker, so a doubt becomes a duplicate. With one try the doubt
// is what it says.
const VirtualRow kRows[] = {
    {"SyncSend",
     syncSend,
     {{
         {kRefused, "ok, then ok", "x once, y once"},
         {kReset, "ok, then ok", "x once, y once"},
         {kFin, "ok, then ok", "x once, y once"},
         {kHalfOpen, "ok, then ok", "x once, y once"},
         {kDelayed, "ok, then ok", "x twice, y once"},
         {kDropped, "ok, then ok", "x once, y once"},
         {kReplyLost, "ok, then ok", "x twice, y once"},
         {kDuplicated, "ok, then ok", "x twice, y once"},
         {kReordered, "ok, then ok", "x once, y once"},
         {kWrongOpaque, "ok, then ok", "x twice, y once"},
         {kGarbage, "ok, then ok", "x twice, y once"},
         {kTruncated, "ok, then ok", "x twice, y once"},
         {kOversize, "ok, then ok", "x twice, y once"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok, then ok", "x once, y once"},
     }}},
    {"SyncSendOnce",
     syncSendOnce,
     {{
         {kRefused, "ConnectionLost?, then ok", "x never, y once"},
         {kReset, "ConnectionLost?, then ok", "x never, y once"},
         {kFin, "ConnectionLost?, then ok", "x never, y once"},
         {kHalfOpen, "Timeout?, then ok", "x never, y once"},
         {kDelayed, "Timeout?, then ok", "x once, y once"},
         {kDropped, "Timeout?, then ok", "x never, y once"},
         {kReplyLost, "Timeout?, then ok", "x once, y once"},
         {kDuplicated, "ok, then ok", "x twice, y once"},
         {kReordered, "ok, then ok", "x once, y once"},
         {kWrongOpaque, "Timeout?, then ok", "x once, y once"},
         {kGarbage, "Corrupt?, then ok", "x once, y once"},
         {kTruncated, "ConnectionLost?, then ok", "x once, y once"},
         {kOversize, "Corrupt?, then ok", "x once, y once"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok, then Unreachable", "x once, y never"},
     }}},
    {"AsyncSend",
     asyncSend,
     {{
         {kRefused, "ok and ok", "x once, y once"},
         {kReset, "ok and ok", "x once, y once"},
         {kFin, "ok and ok", "x once, y once"},
         {kHalfOpen, "ok and ok", "x once, y once"},
         {kDelayed, "ok and ok", "x twice, y once"},
         {kDropped, "ok and ok", "x once, y once"},
         {kReplyLost, "ok and ok", "x twice, y once"},
         {kDuplicated, "ok and ok", "x twice, y once"},
         {kReordered, "ok and ok", "x once, y once"},
         {kWrongOpaque, "ok and ok", "x twice, y once"},
         {kGarbage, "ok and ok", "x twice, y once"},
         {kTruncated, "ok and ok", "x twice, y once"},
         {kOversize, "ok and ok", "x twice, y once"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok and ok", "x once, y once"},
     }}},
    {"AsyncSendOnce",
     asyncSendOnce,
     {{
         {kRefused, "ConnectionLost? and ok", "x never, y once"},
         {kReset, "ConnectionLost? and ok", "x never, y once"},
         {kFin, "ConnectionLost? and ok", "x never, y once"},
         {kHalfOpen, "Timeout? and ok", "x never, y once"},
         {kDelayed, "Timeout? and ok", "x once, y once"},
         {kDropped, "Timeout? and ok", "x never, y once"},
         {kReplyLost, "Timeout? and ok", "x once, y once"},
         {kDuplicated, "ok and ok", "x twice, y once"},
         {kReordered, "ok and ok", "x once, y once"},
         {kWrongOpaque, "Timeout? and ok", "x once, y once"},
         {kGarbage, "Corrupt? and ok", "x once, y once"},
         {kTruncated, "ConnectionLost? and ok", "x once, y once"},
         {kOversize, "Corrupt? and ok", "x once, y once"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok and Unreachable", "x once, y never"},
     }}},
    {"OnewaySend",
     onewaySend,
     {{
         {kRefused, "ok, then ok", "x never, y once"},
         {kReset, "ok, then ok", "x never, y once"},
         {kFin, "ok, then ok", "x never, y once"},
         {kHalfOpen, "ok, then ok", "x never, y once"},
         {kDelayed, "ok, then ok", "x once, y once"},
         {kDropped, "ok, then ok", "x never, y once"},
         {kReplyLost, kVoid, kNoReply},
         {kDuplicated, "ok, then ok", "x twice, y once"},
         {kReordered, "ok, then ok", "x once, y once"},
         {kWrongOpaque, kVoid, kNoReply},
         {kGarbage, kVoid, kNoReply},
         {kTruncated, kVoid, kNoReply},
         {kOversize, kVoid, kNoReply},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok, then Unreachable", "x once, y never"},
     }}},
    // A pull that nobody answers is given up after 30 s, twice what a broker may hold it.
    {"Pull",
     pull,
     {{
         {kRefused, "delivered in 5 s", "2 of 2"},
         {kReset, "delivered in 1 s", "2 of 2"},
         {kFin, "delivered in 1 s", "2 of 2"},
         {kHalfOpen, "delivered in 35 s", "2 of 2"},
         {kDelayed, "delivered in 35 s", "2 of 2"},
         {kDropped, "delivered in 35 s", "2 of 2"},
         {kReplyLost, "delivered in 35 s", "2 of 2"},
         {kDuplicated, "delivered in 1 s", "2 of 2"},
         {kReordered, "delivered in 1 s", "2 of 2"},
         {kWrongOpaque, "delivered in 35 s", "2 of 2"},
         {kGarbage, "delivered in 1 s", "2 of 2"},
         {kTruncated, "delivered in 1 s", "2 of 2"},
         {kOversize, "delivered in 1 s", "2 of 2"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "delivered in 1 s", "2 of 2"},
     }}},
    {"Heartbeat",
     heartbeat,
     {{
         {kRefused, "answered again in 5 s", "a member throughout"},
         {kReset, "answered again in 1 s", "a member throughout"},
         {kFin, "answered again in 1 s", "a member throughout"},
         {kHalfOpen, "answered again in 35 s", "a member throughout"},
         {kDelayed, "answered again in 35 s", "a member throughout"},
         {kDropped, "answered again in 35 s", "a member throughout"},
         {kReplyLost, "answered again in 35 s", "a member throughout"},
         {kDuplicated, "answered again in 1 s", "a member throughout"},
         {kReordered, "answered again in 1 s", "a member throughout"},
         {kWrongOpaque, "answered again in 35 s", "a member throughout"},
         {kGarbage, "answered again in 1 s", "a member throughout"},
         {kTruncated, "answered again in 1 s", "a member throughout"},
         {kOversize, "answered again in 1 s", "a member throughout"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "answered again in 35 s", "a member throughout"},
     }}},
    {"OffsetCommit",
     offsetCommit,
     {{
         {kRefused, "committed in 5 s", "what was consumed"},
         {kReset, "committed in 1 s", "what was consumed"},
         {kFin, "committed in 1 s", "what was consumed"},
         {kHalfOpen, "committed in 35 s", "what was consumed"},
         {kDelayed, "committed in 12 s", "what was consumed"},
         {kDropped, "committed in 12 s", "what was consumed"},
         {kReplyLost, "committed in 1 s", "what was consumed"},
         {kDuplicated, "committed in 1 s", "what was consumed"},
         {kReordered, "committed in 1 s", "what was consumed"},
         {kWrongOpaque, "committed in 1 s", "what was consumed"},
         {kGarbage, "committed in 1 s", "what was consumed"},
         {kTruncated, "committed in 1 s", "what was consumed"},
         {kOversize, "committed in 1 s", "what was consumed"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "committed in 5 s", "what was consumed"},
     }}},
    // There is one nameserver. Half-open: the second silence in a row shows it, so the third question is answered.
    {"RouteQuery",
     routeQuery,
     {{
         {kRefused, "NoNameServer, then NoNameServer", "6 queues"},
         {kReset, "ok, then ok", "6 queues"},
         {kFin, "ok, then ok", "6 queues"},
         {kHalfOpen, "NoNameServer, then NoNameServer", "6 queues"},
         {kDelayed, "NoNameServer, then ok", "6 queues"},
         {kDropped, "NoNameServer, then ok", "6 queues"},
         {kReplyLost, "NoNameServer, then ok", "6 queues"},
         {kDuplicated, "ok, then ok", "6 queues"},
         {kReordered, "ok, then ok", "6 queues"},
         {kWrongOpaque, "NoNameServer, then ok", "6 queues"},
         {kGarbage, "NoNameServer, then ok", "6 queues"},
         {kTruncated, "ok, then ok", "6 queues"},
         {kOversize, "NoNameServer, then ok", "6 queues"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok, then ok", "3 queues"},
     }}},
    // Refused: a member that loses its connection, and whose one try at another fails, is heard of again with its next
    // heartbeat only.
    {"MemberList",
     memberList,
     {{
         {kRefused, "shared in 35 s", "1 and 1"},
         {kReset, "shared in 1 s", "1 and 1"},
         {kFin, "shared in 1 s", "1 and 1"},
         {kHalfOpen, "shared in 5 s", "1 and 1"},
         {kDelayed, "shared in 5 s", "1 and 1"},
         {kDropped, "shared in 5 s", "1 and 1"},
         {kReplyLost, "shared in 5 s", "1 and 1"},
         {kDuplicated, "shared in 1 s", "1 and 1"},
         {kReordered, "shared in 1 s", "1 and 1"},
         {kWrongOpaque, "shared in 5 s", "1 and 1"},
         {kGarbage, "shared in 1 s", "1 and 1"},
         {kTruncated, "shared in 1 s", "1 and 1"},
         {kOversize, "shared in 1 s", "1 and 1"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "shared in 1 s", "1 and 0"},
     }}},
    // A broker waits 24 s for the answer of a nameserver, and registers each 30 s.
    {"Registration",
     registration,
     {{
         {kRefused, "ok, known in 5 s", "2 queues"},
         {kReset, "ok, known in 1 s", "2 queues"},
         {kFin, "ok, known in 1 s", "2 queues"},
         {kHalfOpen, "ok, known in 65 s", "2 queues"},
         {kDelayed, "ok, known in 35 s", "2 queues"},
         {kDropped, "ok, known in 35 s", "2 queues"},
         {kReplyLost, "ok, known in 5 s", "2 queues"},
         {kDuplicated, "ok, known in 1 s", "2 queues"},
         {kReordered, "ok, known in 1 s", "2 queues"},
         {kWrongOpaque, "ok, known in 5 s", "2 queues"},
         {kGarbage, "ok, known in 1 s", "2 queues"},
         {kTruncated, "ok, known in 1 s", "2 queues"},
         {kOversize, "ok, known in 1 s", "2 queues"},
         {kSlices, kVoid, kNeedsSockets},
         {kStaleRoute, "ok, known in 1 s", "1 queues"},
     }}},
};

// What sockets can do and links cannot, and what looks different over them: real time, in which nothing is waited for
// but the client's own pauses of a second.
const TcpRow kTcpRows[] = {
    {"SyncSend",
     syncSend,
     {{{kReset, "ok, then ok", "x once, y once"},
       {kFin, "ok, then ok", "x once, y once"},
       {kTruncated, "ok, then ok", "x twice, y once"},
       {kSlices, "ok, then ok", "x once, y once"}}}},
    {"SyncSendOnce",
     syncSendOnce,
     {{{kReset, "ConnectionLost?, then ok", "x never, y once"},
       {kFin, "ConnectionLost?, then ok", "x never, y once"},
       {kTruncated, "ConnectionLost?, then ok", "x once, y once"},
       {kSlices, "ok, then ok", "x once, y once"}}}},
    {"AsyncSend",
     asyncSend,
     {{{kReset, "ok and ok", "x once, y once"},
       {kFin, "ok and ok", "x once, y once"},
       {kTruncated, "ok and ok", "x twice, y once"},
       {kSlices, "ok and ok", "x once, y once"}}}},
    {"AsyncSendOnce",
     asyncSendOnce,
     {{{kReset, "ConnectionLost? and ok", "x never, y once"},
       {kFin, "ConnectionLost? and ok", "x never, y once"},
       {kTruncated, "ConnectionLost? and ok", "x once, y once"},
       {kSlices, "ok and ok", "x once, y once"}}}},
    {"OnewaySend",
     onewaySend,
     {{{kReset, "ok, then ok", "x never, y once"},
       {kFin, "ok, then ok", "x never, y once"},
       {kTruncated, kVoid, kNoReply},
       {kSlices, kVoid, kNoReply}}}},
    {"Pull",
     pull,
     {{{kReset, "delivered in time", "2 of 2"},
       {kFin, "delivered in time", "2 of 2"},
       {kTruncated, "delivered in time", "2 of 2"},
       {kSlices, "delivered in time", "2 of 2"}}}},
    {"Heartbeat",
     heartbeat,
     {{{kReset, "answered again in time", "a member throughout"},
       {kFin, "answered again in time", "a member throughout"},
       {kTruncated, "answered again in time", "a member throughout"},
       {kSlices, "answered again in time", "a member throughout"}}}},
    {"OffsetCommit",
     offsetCommit,
     {{{kReset, "committed in time", "what was consumed"},
       {kFin, "committed in time", "what was consumed"},
       {kTruncated, "committed in time", "what was consumed"},
       {kSlices, "committed in time", "what was consumed"}}}},
    {"RouteQuery",
     routeQuery,
     {{{kReset, "ok, then ok", "6 queues"},
       {kFin, "ok, then ok", "6 queues"},
       {kTruncated, "ok, then ok", "6 queues"},
       {kSlices, "ok, then ok", "6 queues"}}}},
    {"MemberList",
     memberList,
     {{{kReset, "shared in time", "1 and 1"},
       {kFin, "shared in time", "1 and 1"},
       {kTruncated, "shared in time", "1 and 1"},
       {kSlices, "shared in time", "1 and 1"}}}},
    {"Registration",
     registration,
     {{{kReset, "ok, known in time", "2 queues"},
       {kFin, "ok, known in time", "2 queues"},
       {kTruncated, "ok, known in time", "2 queues"},
       {kSlices, "ok, known in time", "2 queues"}}}},
};

template <std::size_t kCells>
void expectOutcomes(const Row<kCells>& row, const MockClusterOptions& options) {
  for (const Cell& cell : row.cells) {
    SCOPED_TRACE(std::string(row.operation) + " × " + toString(cell.wrong));
    if (cell.told == kVoid) continue;
    World world(options);
    EXPECT_EQ(row.run(world, cell.wrong), (Outcome{cell.told, cell.kept}));
    EXPECT_TRUE(world.met()) << world.cluster.trace();
  }
}

class Matrix : public ::testing::TestWithParam<VirtualRow> {};
TEST_P(Matrix, HasTheOutcomeOfEachCell) {
  for (std::size_t i = 0; i < kWrongs; ++i) {
    ASSERT_EQ(GetParam().cells[i].wrong, static_cast<Wrong>(i)) << "no cell is left out";
  }
  expectOutcomes(GetParam(), {.brokers = 2, .time = MockTime::kVirtual});
}
INSTANTIATE_TEST_SUITE_P(Operation, Matrix, ::testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.operation); });

class MatrixOverTcp : public ::testing::TestWithParam<TcpRow> {};
TEST_P(MatrixOverTcp, HasTheOutcomeOfEachCell) {
  expectOutcomes(GetParam(), {.brokers = 2, .transport = MockTransport::kTcp});
}
INSTANTIATE_TEST_SUITE_P(Operation, MatrixOverTcp, ::testing::ValuesIn(kTcpRows),
                         [](const auto& row) { return std::string(row.param.operation); });

TEST(MatrixVoidCells, AOnewayRequestHasNoReplyToSpoil) {
  for (const Wrong wrong : {kReplyLost, kWrongOpaque, kGarbage, kTruncated, kOversize}) {
    World world({.brokers = 2, .time = MockTime::kVirtual});
    EXPECT_EQ(onewaySend(world, wrong), (Outcome{"ok, then ok", "x once, y once"}));
    EXPECT_FALSE(world.met());
  }
}

}  // namespace
}  // namespace mqclient::faults
