#pragma once
// What is compared: the rows of the table, by how much heed is to be ahead, and what each row costs at the very least.

#include <string>
#include <vector>

namespace versus {

enum class Kind { policy, constant_policy, embedded_policy, self_attention, extend, block, constant_mlp, mlp };

struct Row {
  Kind kind;
  int batch, length, dim, heads;  // sequences, tokens in each, their width; of an MLP only the batch counts
  int observation;                // of a policy or MLP
  double forward, both;           // times LibTorch at least; 0: nothing is asked of it
  bool learns = true;             // whether there is a row with backward
};

/// Forward alone, or forward and backward; of a policy with a step of Adam.
struct Task {
  Row row;
  bool both;
};

inline constexpr int policy_observation = 4, policy_width = 32;  // of that of constant sizes
inline constexpr int policy_hidden = 128, mlp_observation = 4, mlp_hidden = 64, policy_actions = 2;

inline std::vector<Task> tasks() {
  static const Row rows[] = {
      {Kind::constant_policy, 1, 8, policy_width, 0, policy_observation, 40, 200},
      {Kind::policy, 1, 8, policy_width, 0, policy_observation, 0, 0},
      {Kind::policy, 64, 16, 64, 0, 16, 3.5, 5.5},
      {Kind::policy, 256, 32, 64, 0, 64, 2.2, 2.4},
      {Kind::embedded_policy, 1, 8, 32, 0, 4, 0, 0},
      {Kind::embedded_policy, 64, 16, 64, 0, 16, 0, 0},
      {Kind::embedded_policy, 256, 32, 64, 0, 64, 0, 0},
      {Kind::self_attention, 1, 16, 32, 4, 0, 10, 24},
      {Kind::self_attention, 32, 16, 32, 4, 0, 5.2, 5.5},
      {Kind::self_attention, 64, 64, 64, 4, 0, 1.9, 1.65},
      {Kind::self_attention, 16, 128, 128, 8, 0, 1.5, 1.55},
      {Kind::self_attention, 4, 512, 256, 8, 0, 1.3, 1.2},
      {Kind::self_attention, 1, 2048, 64, 4, 0, 1.9, 1.8},
      {Kind::extend, 1, 64, 32, 4, 0, 45, 0, false},
      {Kind::block, 1, 16, 32, 4, 0, 9, 18},
      {Kind::block, 64, 64, 64, 4, 0, 1.65, 1.65},
      {Kind::block, 4, 512, 256, 8, 0, 1.25, 1.15},
      {Kind::constant_mlp, 1, 1, 0, 0, mlp_observation, 40, 0, false},
      {Kind::mlp, 1, 1, 0, 0, mlp_observation, 0, 0, false},
      {Kind::mlp, 256, 1, 0, 0, mlp_observation, 2.6, 2.4},
  };
  std::vector<Task> all;
  for (const Row& row : rows) {
    all.push_back({row, false});
    if (row.learns) all.push_back({row, true});
  }
  return all;
}

inline double least(const Task& t) { return t.both ? t.row.both : t.row.forward; }

inline std::string name(const Task& t) {
  const auto n = [](int i) { return std::to_string(i); };
  const Row& r = t.row;
  const std::string shape = n(r.batch) + ", " + n(r.length) + ", ";
  const std::string layer = "(" + shape + n(r.dim) + ", " + n(r.heads) + ")";
  const std::string what = t.both ? ": forward and backward" : ": forward";
  switch (r.kind) {
    case Kind::policy:
    case Kind::constant_policy:
    case Kind::embedded_policy:
      return std::string(r.kind == Kind::embedded_policy ? "embedding " : "") + "attention policy (" + shape +
             n(r.observation) + ", width " + n(r.dim) +
             (r.kind == Kind::constant_policy ? "), of constant sizes" : ")") + what + (t.both ? ", Adam" : "");
    case Kind::self_attention: return "self-attention " + layer + what;
    case Kind::extend:
      return "one query over " + n(r.length) + " remembered keys, width " + n(r.dim) + ": extend by one";
    case Kind::block: return "transformer block " + layer + what;
    case Kind::constant_mlp: return "MLP 4-64-64-2, tanh, B " + n(r.batch) + ", of constant sizes" + what;
    default: return "MLP 4-64-64-2, tanh, B " + n(r.batch) + what;
  }
}

/// Multiply-adds and exponentials that there is no way around; none for what has no formula.
struct Cost {
  double multiply_adds = 0, exponentials = 0;
};

inline Cost cost(const Task& t) {
  const Row& r = t.row;
  if (r.heads == 0) return {};
  const double D = r.dim, T = r.length, tokens = r.kind == Kind::extend ? 1 : double(r.batch) * T;
  double of_token = t.both ? 12 * D * D + 7 * T * D : 4 * D * D + 2 * T * D;  // the scores are computed twice
  if (r.kind == Kind::block) of_token += (t.both ? 24 : 8) * D * D;
  return {tokens * of_token, tokens * T * r.heads * (t.both ? 2 : 1)};
}

/// The share of the limit that is asked of this row; 0: none.
inline double least_share(const Task& t) {
  return t.row.kind == Kind::self_attention && t.row.batch * t.row.length * t.row.dim >= 64 * 2048 ? 0.75 : 0;
}

}  // namespace versus
