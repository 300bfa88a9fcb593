#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/runtime.h"
#include "client/home.h"
#include "mqclient/client.h"
#include "sim/sim_engine.h"

namespace mqclient::scripted {

/// Clients of "scripted://home" live in the home that the running test makes, while this does. One at a time.
class ScriptedHome {
 public:
  explicit ScriptedHome(std::function<client::Home()> home) {
    static const bool registered = [] {
      client::registerScheme("scripted",
                             [](const client::SchemeAddress&, const base::Ref<base::Engine>&) -> Result<client::Home> {
                               client::Home made = current()();
                               made.identity = "scripted";
                               return made;
                             });
      return true;
    }();
    (void)registered;
    current() = std::move(home);
  }
  ~ScriptedHome() { current() = nullptr; }
  ScriptedHome(const ScriptedHome&) = delete;
  ScriptedHome& operator=(const ScriptedHome&) = delete;

  /// Options of a client there, whose log lines and events go to the test's lists.
  static ClientOptions client(const base::Ref<sim::SimEngine>& engine, std::vector<std::string>& log,
                              std::vector<ClientEvent>& events) {
    ClientOptions options;
    options.namesrvAddr = "scripted://home";
    options.runtime = mqclient::detail::RuntimeAccess::of(base::Ref<base::Engine>(engine.get()));
    options.log = [&log](LogLevel, std::string_view, std::string_view line) { log.emplace_back(line); };
    options.onEvent = [&events](const ClientEvent& event) { events.push_back(event); };
    return options;
  }

 private:
  static std::function<client::Home()>& current() {
    static std::function<client::Home()> home;
    return home;
  }
};

}  // namespace mqclient::scripted
