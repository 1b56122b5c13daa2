#pragma once
#include "heed/core/agent.hpp"
#include "heed/io/detail/atomic_file.hpp"
#include "heed/io/detail/entry_file.hpp"
#include "heed/io/detail/unfit_number.hpp"

namespace heed {

// Weights in safetensors files, as PyTorch's ecosystem reads and writes them:
//
//     8 bytes    the length of the header, little-endian
//     header     {"head.weight":{"dtype":"F32","shape":[2,32],"data_offsets":[0,256]},...}, padded with spaces to a
//                multiple of 8 bytes
//     body       the entries of the layout one after the other, each row-major: Parameters::flat byte for byte
//
// What goes wrong with a file is a std::runtime_error that begins with its path.

namespace detail {

template <FileScalar S>
void check_finite(const std::filesystem::path& path, const Entry& entry, Index first, const S* values, Index count) {
  for (Index i = 0; i < count; ++i)
    if (!finite(values[i]))
      fail_file(path, entry.name + " has a value that is not finite, number " + std::to_string(first + i));
}

/// Copies numbers whose bits are those of `From`, as it is stored in `Bits`.
template <class From, class Bits, FileScalar S>
void copy_values(const char* from, Index count, S* to) {
  for (Index i = 0; i < count; ++i) {
    Bits bits;
    std::memcpy(&bits, from + std::size_t(i) * sizeof bits, sizeof bits);
    to[i] = S(std::bit_cast<From>(bits));
  }
}
template <FileScalar S>
void copy_values(const TensorInfo& tensor, const char* from, Index count, S* to) {
  if (tensor.dtype == "F64") return copy_values<double, std::uint64_t>(from, count, to);
  if (tensor.dtype == "F32") return copy_values<float, std::uint32_t>(from, count, to);
  if (tensor.dtype == "F16") return copy_values<Eigen::half, std::uint16_t>(from, count, to);
  copy_values<Eigen::bfloat16, std::uint16_t>(from, count, to);
}

/// take(first, values, count) for one block of a weight after the other, which are checked.
template <FileScalar S, class Take>
void each_values(EntryFile& file, const Match& match, Take take) {
  std::array<S, EntryFile::block_size / 2> values;  // no dtype has smaller numbers
  file.each_block(*match.tensor, [&](std::uint64_t first, const char* bytes, std::uint64_t size) {
    const Index count = Index(size / match.tensor->item_size());
    copy_values(*match.tensor, bytes, count, values.data());
    check_finite(file.path(), *match.entry, Index(first), values.data(), count);
    take(Index(first), values.data(), count);
    return true;
  });
}

inline void expect_parameters(const char* who, const Layout& layout, Index size) {
  if (size != layout.parameters())
    fail("%s: %ld parameters, but the layout has %ld", who, long(size), long(layout.parameters()));
  if (layout.entries().empty() && size > 0) fail("%s: the layout was made without names", who);
}

}  // namespace detail

/// Writes the parameters as F32 or F64, as they are. The file appears complete or not at all: it is written beside its
/// place, brought to the disk and renamed, and where that fails a file that was there before stays. Values that are not
/// finite are an error. Metadata are kept as they are, where they are UTF-8.
template <detail::FileScalar S>
void save(const std::filesystem::path& path, const Layout& layout, const Parameters<S>& p,
          const Metadata& metadata = {}) {
  detail::expect_parameters("save", layout, p.flat.size());
  for (const Entry& e : layout.entries()) detail::check_finite(path, e, 0, p.flat.data() + e.offset, e.size());
  const std::string header =
      detail::safetensors_header(path, layout, sizeof(S) == 4 ? "F32" : "F64", sizeof(S), metadata);
  detail::AtomicFile file(path);
  file.write(header.data(), header.size());
  file.write(p.flat.data(), std::size_t(p.flat.size()) * sizeof(S));
  file.commit();
}

/// Reads parameters from a file that has exactly the entries of the layout, in any order. Whether F64, F32, F16 or BF16,
/// the numbers are converted to S. The file is read and checked before anything is changed: every entry that is missing,
/// unexpected, of another shape or of another dtype is named in one error, and so is a value that is not finite (as an
/// S), or whatever is broken in the file. Then it is read again and copied. No more of it than a block is ever in memory,
/// and only of a file that another process changes between the two, as `save` never does, may less than all arrive: that
/// is an error, too.
///
/// With a pattern, as in Layout::freeze, only the entries of such names are read, and the file may hold others: the body of
/// a policy for a new task, say, by "!policy.*|value.*". A pattern that names none is an error. How many were read is
/// returned.
template <detail::FileScalar S>
std::size_t load(const std::filesystem::path& path, const Layout& layout, Parameters<S>& p,
                 std::string_view pattern = "*") {
  detail::expect_parameters("load", layout, p.flat.size());
  detail::EntryFile file(path);
  const std::vector<detail::Match> found = detail::match(path, layout, file.tensors(), pattern);
  if (found.empty() && !layout.entries().empty())
    detail::fail("load: no weight of the network is named as in '%.*s'", int(pattern.size()), pattern.data());
  for (const detail::Match& match : found) detail::each_values<S>(file, match, [](Index, const S*, Index) {});
  for (const detail::Match& match : found)
    detail::each_values<S>(file, match, [&](Index first, const S* values, Index count) {
      std::copy_n(values, count, p.flat.data() + match.entry->offset + first);
    });
  return found.size();
}

/// The metadata of a file, none where it has none.
inline Metadata load_metadata(const std::filesystem::path& path) {
  Metadata metadata;
  detail::EntryFile(path, &metadata);
  return metadata;
}

/// The parameters of an agent.
template <Network Net>
void save(const std::filesystem::path& path, const Agent<Net>& agent, const Metadata& metadata = {}) {
  save(path, agent.layout, agent.p, metadata);
}
template <Network Net>
std::size_t load(const std::filesystem::path& path, Agent<Net>& agent, std::string_view pattern = "*") {
  return load(path, agent.layout, agent.p, pattern);
}

}  // namespace heed
