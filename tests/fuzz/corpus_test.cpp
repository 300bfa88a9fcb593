// The committed corpora, through every target: what the fuzzer found once stays found, also by g++ and the other
// sanitizers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <string>
#include <system_error>
#include <vector>

#include "tests/fuzz/target.h"
#include "tests/support/source_dir.h"

namespace mqclient::fuzz {

/// One committed input. A test each, so that one which kills the program is named.
struct CorpusFile {
  Target target;
  std::filesystem::path path;
};

// For names of tests.
void PrintTo(const Target& target, std::ostream* out) {
  *out << target.name;
}
void PrintTo(const CorpusFile& file, std::ostream* out) {
  *out << file.path;
}

namespace {

constexpr std::uintmax_t kFileMax = 64u << 10;

const std::filesystem::path kCorpora = std::filesystem::path(mqclient::testing::sourceDir()) / "tests/fuzz/corpus";

std::vector<CorpusFile> corpusFiles() {
  std::vector<CorpusFile> files;
  for (const Target& target : targets()) {
    std::error_code none;  // a folder that is missing: HasACorpus says so
    for (const auto& file : std::filesystem::directory_iterator(kCorpora / target.name, none)) {
      files.push_back({target, file.path()});
    }
  }
  std::ranges::sort(files, {}, &CorpusFile::path);
  return files;
}

std::string contentsOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string testName(const ::testing::TestParamInfo<CorpusFile>& one) {
  return std::string(one.param.target.name) + "_" + one.param.path.filename().string();
}

class FuzzCorpus : public ::testing::TestWithParam<CorpusFile> {};

TEST_P(FuzzCorpus, KeepsWhatItsTargetDemands) {
  const std::string bytes = contentsOf(GetParam().path);
  EXPECT_LE(bytes.size(), kFileMax);
  Input input(asBytes(bytes));
  GetParam().target.run(input);
}
INSTANTIATE_TEST_SUITE_P(, FuzzCorpus, ::testing::ValuesIn(corpusFiles()), testName);

class FuzzTarget : public ::testing::TestWithParam<Target> {};

TEST_P(FuzzTarget, TakesNothingAtAll) {
  Input input{{}};
  GetParam().run(input);
}
TEST_P(FuzzTarget, HasACorpus) {
  EXPECT_FALSE(std::filesystem::is_empty(kCorpora / GetParam().name));
}
INSTANTIATE_TEST_SUITE_P(, FuzzTarget, ::testing::ValuesIn(targets()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(FuzzTargets, ABrokenDemandEndsTheProcess) {
  EXPECT_DEATH(demand(false, "two and two are five"), "two and two are five");
}

TEST(FuzzTargets, EveryCorpusHasATarget) {
  for (const auto& folder : std::filesystem::directory_iterator(kCorpora)) {
    const bool known = std::ranges::any_of(
        targets(), [&](const Target& target) { return target.name == folder.path().filename().string(); });
    EXPECT_TRUE(known || !folder.is_directory()) << folder.path();
  }
}

}  // namespace
}  // namespace mqclient::fuzz
