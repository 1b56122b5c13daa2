#pragma once
// Files in a place of their own, and what is said of broken ones.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

namespace support {

/// A new directory, removed at the end.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::random_device random;
    do path = std::filesystem::temp_directory_path() / ("heed-test-" + std::to_string(random()));
    while (!std::filesystem::create_directory(path));
  }
  ~Folder() { std::filesystem::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const char* name) const { return path / name; }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& file : std::filesystem::directory_iterator(path)) all.push_back(file.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }
};

inline void write(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(
      path);  // some file systems wait for the disk where a file is cut to nothing and written again
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), std::streamsize(bytes.size()));
  REQUIRE(file.flush());
}
inline std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class T>
std::string bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}
/// A safetensors file of any header and body.
inline std::string file_of(const std::string& header, const std::string& body = {}) {
  return bytes<std::uint64_t>({header.size()}) + header + body;
}

template <class Call>
std::string file_error(Call call) {
  try {
    call();
  } catch (const std::runtime_error& error) { return error.what(); }
  return "no error";
}
template <class Call>
void require_file_error(const std::filesystem::path& path, const std::string& fragment, Call call) {
  const std::string error = file_error(call);
  INFO(error << "\nis expected to contain\n" << fragment);
  REQUIRE(error.starts_with(path.string() + ": "));
  REQUIRE(error.find(fragment) != std::string::npos);
}

}  // namespace support
