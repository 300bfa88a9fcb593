#include "remoting/tcp.h"

#include <utility>

#include "remoting/tcp_connect.h"

namespace mqclient::remoting {

namespace {

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(const TcpOptions& options) noexcept : options_(options) {}
  void connect(base::Engine& engine, std::string address, base::Ref<ConnectionHandler> handler,
               base::SteadyTime deadline, base::Completion<base::Ref<Connection>> done) override {
    beginTcpConnect(engine, std::move(address), std::move(handler), deadline, std::move(done), options_);
  }
  Result<base::Ref<ListenSocket>> listen(base::Engine& engine, std::string address,
                                         base::Ref<Acceptor> acceptor) override {
    return listenTcp(engine, address, std::move(acceptor), options_);
  }

 private:
  const TcpOptions options_;
};

}  // namespace

base::Ref<Transport> makeTcpTransport(TcpOptions options) {
  return base::makeRef<TcpTransport>(options);
}

}  // namespace mqclient::remoting
