#pragma once
#include <deque>
#include <numeric>

#include "heed/io/detail/atomic_file.hpp"
#include "heed/io/detail/field_walk.hpp"
#include "heed/io/detail/safetensors_header.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed::detail {

/// Notes where fields lie, and writes them into a file.
class FieldWriter {
 public:
  explicit FieldWriter(const std::filesystem::path& path) : path_(path) {}

  void block(const Described& field, const void* data) {
    tensors_.push_back({.name = field.name, .dtype = field.dtype, .shape = field.shape});
    data_.push_back(static_cast<const char*>(data));
    const TensorInfo& t = tensors_.back();
    if (const auto number = unfit_number(t.dtype, data_.back(), *t.bytes()))
      fail_file(path_, t.name + " has a value that is not finite, number " + std::to_string(*number));
  }
  template <class T>
  void vector(const Described& field, const std::vector<T>& values) {
    block(field, values.data());
  }
  bool same(const Described& field, std::int64_t number) {
    block(field, &numbers_.emplace_back(number));
    return true;
  }
  template <class T>
  void thing(FieldWalk<FieldWriter>& walk, T& thing) {
    thing.fields(walk);
  }

  /// All at once or not at all.
  void write() {
    const std::vector<std::size_t> order = place();
    std::vector<TensorInfo> placed;
    for (std::size_t i : order) placed.push_back(tensors_[i]);
    const std::string header = safetensors_header(placed);
    check_names(header, std::move(placed));
    AtomicFile file(path_);
    file.write(header.data(), header.size());
    for (std::size_t i : order) file.write(data_[i], std::size_t(tensors_[i].end - tensors_[i].begin));
    file.commit();
  }

 private:
  /// The largest numbers first: then each lies at a multiple of its size, as some readers ask for.
  std::vector<std::size_t> place() {
    std::vector<std::size_t> order(tensors_.size());
    std::iota(order.begin(), order.end(), std::size_t(0));
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(tensors_[b].item_size(), a) < std::pair(tensors_[a].item_size(), b);
    });
    std::uint64_t end = 0;
    for (std::size_t i : order) {
      tensors_[i].begin = end;
      tensors_[i].end = end += *tensors_[i].bytes();
    }
    return order;
  }
  /// What cannot be read again is not written: a name that comes twice, or one that is not UTF-8.
  void check_names(const std::string& header, std::vector<TensorInfo> written) const {
    const std::vector<TensorInfo> read = SafetensorsParser::parse(path_, header.substr(sizeof(std::uint64_t)));
    std::sort(written.begin(), written.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (std::size_t i = 0; i < written.size(); ++i)
      if (i >= read.size() || read[i].name != written[i].name)
        fail_file(path_, "no entry can be named " + shown(written[i].name));
  }

  const std::filesystem::path path_;
  std::vector<TensorInfo> tensors_;
  std::vector<const char*> data_;
  std::deque<std::int64_t> numbers_;  // which stay where they are
};

}  // namespace heed::detail
