#pragma once
// What the fuzzers do with any bytes, and tests/io/corpus_test.cpp with those that they found worth keeping: a reader
// takes them, or says in one error that names the file what is wrong with them, and then nothing has changed.
#include <fstream>

#include "heed/io/checkpoint.hpp"
#include "heed/io/curve_file.hpp"
#include "heed/io/safetensors.hpp"

namespace fuzz {

namespace fs = std::filesystem;
using heed::Index;

inline void expect(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// Calls read(), and answers whether it took what was in the file.
template <class Read>
bool takes(const fs::path& path, Read read) {
  try {
    read();
    return true;
  } catch (const std::runtime_error& error) {
    expect(std::string_view(error.what()).starts_with(path.string() + ": "), "an error that does not name the file");
    return false;
  }
}

inline void write(const fs::path& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), std::streamsize(bytes.size()));
  expect(bool(file.flush()), "the file cannot be written");
}

/// The header of a safetensors file: `bytes` are its text, and 16 bytes follow it.
inline bool header(const fs::path& path, std::string_view bytes) {
  const std::uint64_t length = bytes.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file.append(bytes).append(16, '\0');
  write(path, file);
  return takes(path, [&] { heed::load_metadata(path); });
}

/// A whole safetensors file, for the weights of a small network, all of them and some.
inline bool safetensors(const fs::path& path, std::string_view bytes) {
  heed::Layout layout;
  const heed::Scope at(layout, layout.axis());
  at.weight<heed::Dynamic, heed::Dynamic>("a.weight", {3, 2}, heed::zero());
  at.weight<heed::Dynamic>("a.bias", {3}, heed::zero());
  at.weight<heed::Dynamic, heed::Dynamic>("b", {1, 2, 2, 1}, heed::zero());
  write(path, bytes);
  bool taken = false;
  for (const char* pattern : {"*", "a.*"}) {
    heed::Parameters<float> p(layout);
    p.flat.setConstant(-7);
    const bool now = takes(path, [&] { heed::load(path, layout, p, pattern); });
    expect(now || (p.flat.array() == -7).all(), "weights changed though the file was refused");
    for (const float number : p.flat) expect(heed::detail::finite(number), "a weight that is not finite");
    taken = taken || now;
  }
  return taken;
}

/// One of everything that a field can be.
struct Plain {
  float x = 0;
  std::int32_t n = 0;
  bool operator==(const Plain&) const = default;
};
struct Ring {
  Index next = 1;
  std::vector<double> values{1, 2};
  bool valid() const { return next >= 0 && next < Index(values.size()); }
  bool operator==(const Ring&) const = default;
  template <class Fields>
  void fields(Fields& f) {
    f("next", next);
    f("values", values);
  }
};
struct Everything {
  double number = 1.5;
  bool flag = true;
  std::uint8_t small = 4;
  Plain plain{0.5f, 7};
  std::vector<Plain> plains{{1, 2}};
  std::vector<Eigen::Vector2f> actions{{5, 6}};
  Eigen::Matrix<float, 2, 3> matrix = Eigen::Matrix<float, 2, 3>::Constant(0.25f);
  std::vector<Ring> rings{{}, {}};
  bool operator==(const Everything&) const = default;
  template <class Fields>
  void fields(Fields& f) {
    f("number", number);
    f("flag", flag);
    f("small", small);
    f("plain", plain);
    f("plains", plains);
    f("actions", actions);
    f("matrix", matrix);
    f("rings", rings);
    f.same("lanes", 8);
  }
};

/// A whole checkpoint.
inline bool checkpoint(const fs::path& path, std::string_view bytes) {
  write(path, bytes);
  Everything thing;
  if (!takes(path, [&] { heed::load_checkpoint(path, thing); })) {
    expect(thing == Everything(), "a thing changed though the file was refused");
    return false;
  }
  unsigned char flag = 0;
  std::memcpy(&flag, &thing.flag, sizeof flag);
  expect(flag <= 1, "a bool that is neither true nor false");
  expect(heed::detail::finite(thing.number) && thing.matrix.allFinite(), "a number that is not finite");
  for (const Ring& ring : thing.rings) expect(ring.valid(), "a thing that contradicts itself");
  return true;
}

/// A CSV file of a learning curve.
inline bool curve(const fs::path& path, std::string_view bytes) {
  write(path, bytes);
  heed::CurveTable table;
  if (!takes(path, [&] { table = heed::read_curve(path); })) return false;
  expect(!table.columns.empty() && table.columns.size() == table.numbers.size(), "other columns than names");
  for (const auto& column : table.numbers) expect(column.size() == table.rows(), "columns of different lengths");
  return true;
}

}  // namespace fuzz
