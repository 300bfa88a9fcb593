#include <signal.h>

#include <cstdio>

#include "mock_broker/cluster/cluster.h"
#include "pairs.h"

namespace mqpaired {

using mqbench::must;
using mqclient::cluster::Cluster;

Cluster::Setup setupOf(Kit kit) {
  constexpr std::int64_t kLogBytes = std::int64_t{512} << 20;  // what is drained again and again has to stay
  Cluster::Setup setup;
  setup.adjust = [](mqclient::broker::BrokerOptions& options) { options.memoryLogBytesMax = kLogBytes; };
  setup.seam = kit == Kit::kWith ? Cluster::FaultSeam::kYes : Cluster::FaultSeam::kNo;
  return setup;
}

int serve(Kit kit) {
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);  // in every thread that is made from here on
  Cluster::Setup setup = setupOf(kit);
  setup.options.transport = mqclient::MockTransport::kTcp;
  const auto cluster = must(Cluster::start(std::move(setup)), "cluster");
  std::puts(cluster->nameserverAddresses().front().c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&end, &signal);
  return 0;
}

}  // namespace mqpaired
