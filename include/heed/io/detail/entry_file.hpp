#pragma once
#include <array>

#include "heed/io/detail/safetensors_header.hpp"

namespace heed::detail {

/// A safetensors file whose header is as it should be. The body stays where it is, and is read block by block: a file
/// may be as large as the memory that is left.
class EntryFile {
 public:
  explicit EntryFile(const std::filesystem::path& path, Metadata* metadata = nullptr)
      : file_(path), tensors_(read_safetensors_header(file_, metadata)), body_(file_.place()) {}

  const std::filesystem::path& path() const { return file_.path(); }
  /// In the order of their names.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(const std::string& name) const {
    const auto t = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                    [](const TensorInfo& info, const std::string& n) { return info.name < n; });
    return t == tensors_.end() || t->name != name ? nullptr : &*t;
  }

  /// The whole entry.
  void read(const TensorInfo& t, void* to) {
    if (t.begin == t.end) return;  // of nothing, `to` may be nowhere
    file_.go_to(body_ + t.begin);
    file_.read(to, t.end - t.begin);
  }
  /// f(first, bytes, size) for one block after the other, each of whole numbers, the first of which is number `first`,
  /// until f answers false.
  template <class F>
  void each_block(const TensorInfo& t, F f) {
    alignas(8) std::array<char, block_size> block;
    for (std::uint64_t at = t.begin; at < t.end; at += block.size()) {
      const std::uint64_t size = std::min<std::uint64_t>(block.size(), t.end - at);
      file_.go_to(body_ + at);
      file_.read(block.data(), size);
      if (!f((at - t.begin) / t.item_size(), block.data(), size)) return;
    }
  }

  static constexpr std::size_t block_size = 1 << 13;  // a multiple of the size of any number

 private:
  InputFile file_;
  std::vector<TensorInfo> tensors_;
  std::uint64_t body_;  // where it begins
};

}  // namespace heed::detail
