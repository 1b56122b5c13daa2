#pragma once
#include <concepts>

#include "heed/io/detail/field_walk.hpp"
#include "heed/io/detail/safetensors_header.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed::detail {

/// A file of entries, read as a whole.
class EntryFile {
 public:
  explicit EntryFile(const std::filesystem::path& path) {
    InputFile file(path);
    tensors_ = read_safetensors_header(file);
    body_.resize(file.rest());
    file.read(body_.data(), body_.size());
  }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(const std::string& name) const {
    const auto t = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                    [](const TensorInfo& info, const std::string& n) { return info.name < n; });
    return t == tensors_.end() || t->name != name ? nullptr : &*t;
  }
  const char* data(const TensorInfo& t) const { return body_.data() + t.begin; }

 private:
  std::vector<TensorInfo> tensors_;
  std::string body_;
};

/// Replaces fields by what a file says, which must have been checked.
class FieldReader {
 public:
  explicit FieldReader(const EntryFile& file) : file_(file) {}

  void block(const Described& field, void* data) { copy(*file_.find(field.name), data); }
  template <class T>
  void vector(const Described& field, std::vector<T>& values) {
    const TensorInfo& t = *file_.find(field.name);
    values.resize(std::size_t(t.shape[0]));
    copy(t, values.data());
  }
  bool same(const Described&, std::int64_t) { return true; }
  template <class T>
  void thing(FieldWalk<FieldReader>& walk, T& thing) {
    thing.fields(walk);
  }

 private:
  void copy(const TensorInfo& t, void* to) const {
    if (t.end > t.begin) std::memcpy(to, file_.data(t), std::size_t(t.end - t.begin));
  }
  const EntryFile& file_;
};

/// Compares fields with a file, and changes nothing.
class FieldChecker {
 public:
  explicit FieldChecker(const EntryFile& file) : file_(file), expected_(file.tensors().size()) {}

  void block(const Described& field, const void*) { expect(field, false); }
  template <class T>
  void vector(const Described& field, const std::vector<T>&) {
    expect(field, true);
  }
  bool same(const Described& field, std::int64_t number) {
    if (const TensorInfo* t = expect(field, false)) {
      std::int64_t in_file = 0;
      std::memcpy(&in_file, file_.data(*t), sizeof in_file);
      if (in_file == number) return true;
      report(field.name + " is " + std::to_string(in_file) + ", expected " + std::to_string(number));
    }
    // What is counted by it is not looked at.
    const std::string_view group = std::string_view(field.name).substr(0, field.name.rfind('.') + 1);
    for (std::size_t i = 0; i < expected_.size(); ++i)
      if (file_.tensors()[i].name.starts_with(group)) expected_[i] = true;
    return false;
  }
  /// Fields that must agree with each other are tried out on a copy.
  template <class T>
  void thing(FieldWalk<FieldChecker>& walk, T& thing) {
    const std::size_t before = problem_count_;
    thing.fields(walk);
    if constexpr (requires {
                    { thing.valid() } -> std::same_as<bool>;
                  }) {
      if (problem_count_ > before) return;
      T copy(thing);
      FieldReader reader(file_);
      FieldWalk<FieldReader> into(reader, walk.name());
      copy.fields(into);
      if (!copy.valid()) report((walk.name().empty() ? "it" : walk.name()) + " contradicts itself");
    }
  }

  /// All that was wrong, as one error.
  void finish(const std::filesystem::path& path) {
    for (std::size_t i = 0; i < expected_.size(); ++i)
      if (const TensorInfo& t = file_.tensors()[i]; !expected_[i])
        report("unexpected " + shown(t.name) + " " + shown(t.dtype) + " " + shown(t.shape));
    if (problem_count_ > most) problems_ += "; and " + std::to_string(problem_count_ - most) + " more";
    if (problem_count_ > 0) fail_file(path, problems_);
  }

 private:
  static constexpr std::size_t most = 12;  // problems that are told

  /// The entry, where it is as it should be.
  const TensorInfo* expect(const Described& field, bool free_length) {
    const std::string type = field.dtype + (" " + shown(field.shape));
    const TensorInfo* t = file_.find(field.name);
    if (!t) return report("missing " + field.name + " " + type);
    expected_[std::size_t(t - file_.tensors().data())] = true;
    Sizes shape = field.shape;
    if (free_length && !t->shape.empty()) shape[0] = t->shape[0];
    if (t->dtype != field.dtype || t->shape != shape)
      return report(field.name + " is " + shown(t->dtype) + " " + shown(t->shape) + ", expected " + type +
                    (free_length ? " of any length" : ""));
    if (const auto number = unfit_number(t->dtype, file_.data(*t), t->end - t->begin))
      return report(field.name + " has a value that is not finite, number " + std::to_string(*number));
    return t;
  }
  const TensorInfo* report(const std::string& problem) {
    if (problem_count_++ < most) problems_ += (problems_.empty() ? "" : "; ") + problem;
    return nullptr;
  }

  const EntryFile& file_;
  std::vector<bool> expected_;
  std::string problems_;
  std::size_t problem_count_ = 0;
};

}  // namespace heed::detail
