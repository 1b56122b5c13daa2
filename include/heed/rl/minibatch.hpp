#pragma once
#include <numeric>
#include <span>

#include "heed/core/random.hpp"
#include "heed/rl/episodes.hpp"

namespace heed {

/// Some steps of an episode to learn from, in a row, and how many before them are looked at.
struct Piece {
  Index first, count, past;  ///< first: a column of Episodes::time
};

/// Cuts what was lived into pieces of at most `length` steps (0: as long as they come), each with as much of its past as
/// the policy looks back at, at most `look_back`, and as there is.
template <class S, class Action>
void cut_into_pieces(const Episodes<S, Action>& episodes, Index length, Index look_back, std::vector<Piece>& pieces) {
  pieces.clear();
  for (Index e = 0; e < episodes.count(); ++e) {
    const Index begin = episodes.time.first(e), end = begin + episodes.time.length(e);
    for (Index first = begin + episodes.past[std::size_t(e)]; first < end;) {
      const Index count = length > 0 ? std::min(length, end - first) : end - first;
      pieces.push_back({first, count, std::min(look_back, first - begin)});
      first += count;
    }
  }
}

/// Shuffles them (Fisher and Yates 1938).
inline void shuffle(std::vector<Piece>& pieces, Random& random) {
  for (Index i = Index(pieces.size()); i > 1; --i)
    std::swap(pieces[std::size_t(i - 1)], pieces[std::size_t(random.below(i))]);
}

/// Part of a batch: some pieces behind each other, as a network takes them.
template <class S>
class Minibatch {
 public:
  Sequences time;           ///< a sequence a piece, its past included
  Sequences input;          ///< a sequence a step
  std::vector<Index> step;  ///< of each column of time: which step of the episodes, -1 where it is only looked at
  Index steps = 0;          ///< that are learned from

  /// What is observed, a column a step.
  auto x() const { return room_.leftCols(input.columns()); }

  /// Brings the pieces together.
  template <class Action>
  void gather(const Episodes<S, Action>& episodes, std::span<const Piece> pieces) {
    time.clear(), input.clear(), step.clear();
    steps = 0;
    for (const Piece& piece : pieces) {
      time.append(piece.past + piece.count);
      steps += piece.count;
      for (Index t = -piece.past; t < piece.count; ++t) {
        input.append(episodes.input.length(piece.first + t));
        step.push_back(t < 0 ? -1 : piece.first + t);
      }
    }
    const auto all = episodes.x();
    if (room_.rows() != all.rows() || room_.cols() < input.columns())
      room_.resize(all.rows(), std::max(input.columns(), 2 * room_.cols()));
    Index column = 0;
    for (const Piece& piece : pieces) {
      const Index begin = episodes.input.first(piece.first - piece.past);
      const Index end = episodes.input.first(piece.first + piece.count);  // also of what comes behind the last step
      room_.middleCols(column, end - begin) = all.middleCols(begin, end - begin);
      column += end - begin;
    }
  }

 private:
  Tokens<S> room_;
};

/// Visits minibatches of about equally many steps, of whole pieces: f(minibatch). Fewer where there are fewer pieces.
template <class S, class Action, class F>
void each_minibatch(const Episodes<S, Action>& episodes, std::span<const Piece> pieces, Index count,
                    Minibatch<S>& minibatch, F f) {
  Index left = 0;
  for (const Piece& piece : pieces) left += piece.count;
  for (std::size_t begin = 0; begin < pieces.size(); --count) {
    std::size_t end = begin;
    for (Index steps = 0; end < pieces.size() && (end == begin || count == 1 || steps * count < left); ++end)
      steps += pieces[end].count;
    minibatch.gather(episodes, pieces.subspan(begin, end - begin));
    left -= minibatch.steps;
    begin = end;
    if (!f(minibatch)) return;
  }
}

}  // namespace heed
