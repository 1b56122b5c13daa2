// The files that the fuzzers of tests/fuzz kept, broken in all ways that they came upon, and some made by hand: each
// is read, or refused with its name and without a trace.
#include "fuzz/targets.hpp"
#include "support/files.hpp"

namespace {

namespace fs = std::filesystem;

void check(const char* name, bool (*target)(const fs::path&, std::string_view)) {
  const support::Folder folder;
  int files = 0, taken = 0;
  for (const auto& file : fs::directory_iterator(fs::path(HEED_TEST_DATA) / "fuzz" / name)) {
    const std::string bytes = support::read(file.path());
    INFO(file.path());
    CHECK(bytes.size() <= 4096);
    try {
      taken += target(folder / "file", bytes);
    } catch (const std::exception& error) { FAIL_CHECK(error.what()); }
    ++files;
  }
  INFO(name << ": " << taken << " of " << files << " were read");
  CHECK(taken > 0);
  CHECK(files - taken > taken);
  CHECK(files <= 250);  // few enough to be read in a second
}

}  // namespace

TEST_CASE("corpus: headers of safetensors files") { check("header", fuzz::header); }
TEST_CASE("corpus: safetensors files") { check("safetensors", fuzz::safetensors); }
TEST_CASE("corpus: checkpoints") { check("checkpoint", fuzz::checkpoint); }
TEST_CASE("corpus: learning curves") { check("curve", fuzz::curve); }
