#pragma once
#include <string_view>

#include "heed/core/layout.hpp"

namespace heed {

namespace detail {

/// Whatever goes through fields, as a concept sees it.
struct AnyFields {
  template <class T>
  void operator()(std::string_view name, T& value);
  template <class S>
  void operator()(std::string_view name, S* numbers, const Shape& shape);
  void same(std::string_view name, Index number);
};

}  // namespace detail

/// Something that changes and can be saved and gone on with. It names its state, once for all uses:
///
///   template <class Fields>
///   void fields(Fields& f) {
///     f("steps", steps_);
///     f("adam", adam_);  // has fields of its own: adam.t, adam.m, ...
///     f.same("lanes", config.lanes);
///   }
///
/// What f does with a name and a reference is its own affair: it writes, compares or replaces. It takes
///
/// - numbers, bool, and other trivially copyable values, which are bytes to it: without pointers,
/// - Eigen's matrices, of which a dynamic size stays as it is, and `f(name, numbers, shape)`,
/// - std::vectors of the above, which may change their length (of fixed matrices, and of anything but bool),
/// - what has fields, and std::vectors of that, which keep their length.
///
/// `f.same(name, number)` stands for a number that cannot change: a checkpoint of another is not for this object. Where
/// fields must agree with each other the object, copyable then, has `bool valid() const`.
template <class T>
concept HasFields = requires(T& thing, detail::AnyFields& f) {
  thing.fields(f);
};

}  // namespace heed
