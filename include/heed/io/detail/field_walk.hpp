#pragma once
#include <type_traits>

#include "heed/core/fields.hpp"
#include "heed/io/detail/tensor_info.hpp"

namespace heed::detail {

/// The dtype of a number in files.
template <class T>
constexpr const char* dtype_of() {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8, "a number that has no dtype");
  if constexpr (std::is_same_v<T, bool>)
    return "BOOL";
  else if constexpr (std::is_floating_point_v<T>)
    return sizeof(T) == 4 ? "F32" : "F64";
  else if constexpr (std::is_signed_v<T>)
    return sizeof(T) == 8 ? "I64" : sizeof(T) == 4 ? "I32" : sizeof(T) == 2 ? "I16" : "I8";
  else
    return sizeof(T) == 8 ? "U64" : sizeof(T) == 4 ? "U32" : sizeof(T) == 2 ? "U16" : "U8";
}

template <class T>
inline constexpr bool is_eigen = std::is_base_of_v<Eigen::DenseBase<T>, T>;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// A name in a file, and what belongs there.
struct Described {
  const std::string& name;
  const char* dtype;
  Sizes shape;
};

/// Eigen's matrices lie in files as they lie in memory: one whose columns are contiguous turned, a column a row.
template <class M>
Sizes sizes_of_matrix(Index rows, Index cols) {
  const std::uint64_t m = std::uint64_t(rows), n = std::uint64_t(cols);
  if (M::IsVectorAtCompileTime) return {m * n};
  return M::IsRowMajor ? Sizes{m, n} : Sizes{n, m};
}

/// Goes through the fields of things and gives each its whole name, as "rollout.groups.0.lanes.3.open". `on` is told of
///
///   on.block(described, data)       numbers in one piece, which keep their shape
///   on.vector(described, vector)    the same, of which the first size is free
///   on.same(described, number)      a number to be compared; answers whether it was the same
///   on.thing(walk, thing)           what has fields: to be gone on with, or not
template <class On>
class FieldWalk {
 public:
  explicit FieldWalk(On& on, std::string name = {}) : on_(on), name_(std::move(name)) {}

  template <class T>
  void operator()(std::string_view name, T& value) {
    named(name, [&] { visit(value); });
  }
  template <class S>
  void operator()(std::string_view name, S* numbers, const Shape& shape) {
    named(name, [&] { on_.block({name_, dtype_of<S>(), sizes_of(shape)}, numbers); });
  }
  bool same(std::string_view name, Index number) {
    bool same = false;
    named(name, [&] { same = on_.same({name_, "I64", {}}, std::int64_t(number)); });
    return same;
  }
  const std::string& name() const { return name_; }

 private:
  template <class F>
  void named(std::string_view name, F f) {
    const std::size_t before = name_.size();
    if (before > 0) name_ += '.';
    name_ += name;
    f();
    name_.resize(before);
  }

  template <class T>
  void visit(T& value) {
    static_assert(!std::is_const_v<T>, "a field that cannot change: see Fields::same");
    if constexpr (HasFields<T>)
      on_.thing(*this, value);
    else if constexpr (is_vector<T>)
      visit_vector(value);
    else if constexpr (is_eigen<T>)
      on_.block({name_, dtype_of<typename T::Scalar>(), sizes_of_matrix<T>(value.rows(), value.cols())}, value.data());
    else
      on_.block({name_, element_dtype<T>(), element_shape<T>()}, &value);
  }
  template <class T>
  void visit_vector(std::vector<T>& values) {
    static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no place where its numbers lie");
    if constexpr (HasFields<T>) {
      if (same("count", Index(values.size())))
        for (std::size_t i = 0; i < values.size(); ++i) (*this)(std::to_string(i), values[i]);
    } else {
      Sizes shape = element_shape<T>();
      shape.insert(shape.begin(), values.size());
      on_.vector({name_, element_dtype<T>(), std::move(shape)}, values);
    }
  }

  /// Elements are numbers, matrices of a fixed size, and bytes.
  template <class T>
  static constexpr const char* element_dtype() {
    if constexpr (is_eigen<T>) {
      return dtype_of<typename T::Scalar>();
    } else if constexpr (std::is_arithmetic_v<T>) {
      return dtype_of<T>();
    } else {
      static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>, "neither fields nor plain bytes");
      return "U8";
    }
  }
  template <class T>
  static Sizes element_shape() {
    if constexpr (is_eigen<T>) {
      static_assert(T::SizeAtCompileTime > 0 && sizeof(T) == T::SizeAtCompileTime * sizeof(typename T::Scalar));
      return sizes_of_matrix<T>(T::RowsAtCompileTime, T::ColsAtCompileTime);
    } else {
      return std::is_arithmetic_v<T> ? Sizes{} : Sizes{sizeof(T)};
    }
  }

  On& on_;
  std::string name_;
};

/// Goes through one thing, or several by their numbers.
template <class On, class... Things>
void walk_through(On& on, Things&... things) {
  FieldWalk<On> walk(on);
  if constexpr (sizeof...(Things) == 1) {
    (on.thing(walk, things), ...);
  } else {
    std::size_t number = 0;
    (walk(std::to_string(number++), things), ...);
  }
}

}  // namespace heed::detail
