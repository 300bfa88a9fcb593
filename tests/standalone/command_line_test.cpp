#include "mock_broker/standalone/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mqclient::standalone {
namespace {

using testing::HasSubstr;
using Action = CommandLine::Action;

Result<CommandLine> parse(std::vector<const char*> arguments) {
  return parseCommandLine(arguments);
}
std::string wrong(std::vector<const char*> arguments) {
  const auto line = parseCommandLine(arguments);
  return line ? "it was accepted" : line.error().message();
}

TEST(CommandLineOf, NothingRunsWithDefaults) {
  const CommandLine line = parse({}).value();
  EXPECT_EQ(line.action, Action::kRun);
  EXPECT_TRUE(line.config_file.empty());
  EXPECT_TRUE(line.broker.empty());
  EXPECT_TRUE(line.namesrv.empty());
}

TEST(CommandLineOf, EverySwitch) {
  const CommandLine line = parse({"-c", "b.conf", "--namesrv-config=n.conf", "-n", "a:1", "--listen-port", "0",
                                  "--namesrv-port=9", "--conf", "regionId=a=b", "--log", "debug", "-p"})
                               .value();
  EXPECT_EQ(line.action, Action::kPrintConfig);
  EXPECT_EQ(line.config_file, "b.conf");
  EXPECT_EQ(line.namesrv_config_file, "n.conf");
  EXPECT_EQ(line.log_level, LogLevel::kDebug);
  ASSERT_EQ(line.broker.size(), 3u);
  EXPECT_EQ(line.broker[0].key + "=" + line.broker[0].value, "namesrvAddr=a:1");
  EXPECT_EQ(line.broker[1].key + "=" + line.broker[1].value, "listenPort=0");
  EXPECT_EQ(line.broker[2].key + "=" + line.broker[2].value, "regionId=a=b");
  EXPECT_EQ(line.broker[2].place, "--conf");
  ASSERT_EQ(line.namesrv.size(), 1u);
  EXPECT_EQ(line.namesrv[0].key + "=" + line.namesrv[0].value, "listenPort=9");
}

TEST(CommandLineOf, TestControlIsOffUnlessATokenIsNamed) {
  EXPECT_TRUE(parse({}).value().test_control_token_file.empty());
  const CommandLine line = parse({"--test-control-token-file", "t", "--test-control-port=8080"}).value();
  EXPECT_EQ(line.test_control_token_file, "t");
  EXPECT_EQ(line.test_control_port, 8080);
  EXPECT_EQ(parse({"--test-control-token-file", "t"}).value().test_control_port, 0);
  EXPECT_THAT(wrong({"--test-control-port", "0"}), HasSubstr("needs --test-control-token-file"));
  for (const char* port : {"65536", "-1", "x", "1x", ""}) {
    EXPECT_THAT(wrong({"--test-control-token-file", "t", "--test-control-port", port}), HasSubstr("from 0 to 65535"));
  }
}

TEST(CommandLineOf, ApachesLongNames) {
  const CommandLine line = parse({"--configFile", "b.conf", "--namesrvAddr", "a:1", "--printConfigItem"}).value();
  EXPECT_EQ(line.config_file, "b.conf");
  EXPECT_EQ(line.action, Action::kPrintConfig);
}

TEST(CommandLineOf, WhoAsksForHelpGetsItWhateverFollows) {
  EXPECT_EQ(parse({"--help", "--what"}).value().action, Action::kHelp);
  EXPECT_EQ(parse({"-p", "-h"}).value().action, Action::kHelp);
  EXPECT_EQ(parse({"--version"}).value().action, Action::kVersion);
}

TEST(CommandLineOf, WhatIsWrongIsNamed) {
  EXPECT_EQ(wrong({"--listenport", "1"}),
            "'--listenport' is no switch of mqbroker; was --listen-port meant? See --help");
  EXPECT_THAT(wrong({"broker.conf"}),
              HasSubstr("'broker.conf' is no switch of mqbroker; a configuration file goes after -c"));
  EXPECT_THAT(wrong({"-c"}), HasSubstr("-c needs a value"));
  EXPECT_THAT(wrong({"--help=yes"}), HasSubstr("--help takes no value"));
  EXPECT_THAT(wrong({"--conf", "x"}), HasSubstr("--conf x: expected KEY=VALUE"));
  EXPECT_THAT(wrong({"--conf", "=x"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(wrong({"--log", "loud"}), HasSubstr("expected error, warn, info or debug"));
}

TEST(CommandLineOf, TheHelpNamesEverySwitchAndFitsAScreen) {
  const std::string_view help = helpText();
  for (const char* name : {"-c, --config", "--conf ", "--listen-port", "--namesrv-port", "-n, --namesrvAddr",
                           "--namesrv-config", "--log", "-p, --print-config", "-h, --help", "--version"}) {
    EXPECT_NE(help.find(name), std::string_view::npos) << name;
  }
  std::size_t lines = 0;
  for (std::size_t at = 0; at < help.size(); ++lines) {
    const std::size_t end = help.find('\n', at);
    EXPECT_LE(end - at, 120u) << help.substr(at, end - at);
    at = end + 1;
  }
  EXPECT_LE(lines, 40u);
}

}  // namespace
}  // namespace mqclient::standalone
