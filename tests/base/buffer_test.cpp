#include "base/buffer.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>

namespace mqclient::base {
namespace {

TEST(Slice, SharesItsOwnerAndNeverCopiesBytes) {
  Slice whole = Slice::copyOf(std::string_view("hello world"));
  const Slice part = whole.sub(6, 5);
  EXPECT_EQ(part.text(), "world");
  EXPECT_EQ(part.data(), whole.data() + 6);
  EXPECT_EQ(part.owner(), whole.owner());
  whole = Slice();
  EXPECT_EQ(part.text(), "world");
  EXPECT_TRUE(Slice::copyOf(std::string_view()).empty());
}

TEST(Slice, TakesAStringOverWithoutCopying) {
  std::string long_text(1'000, 'x');
  const char* bytes = long_text.data();
  const Slice s = Slice::of(std::move(long_text));
  EXPECT_EQ(s.text().data(), bytes);
  EXPECT_EQ(Slice::of(std::string("short")).text(), "short");
}

TEST(Chain, KeepsSlicesInOrderAndCountsTheirBytes) {
  Chain c;
  EXPECT_TRUE(c.empty());
  c.append(Slice());
  EXPECT_EQ(c.count(), 0U) << "empty slices are left out";
  for (const char* t : {"a", "bc", "def", "ghij"}) c.append(Slice::copyOf(std::string_view(t)));
  EXPECT_EQ(c.count(), 4U);
  EXPECT_EQ(c.size(), 10U);
  EXPECT_EQ(c[2].text(), "def");
  EXPECT_EQ(c.toString(), "abcdefghij");
  EXPECT_EQ(c.flatten().text(), "abcdefghij");
}

TEST(Chain, FlatteningOneSliceCopiesNothing) {
  const Slice s = Slice::copyOf(std::string_view("only"));
  EXPECT_EQ(Chain(s).flatten().data(), s.data());
  EXPECT_TRUE(Chain().flatten().empty());
}

TEST(Chain, AppendsChainsByShareAndByMove) {
  Chain a(Slice::copyOf(std::string_view("1")));
  Chain b(Slice::copyOf(std::string_view("2")));
  b.append(Slice::copyOf(std::string_view("3")));
  b.append(Slice::copyOf(std::string_view("4")));
  a.append(b);
  EXPECT_EQ(a.toString(), "1234");
  EXPECT_EQ(b.toString(), "234");
  a.append(std::move(b));
  EXPECT_EQ(a.toString(), "1234234");
  EXPECT_TRUE(b.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  a.clear();
  EXPECT_EQ(a.count() + a.size(), 0U);
}

TEST(Chain, MovesWithItsSharesHoweverManySlicesItHas) {
  for (std::size_t slices = 0; slices <= 4; ++slices) {
    std::vector<std::weak_ptr<const void>> owners;
    std::string text;
    {
      Chain from;
      for (std::size_t i = 0; i < slices; ++i) {
        const auto owner = std::make_shared<const std::string>(1, static_cast<char>('a' + i));
        owners.emplace_back(owner);
        text += *owner;
        from.append(Slice(owner, owner->data(), 1));
      }
      Chain to(std::move(from));
      EXPECT_EQ(to.toString(), text);
      EXPECT_EQ(to.count(), slices);
      EXPECT_EQ(from.count() + from.size(), 0U);  // NOLINT(bugprone-use-after-move): that is the promise
      for (const auto& owner : owners) EXPECT_EQ(owner.use_count(), 1);
      from = std::move(to);
      EXPECT_EQ(from.toString(), text);
      for (std::size_t i = 0; i < slices; ++i) EXPECT_EQ(from.takeFront().text(), text.substr(i, 1));
      EXPECT_TRUE(from.empty());
      from = Chain(Slice::copyOf(std::string_view("next")));  // finds nothing of the slices before
      EXPECT_EQ(from.toString(), "next");
    }
    for (const auto& owner : owners) EXPECT_TRUE(owner.expired());
  }
}

TEST(BlockWriter, FreezesWhatWasWritten) {
  BlockWriter w(16);
  EXPECT_EQ(w.capacity(), 16U);
  std::memcpy(w.data(), "0123456789", 10);
  const std::byte* at = w.data();
  const Slice s = std::move(w).freeze(10);
  EXPECT_EQ(s.text(), "0123456789");
  EXPECT_EQ(s.data(), at);
}

TEST(BigEndian, IsTheWiresOrder) {
  unsigned char b[8];
  putBe16(b, 0x0102);
  EXPECT_EQ(b[0], 1);
  EXPECT_EQ(b[1], 2);
  putBe32(b, 0x01020304u);
  EXPECT_EQ(b[0], 1);
  EXPECT_EQ(b[3], 4);
  EXPECT_EQ(getBe32(b), 0x01020304u);
  putBe64(b, 0x0102030405060708u);
  EXPECT_EQ(b[0], 1);
  EXPECT_EQ(b[7], 8);
  EXPECT_EQ(getBe64(b), 0x0102030405060708u);
  EXPECT_EQ(getBe16(b + 1), 0x0203);
}

}  // namespace
}  // namespace mqclient::base
