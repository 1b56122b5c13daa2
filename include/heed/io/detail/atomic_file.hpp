#pragma once
#include <cstdio>
#include <utility>
#if !defined(_WIN32)
#include <unistd.h>
#endif

#include "heed/io/detail/file_error.hpp"
#include "heed/io/detail/unique_name.hpp"

namespace heed::detail {

/// A file that appears under its name complete or not at all: written to a temporary file beside it, which is flushed to
/// the disk and renamed by commit(), and removed where it does not come to that.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target) : target_(target) {
    for (int attempt = 0; attempt < 1000 && !file_; ++attempt) {
      temporary_ = temporary_beside(target);
      file_ = std::fopen(temporary_.string().c_str(), "wbx");  // x: never a file that is there already
      if (!file_ && errno != EEXIST) break;
    }
    if (!file_) fail_system(target_, "no file can be created beside it");
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (file_) std::fclose(file_);
    std::error_code ignored;
    if (!committed_) std::filesystem::remove(temporary_, ignored);
  }

  void write(const void* from, std::size_t bytes) {
    if (std::fwrite(from, 1, bytes, file_) != bytes) fail_system(target_, "cannot be written");
  }

  void commit() {
    if (std::fflush(file_) != 0) fail_system(target_, "cannot be written");
#if !defined(_WIN32)
    if (::fsync(::fileno(file_)) != 0) fail_system(target_, "cannot be brought to the disk");
#endif
    if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_system(target_, "cannot be closed");
    std::error_code error;
    std::filesystem::rename(temporary_, target_, error);
    if (error) fail_system(target_, "cannot be replaced", error);
    committed_ = true;
  }

 private:
  static std::filesystem::path temporary_beside(const std::filesystem::path& target) {
    return target.parent_path() / (".heed-" + unique_name('-') + ".tmp");
  }

  std::filesystem::path target_, temporary_;
  std::FILE* file_ = nullptr;
  bool committed_ = false;
};

}  // namespace heed::detail
