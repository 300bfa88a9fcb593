#pragma once

#include <string>

#include "remoting/tcp_socket.h"
#include "remoting/transport.h"

namespace mqclient::remoting {

/// Transport::connect() over TCP.
void beginTcpConnect(base::Engine& engine, std::string address, base::Ref<ConnectionHandler> handler,
                     base::SteadyTime deadline, base::Completion<base::Ref<Connection>> done,
                     const TcpOptions& options);

/// Transport::listen() over TCP.
Result<base::Ref<ListenSocket>> listenTcp(base::Engine& engine, const std::string& address,
                                          base::Ref<Acceptor> acceptor, const TcpOptions& options);

/// What a call that needs sockets answers on an engine with virtual time.
Error noSockets();

}  // namespace mqclient::remoting
