#pragma once
#include <concepts>

#include "heed/io/detail/entry_file.hpp"
#include "heed/io/detail/field_walk.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed::detail {

/// Replaces fields by what a file says, which must have been checked.
class FieldReader {
 public:
  explicit FieldReader(EntryFile& file) : file_(file) {}

  void block(const Described& field, void* data) { file_.read(*file_.find(field.name), data); }
  template <class T>
  void vector(const Described& field, std::vector<T>& values) {
    const TensorInfo& t = *file_.find(field.name);
    values.resize(std::size_t(t.shape[0]));
    file_.read(t, values.data());
  }
  bool same(const Described&, std::int64_t) { return true; }
  template <class T>
  void thing(FieldWalk<FieldReader>& walk, T& thing) {
    thing.fields(walk);
  }

 private:
  EntryFile& file_;
};

/// Compares fields with a file, and changes nothing.
class FieldChecker {
 public:
  explicit FieldChecker(EntryFile& file) : file_(file), expected_(file.tensors().size()) {}

  void block(const Described& field, const void*) { expect(field, false); }
  template <class T>
  void vector(const Described& field, const std::vector<T>&) {
    expect(field, true);
  }
  bool same(const Described& field, std::int64_t number) {
    if (const TensorInfo* t = expect(field, false)) {
      std::int64_t in_file = 0;
      file_.read(*t, &in_file);
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
    std::optional<std::uint64_t> unfit;
    file_.each_block(*t, [&](std::uint64_t first, const char* bytes, std::uint64_t size) {
      if (const auto number = unfit_number(t->dtype, bytes, size)) unfit = first + *number;
      return !unfit;
    });
    if (unfit) return report(field.name + " has a value that is not finite, number " + std::to_string(*unfit));
    return t;
  }
  const TensorInfo* report(const std::string& problem) {
    if (problem_count_++ < most) problems_ += (problems_.empty() ? "" : "; ") + problem;
    return nullptr;
  }

  EntryFile& file_;
  std::vector<bool> expected_;
  std::string problems_;
  std::size_t problem_count_ = 0;
};

}  // namespace heed::detail
