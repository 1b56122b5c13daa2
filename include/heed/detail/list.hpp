#pragma once
#include <array>
#include <optional>
#include <vector>

#include "heed/core/tokens.hpp"

namespace heed::detail {

/// At most N things, without the heap: what the networks use of std::vector.
template <class T, std::size_t N>
class StaticList {
 public:
  void push_back(T item) {
    if (size_ == N) fail("StaticList: there is room for %zu of them and no more", N);
    items_[size_++].emplace(std::move(item));
  }
  std::size_t size() const { return size_; }
  const T& operator[](std::size_t i) const { return *items_[i]; }
  const T& back() const { return *items_[size_ - 1]; }

  struct Iterator {
    const std::optional<T>* at;
    const T& operator*() const { return **at; }
    Iterator& operator++() { return ++at, *this; }
    friend bool operator==(const Iterator&, const Iterator&) = default;
  };
  Iterator begin() const { return {items_.data()}; }
  Iterator end() const { return {items_.data() + size_}; }

 private:
  std::array<std::optional<T>, N> items_;
  std::size_t size_ = 0;
};

/// Any number of things, or at most N.
template <class T, int N>
struct ListOf {
  using Type = StaticList<T, std::size_t(N)>;
};
template <class T>
struct ListOf<T, Dynamic> {
  using Type = std::vector<T>;
};
template <class T, int N>
using List = typename ListOf<T, N>::Type;

}  // namespace heed::detail
