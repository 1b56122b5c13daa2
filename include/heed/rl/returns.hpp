#pragma once
#include <algorithm>
#include <span>

#include "heed/core/sequences.hpp"

namespace heed {

// What followed each step of a sequence of T steps, as a number. A sequence lies within one episode. In all of them
//
//   r_t: reward of step t    V_t: value of what was observed before step t    gamma: discount, in [0, 1]
//   V_T: `following`, the value of what was observed behind the last step; 0 where the task itself ended the episode
//
// so that an episode cut by a time limit goes on with what a policy would still have got (Pardo et al. 2018). The
// result may lie where the rewards do.

/// How each of several sequences ended.
struct Ends {
  std::span<const char> truncated;     ///< cut and not terminated: by a time limit, or because no more was collected
  std::span<const double> last_value;  ///< learned value of what was then observed; does not matter where not truncated
  /// The value of what follows sequence s: 0 where it ended.
  double following(Index s) const { return truncated[std::size_t(s)] ? last_value[std::size_t(s)] : 0; }
};

namespace detail {

inline void expect_share(const char* who, const char* what, double value) {
  if (!(value >= 0 && value <= 1)) [[unlikely]]
    fail("%s: %s %g is not in [0, 1]", who, what, value);
}
inline void expect_steps(const char* who, std::size_t steps, std::initializer_list<std::size_t> sizes) {
  for (std::size_t n : sizes)
    if (n != steps) [[unlikely]]
      fail("%s: %zu steps, but %zu numbers for them", who, steps, n);
}

/// Calls f(following, part) for each sequence, where part(span) are its own numbers.
template <class F>
void each_sequence(const char* who, SequencesView time, const Ends& ends, std::initializer_list<std::size_t> sizes,
                   F f) {
  expect_steps(who, std::size_t(time.columns()), sizes);
  const std::size_t count = std::size_t(time.count());
  if (ends.truncated.size() != count || ends.last_value.size() != count) [[unlikely]]
    fail("%s: %zu sequences, but %zu marks of truncation and %zu last values", who, count, ends.truncated.size(),
         ends.last_value.size());
  for (Index s = 0; s < time.count(); ++s)
    f(ends.following(s),
      [&](auto numbers) { return numbers.subspan(std::size_t(time.first(s)), std::size_t(time.length(s))); });
}

}  // namespace detail

/// Discounted returns-to-go: G_t = scale r_t + gamma G_(t+1), G_T = V_T.
inline void discounted(std::span<const double> rewards, double following, double gamma, std::span<double> returns,
                       double scale = 1) {
  detail::expect_share("discounted", "gamma", gamma);
  detail::expect_steps("discounted", rewards.size(), {returns.size()});
  for (std::size_t t = rewards.size(); t-- > 0;) returns[t] = following = scale * rewards[t] + gamma * following;
}
/// The same of each of several sequences, with a scale of 1.
inline void discounted(SequencesView time, std::span<const double> rewards, const Ends& ends, double gamma,
                       std::span<double> returns) {
  detail::each_sequence("discounted", time, ends, {rewards.size(), returns.size()}, [&](double following, auto part) {
    discounted(part(rewards), following, gamma, part(returns));
  });
}

/// Returns of n steps (Sutton and Barto 2018, eq. 7.1), of fewer at the end:
///
///   G_t = r_t + gamma r_(t+1) + ... + gamma^(m-1) r_(t+m-1) + gamma^m V_(t+m)    m = min(n, T - t)
///
/// Takes time in proportion to n T.
inline void n_step(std::span<const double> rewards, std::span<const double> values, double following, double gamma,
                   Index n, std::span<double> returns) {
  detail::expect_share("n_step", "gamma", gamma);
  if (n < 1) [[unlikely]]
    detail::fail("n_step: n %ld must be at least 1", long(n));
  const std::size_t steps = rewards.size();
  detail::expect_steps("n_step", steps, {values.size(), returns.size()});
  for (std::size_t t = 0; t < steps; ++t) {
    const std::size_t end = t + std::min(std::size_t(n), steps - t);
    double sum = end < steps ? values[end] : following;
    for (std::size_t u = end; u-- > t;) sum = rewards[u] + gamma * sum;
    returns[t] = sum;
  }
}
/// The same of each of several sequences.
inline void n_step(SequencesView time, std::span<const double> rewards, std::span<const double> values,
                   const Ends& ends, double gamma, Index n, std::span<double> returns) {
  detail::each_sequence(
      "n_step", time, ends, {rewards.size(), values.size(), returns.size()},
      [&](double following, auto part) { n_step(part(rewards), part(values), following, gamma, n, part(returns)); });
}

/// Generalised advantages (Schulman et al. 2016, eq. 11 to 16): returns of 1, 2, ... steps less V_t, each weighted
/// lambda times the one before.
///
///   delta_t = r_t + gamma V_(t+1) - V_t    A_t = delta_t + gamma lambda A_(t+1)    A_T = 0
///
///   lambda: in [0, 1]; 0: delta_t, 1: the discounted return less V_t    A_t + V_t: what V_t should have been
inline void generalised_advantages(std::span<const double> rewards, std::span<const double> values, double following,
                                   double gamma, double lambda, std::span<double> advantages) {
  detail::expect_share("generalised_advantages", "gamma", gamma);
  detail::expect_share("generalised_advantages", "lambda", lambda);
  detail::expect_steps("generalised_advantages", rewards.size(), {values.size(), advantages.size()});
  double advantage = 0;
  for (std::size_t t = rewards.size(); t-- > 0;) {
    const double delta = rewards[t] + gamma * following - values[t];
    advantage = delta + gamma * lambda * advantage;
    advantages[t] = advantage;
    following = values[t];
  }
}
/// The same of each of several sequences.
inline void generalised_advantages(SequencesView time, std::span<const double> rewards, std::span<const double> values,
                                   const Ends& ends, double gamma, double lambda, std::span<double> advantages) {
  detail::each_sequence("generalised_advantages", time, ends, {rewards.size(), values.size(), advantages.size()},
                        [&](double following, auto part) {
                          generalised_advantages(part(rewards), part(values), following, gamma, lambda,
                                                 part(advantages));
                        });
}

}  // namespace heed
