#pragma once
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "heed/io/detail/file_error.hpp"
#include "heed/io/detail/tensor_info.hpp"

namespace heed::detail {

/// Listens to nlohmann's parser while it reads the header of a safetensors file,
///
///     {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ..., "__metadata__": {"key": "text", ...}}
///
/// and stops it at the first thing that does not belong there: so nothing deeper or larger than this is ever built.
class SafetensorsParser {
  using Json = nlohmann::json;

 public:
  /// The entries in the order of their names, and the metadata if they are asked for. `path` is for the messages.
  static std::vector<TensorInfo> parse(const std::filesystem::path& path, const std::string& text,
                                       Metadata* metadata = nullptr) {
    SafetensorsParser parser;
    if (!text.starts_with('{')) fail_file(path, "the header is not a JSON object");
    // The parser would take a zero byte for the end of the text.
    if (text.find('\0') != std::string::npos) fail_file(path, "the header is not JSON: it has a zero byte");
    if (!Json::sax_parse(text, &parser)) fail_file(path, parser.error_);
    if (metadata) *metadata = std::move(parser.metadata_);
    auto& tensors = parser.tensors_;
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    const auto twice = std::adjacent_find(tensors.begin(), tensors.end(),
                                          [](const auto& a, const auto& b) { return a.name == b.name; });
    if (twice != tensors.end()) fail_file(path, "two entries are named " + shown(twice->name));
    return std::move(tensors);
  }

  // What nlohmann's parser calls; false stops it.
  bool start_object(std::size_t) {
    if (depth_ > 1) return misplaced("an object");
    if (++depth_ == 2 && !in_metadata_) tensors_.emplace_back().name = name_;
    return true;
  }
  bool key(std::string& key) {
    return depth_ == 1 ? start_member(key) : in_metadata_ ? start_metadata(key) : start_field(key);
  }
  bool end_object() {
    if (depth_ == 2 && !in_metadata_ && seen_ != all_fields)
      return refuse(shown(name_) + " must have dtype, shape and data_offsets");
    --depth_;
    field_ = nothing;
    return true;
  }
  bool start_array(std::size_t) {
    if (depth_ != 2 || !(field_ == shape || field_ == data_offsets)) return misplaced("an array");
    depth_ = 3;
    numbers_.clear();
    return true;
  }
  bool end_array() {
    depth_ = 2;
    TensorInfo& tensor = tensors_.back();
    if (field_ == shape) {
      tensor.shape = numbers_;
    } else {
      if (numbers_.size() != 2) return refuse(place() + " must be two numbers");
      tensor.begin = numbers_[0];
      tensor.end = numbers_[1];
    }
    return true;
  }
  bool string(std::string& text) {
    if (depth_ == 2 && in_metadata_) return *text_ = std::move(text), true;
    if (depth_ != 2 || field_ != dtype) return misplaced("text");
    tensors_.back().dtype = std::move(text);
    return true;
  }
  bool number_unsigned(std::uint64_t number) {
    if (depth_ != 3) return misplaced("a number");
    if (numbers_.size() == most_sizes) return refuse(place() + " has more than 64 numbers");
    numbers_.push_back(number);
    return true;
  }
  bool number_integer(std::int64_t) { return misplaced("a negative number"); }
  bool number_float(double, const std::string&) { return misplaced("a number that is fractional or too large"); }
  bool boolean(bool) { return misplaced("a boolean"); }
  bool null() { return misplaced("null"); }
  bool binary(Json::binary_t&) { return misplaced("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    return refuse("the header is not JSON at its byte " + std::to_string(position));
  }

 private:
  enum Field : unsigned { nothing = 0, dtype = 1, shape = 2, data_offsets = 4, all_fields = 7 };
  static constexpr std::size_t most_sizes = 64;

  bool start_member(std::string& key) {
    name_ = std::move(key);
    seen_ = 0;
    in_metadata_ = name_ == "__metadata__";
    if (in_metadata_ && std::exchange(metadata_seen_, true)) return refuse("there are two __metadata__");
    return true;
  }
  bool start_metadata(const std::string& key) {
    const auto [at, is_new] = metadata_.try_emplace(key);
    text_ = &at->second;
    return is_new || refuse("__metadata__ has " + shown(key) + " twice");
  }
  bool start_field(const std::string& key) {
    field_ = key == "dtype" ? dtype : key == "shape" ? shape : key == "data_offsets" ? data_offsets : nothing;
    if (field_ == nothing) return refuse(shown(name_) + " has an unknown " + shown(key));
    if (seen_ & field_) return refuse(place() + " is there twice");
    seen_ |= field_;
    return true;
  }

  std::string place() const {
    if (depth_ == 0) return "the header";
    const char* field[] = {"", ".dtype", ".shape", "", ".data_offsets"};
    return shown(name_) + field[field_];
  }
  bool misplaced(const char* what) { return refuse(place() + ": " + what + " does not belong there"); }
  bool refuse(std::string message) {
    error_ = std::move(message);
    return false;
  }

  std::vector<TensorInfo> tensors_;
  Metadata metadata_;
  std::string* text_ = nullptr;  // of the metadata read at the moment
  std::string error_;
  int depth_ = 0;     // 1 among the names, 2 in an entry, 3 in its numbers
  std::string name_;  // the member read at the moment
  bool in_metadata_ = false, metadata_seen_ = false;
  Field field_ = nothing;
  unsigned seen_ = 0;
  Sizes numbers_;
};

}  // namespace heed::detail
