#include "mock_broker/control/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/support/temp_file.h"

namespace mqclient::control {
namespace {

using mqclient::testing::TempFile;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kToken = "0123456789abcdef";

std::string complaintAbout(const std::string& path) {
  const auto token = readTokenFile(path);
  return token ? "it was accepted" : token.error().message();
}

TEST(TokenFile, HoldsOneLine) {
  for (const char* end : {"", "\n", "\r\n"}) EXPECT_EQ(readTokenFile(TempFile(kToken + end).name()).value(), kToken);
  const std::string longest(kTokenBytesMax, 'a');
  EXPECT_EQ(readTokenFile(TempFile(longest + "\r\n").name()).value(), longest);
}

TEST(TokenFile, WhatIsNoTokenIsRefusedWithoutShowingIt) {
  const std::string expected = "one line of 16 to 1024 printable characters";
  for (const std::string& text :
       {std::string(), kToken.substr(1), kToken + " " + kToken, kToken + "\n" + kToken, kToken + "\x7f",
        kToken + std::string(1, '\0'), std::string(kTokenBytesMax + 1, 'a')}) {
    const TempFile file(text);
    EXPECT_THAT(complaintAbout(file.name()), HasSubstr(expected));
    EXPECT_THAT(complaintAbout(file.name()), Not(HasSubstr("0123456789")));
  }
}

TEST(TokenFile, IsItsOwnersAlone) {
  const TempFile file(kToken);
  for (const mode_t others : {mode_t{S_IRGRP}, mode_t{S_IWGRP}, mode_t{S_IROTH}, mode_t{S_IXOTH}}) {
    ASSERT_EQ(chmod(file.name().c_str(), mode_t{S_IRUSR} | others), 0);
    EXPECT_THAT(complaintAbout(file.name()), HasSubstr("chmod 600"));
  }
  ASSERT_EQ(chmod(file.name().c_str(), S_IRUSR), 0);
  EXPECT_EQ(readTokenFile(file.name()).value(), kToken);
}

TEST(TokenFile, IsAPlainFileAndNoLinkToOne) {
  const TempFile file(kToken);
  const std::string link = file.name() + "-link";
  ASSERT_EQ(symlink(file.name().c_str(), link.c_str()), 0);
  EXPECT_THAT(complaintAbout(link), HasSubstr("cannot be opened"));
  unlink(link.c_str());
  ASSERT_EQ(mkfifo(link.c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_THAT(complaintAbout(link), HasSubstr("is no plain file")) << "and nobody waited for its other end";
  unlink(link.c_str());
  EXPECT_THAT(complaintAbout("/nowhere/token"), HasSubstr("/nowhere/token: cannot be opened: No such file"));
}

TEST(Token, OnlyTheWholeOneBehindBearerCounts) {
  EXPECT_TRUE(carriesToken("Bearer " + kToken, kToken));
  for (const std::string& field :
       {std::string(), std::string("Bearer"), std::string("Bearer "), kToken, "Basic " + kToken, "Bearer  " + kToken,
        "Bearer " + kToken.substr(1), "Bearer " + kToken.substr(0, 15), "Bearer " + kToken + "0",
        "Bearer " + kToken + kToken, std::string("Bearer 0123456789abcdeF")}) {
    EXPECT_FALSE(carriesToken(field, kToken)) << field;
  }
}

}  // namespace
}  // namespace mqclient::control
