#include "mock_broker/broker/core.h"

#include <algorithm>
#include <utility>

#include "mock_broker/broker/pull.h"
#include "protocol/names.h"
#include "protocol/properties.h"

namespace mqclient::broker {
namespace {

/// How long whenRegistered() waits for the nameservers at most, beyond their own time.
constexpr base::Millis kRegisterSlack{1'000};
constexpr std::size_t kOffsetDigits = 16;  // of an offset message id

std::vector<std::string> complaintsAbout(const BrokerOptions& o) {
  std::vector<std::string> complaints;
  const auto want = [&complaints](bool good, std::string text) {
    if (!good) complaints.push_back(std::move(text));
  };
  want(static_cast<bool>(o.engine), "engine is missing");
  want(static_cast<bool>(o.transport), "transport is missing");
  want(protocol::RecordHost::parse(o.address).has_value(), "address '" + o.address + "' is not ip:port");
  want(o.brokerIP1.empty() || protocol::RecordHost::parse(protocol::hostAndPort(o.brokerIP1, 0)).has_value(),
       "brokerIP1 '" + o.brokerIP1 + "' is not an IP");
  want(!protocol::complaintAboutTopic(o.brokerName), "brokerName '" + o.brokerName + "' is not a legal name");
  want(!protocol::complaintAboutTopic(o.brokerClusterName),
       "brokerClusterName '" + o.brokerClusterName + "' is not a legal name");
  want(o.brokerId >= 0, "brokerId " + std::to_string(o.brokerId) + " is negative");
  want(o.defaultTopicQueueNums > 0, "defaultTopicQueueNums must be positive");
  want(o.maxMessageSize > 0, "maxMessageSize must be positive");
  want(o.maxTransferCountOnMessageInMemory > 0, "maxTransferCountOnMessageInMemory must be positive");
  want(o.pull_count_max > 0, "pull_count_max must be positive");
  want(o.consumeQueueUnitsPerFile > 0, "consumeQueueUnitsPerFile must be positive");
  constexpr std::int32_t kSegmentMin = 4096;
  want(o.mappedFileSizeCommitLog >= kSegmentMin,
       "mappedFileSizeCommitLog must be at least " + std::to_string(kSegmentMin));
  want(o.memoryLogBytesMax >= static_cast<std::int64_t>(store::CommitLog::kSegmentsMin) * o.mappedFileSizeCommitLog,
       "memoryLogBytesMax must hold at least " + std::to_string(store::CommitLog::kSegmentsMin) +
           " segments of mappedFileSizeCommitLog");
  return complaints;
}

store::MessageStoreOptions storeOptions(const BrokerOptions& o) {
  store::MessageStoreOptions options;
  options.log.segment_bytes = static_cast<std::size_t>(o.mappedFileSizeCommitLog);
  options.log.bytes_max = static_cast<std::size_t>(o.memoryLogBytesMax);
  options.units_per_file = o.consumeQueueUnitsPerFile;
  options.transfer_count_max = o.maxTransferCountOnMessageInMemory;
  options.transfer_bytes_max = o.maxTransferBytesOnMessageInMemory;
  const bool hidden = o.flushDiskType == FlushDiskType::SYNC_FLUSH;
  options.visible = hidden ? store::Visible::kWhenPublished : store::Visible::kAtOnce;
  return options;
}

std::string addedProperties(const BrokerOptions& o) {
  std::string added;
  protocol::appendProperty(added, protocol::kPropertyMsgRegion, o.regionId);
  protocol::appendProperty(added, protocol::kPropertyTraceSwitch, o.traceOn ? "true" : "false");
  protocol::appendProperty(added, protocol::kPropertyCluster, o.brokerClusterName);
  return added;
}

std::string msgIdPrefix(const protocol::RecordHost& host) {
  std::string id = protocol::createOffsetMsgId(host, 0);
  id.resize(id.size() - kOffsetDigits);
  return id;
}

}  // namespace

BrokerCore::BrokerCore(BrokerOptions options, const protocol::RecordHost& store_host)
    : options_(std::move(options)),
      engine_(options_.engine),
      log_out_(options_.log ? options_.log : base::Log::silent()),
      store_host_(store_host),
      msg_id_prefix_(msgIdPrefix(store_host)),
      added_properties_(addedProperties(options_)),
      uniq_ids_(store_host, engine_->environment().pid, engine_->environment().process_salt),
      store_(options_.files ? options_.files : std::shared_ptr<store::FileSystem>(store::makeMemoryFileSystem()),
             storeOptions(options_)),
      topics_(options_, engine_->wallMillis()),
      started_(engine_->now()),
      boot_ms_(engine_->wallMillis()),
      log_(*engine_),
      answers_(*engine_),
      flusher_(*this, log_, store_, options_, log_out_),
      tables_(*engine_),
      groups_(options_, [this] { config_files_.write(groups_); }),
      config_files_(options_.files, log_out_),
      offsets_timer_(tables_, [this] { writeOffsets(); }),
      scan_timer_(tables_, [this] { scanClients(); }) {}

Result<base::Ref<BrokerCore>> BrokerCore::start(BrokerOptions options) {
  if (const auto complaints = complaintsAbout(options); !complaints.empty()) {
    std::string all;
    for (const std::string& one : complaints) all += (all.empty() ? "" : "; ") + one;
    return Error(ErrorCode::kInvalidArgument, std::move(all));
  }
  // The address first: with port 0 it is known only now, and records, message ids and the registration carry it.
  auto server = remoting::RemotingServer::bind(options.engine, options.transport, options.address,
                                               options.log ? options.log : base::Log::silent(), options.server);
  if (!server) return std::move(server).error();
  options.address = (*server)->address();
  if (!options.brokerIP1.empty()) {
    protocol::RecordHost told = *protocol::RecordHost::parse(protocol::hostAndPort(options.brokerIP1, 0));
    told.port = protocol::RecordHost::parse(options.address)->port;
    options.address = told.toString();
  }
  const protocol::RecordHost store_host = *protocol::RecordHost::parse(options.address);
  auto core = base::makeRef<BrokerCore>(std::move(options), store_host);
  const BrokerOptions& o = core->options_;
  // Everything a request may need is there before the first can come.
  if (o.files) {
    if (auto recovered = core->recover(); !recovered) return recovered.error();
  }
  core->client_ = remoting::RemotingClient::make(core->engine_, o.transport, core->log_out_);
  core->registration_ =
      std::make_unique<Registration>(*core, core->tables_, o, core->topics_, core->client_, core->log_out_);
  core->server_ = *std::move(server);
  core->server_->serve(core);
  core->inTables([c = core.get()] { c->registration_->start(); });
  return core;
}

Result<void> BrokerCore::recover() {
  const auto found = store_.recover();
  if (!found) return found.error();
  // What a process left in the page cache reads well and is not durable: shown, and lost with the power, its offsets
  // would be given again.
  if (options_.flushDiskType != FlushDiskType::NO_FLUSH) {
    if (auto flushed = store_.flush(); !flushed) return flushed.error();
  }
  config_files_.load(options_, topics_, groups_, offsets_);
  if (found->records > 0) {
    log_out_->write(LogLevel::kInfo, "broker",
                    options_.brokerName + " found " + std::to_string(found->records) + " messages of before");
  }
  return {};
}

void BrokerCore::whenRegistered(base::Completion<void> done) {
  inTables([this, done = std::move(done)]() mutable {
    registration_->whenAnnounced(options_.registerBrokerTimeoutMills + kRegisterSlack, std::move(done));
  });
}

void BrokerCore::whenKnownTo(std::string nameserver, base::Completion<void> done) {
  inTables([this, nameserver = std::move(nameserver), done = std::move(done)]() mutable {
    registration_->whenKnownTo(std::move(nameserver), std::move(done));
  });
}

void BrokerCore::stop(Ending ending, base::Completion<void> done) {
  inTables([this, ending, done = std::move(done)]() mutable {
    if (stopped()) return std::move(done)(Result<void>());
    stop_waiters_.push_back(std::move(done));
    if (!stopping_) beginStop(ending);
  });
}

void BrokerCore::leaveRoute(base::Completion<void> done) {
  inTables([this, done = std::move(done)]() mutable {
    registration_->stop(Registration::Farewell::kUnregister, std::move(done));
  });
}

void BrokerCore::beginStop(Ending ending) {
  const bool killed = ending == Ending::kKilled;
  stopping_ = true;
  scan_timer_.cancel();
  if (!killed && offsets_timer_.armed()) writeOffsets();
  offsets_timer_.cancel();
  dropHolds(holds_.all(), remoting::Discard::kStopping);
  // What is appended before the log closes is answered before the connections do.
  const auto part = [this] {
    ++parts_to_stop_;
    return base::Completion<void>::of([this, keep = self()](Result<void>&&) { inTables([this] { partStopped(); }); });
  };
  auto connections = part();
  auto log = part();
  registration_->stop(killed ? Registration::Farewell::kNone : Registration::Farewell::kUnregister,
                      base::Completion<void>::of([this, keep = self(), done = part()](Result<void>&&) mutable {
                        client_->close(std::move(done));
                      }));
  base::Completion<void> answered;
  if (killed) {
    server_->close(std::move(connections));
  } else {
    answered = std::move(connections);
  }
  log_.post(self(), [this, killed, done = std::move(log), connections = std::move(answered)]() mutable {
    log_closed_ = true;
    flusher_.stop(killed ? Flusher::Last::kNone : Flusher::Last::kFlush,
                  base::Completion<void>::of([this, keep = self(), done = std::move(done),
                                              connections = std::move(connections)](Result<void>&&) mutable {
                    if (connections) {
                      base::after(*engine_, self(), [this, connections = std::move(connections)]() mutable {
                        server_->close(std::move(connections));
                      });
                    }
                    std::move(done)(Result<void>());
                  }));
  });
}

void BrokerCore::partStopped() {
  if (--parts_to_stop_ > 0) return;
  stopped_.store(true, std::memory_order_release);
  clients_.clear();
  for (auto& done : std::exchange(stop_waiters_, {})) std::move(done)(Result<void>());
}

// ---- the handle

Broker::Broker(base::Ref<BrokerCore> core) : core_(std::move(core)) {}
Broker::~Broker() {
  // Not posted for nothing: an engine that nobody pumps any more would keep the task, and with it the broker, for ever.
  if (!core_->stopped()) core_->stop(BrokerCore::Ending::kOrderly, base::Completion<void>());
}

Result<base::Ref<Broker>> Broker::start(BrokerOptions options) {
  auto core = BrokerCore::start(std::move(options));
  if (!core) return std::move(core).error();
  return base::Ref<Broker>::adopt(new Broker(*std::move(core)));
}

void Broker::whenRegistered(base::Completion<void> done) {
  core_->whenRegistered(std::move(done));
}
void Broker::whenKnownTo(std::string nameserver, base::Completion<void> done) {
  core_->whenKnownTo(std::move(nameserver), std::move(done));
}
void Broker::stop(base::Completion<void> done) {
  core_->stop(BrokerCore::Ending::kOrderly, std::move(done));
}
void Broker::kill(base::Completion<void> done) {
  core_->stop(BrokerCore::Ending::kKilled, std::move(done));
}
void Broker::leaveRoute(base::Completion<void> done) {
  core_->leaveRoute(std::move(done));
}
void Broker::skewWallClock(base::Millis by) noexcept {
  core_->skewWallClock(by);
}
const std::string& Broker::address() const noexcept {
  return core_->address();
}
const BrokerOptions& Broker::options() const noexcept {
  return core_->options();
}
void Broker::updateTopic(TopicConfig config, base::Completion<void> done) {
  core_->updateTopic(std::move(config), std::move(done));
}
void Broker::inspect(UniqueFunction<void(const Inspection&)> f) {
  core_->inspect(std::move(f));
}

}  // namespace mqclient::broker
