#pragma once
#include <cstdint>
#include <fstream>

#include "heed/io/detail/file_error.hpp"

namespace heed::detail {

/// A file of a known size, read from its beginning on, or from any place. It is read and not mapped: where another
/// process cuts a mapped file off, the program gets a signal and nobody an error.
class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) : path_(path) {
    check_kind();
    std::error_code error;
    size_ = std::filesystem::file_size(path, error);
    if (error) fail_system(path, "its size is unknown", error);
    stream_.open(path, std::ios::binary);
    if (!stream_) fail_system(path, "cannot be opened");
  }

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t place() const { return place_; }
  /// How many bytes are still to be read.
  std::uint64_t rest() const { return size_ - place_; }

  /// The next bytes, all of them.
  void read(void* to, std::uint64_t bytes) {
    if (!stream_.read(static_cast<char*>(to), std::streamsize(bytes)))
      fail_file(path_,
                "only " + std::to_string(stream_.gcount()) + " of " + std::to_string(bytes) + " bytes could be read");
    place_ += bytes;
  }
  void go_to(std::uint64_t place) {
    if (place == place_) return;  // a move would throw away what the stream has read ahead
    if (!stream_.seekg(std::streamoff(place)))
      fail_file(path_, "its byte " + std::to_string(place) + " is out of reach");
    place_ = place;
  }

 private:
  void check_kind() const {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path_, error);
    if (!std::filesystem::status_known(status)) fail_system(path_, "cannot be looked at", error);
    if (!std::filesystem::exists(status)) fail_file(path_, "there is no such file");
    if (std::filesystem::is_directory(status)) fail_file(path_, "is a directory");
    if (!std::filesystem::is_regular_file(status)) fail_file(path_, "is not a regular file");
  }

  std::filesystem::path path_;
  std::uint64_t size_ = 0, place_ = 0;
  std::ifstream stream_;
};

}  // namespace heed::detail
