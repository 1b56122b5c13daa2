#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heed/io/detail/file_error.hpp"
#include "heed/io/detail/protobuf.hpp"
#include "heed/io/detail/unique_name.hpp"

namespace heed {

namespace detail {

/// CRC-32C (Castagnoli), reflected polynomial 0x82f63b78.
inline std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = t[i] >> 1 ^ (t[i] & 1 ? 0x82f63b78u : 0u);
    }
    return t;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

}  // namespace detail

/// A file for TensorBoard: scalars and histograms over the steps of a training, each on the disk as soon as it is written.
///
///   heed::EventFile events("runs/cart_pole");
///   events.scalar("mean_return", trainer.steps(), trainer.mean_return());
///
/// A file is a TFRecord: for each event its length (8 bytes), the masked CRC-32C of these, the event, its masked CRC. An
/// event is a protobuf of wall_time (field 1), step (2) and file_version (3) or summary (5); this one of values (1) of a tag
/// (1) and a simple_value (2) or a histo (5) of min, max, num, sum, sum_squares, bucket_limit and bucket (1 to 7).
class EventFile {
 public:
  /// Makes a new file in a directory, which is made if it is missing. TensorBoard shows each directory as a run.
  explicit EventFile(const std::filesystem::path& directory) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) detail::fail_system(directory, "cannot be made", error);
    for (int attempt = 0; attempt < 1000 && !file_; ++attempt) {
      path_ = directory / name();
      file_.reset(std::fopen(path_.string().c_str(), "wbx"));  // x: never a file that is there already
      if (!file_ && errno != EEXIST) break;
    }
    if (!file_) detail::fail_system(path_, "cannot be created");
    write(event(0).text(3, "brain.Event:2"));
  }
  /// The file.
  const std::filesystem::path& path() const { return path_; }

  /// A number at a step, under a name.
  void scalar(std::string_view tag, long step, double value) {
    add(step, detail::ProtobufWriter().text(1, checked(tag)).fixed(2, float(value)));
  }

  /// How many of the numbers lie where: 30 buckets of equal width from the smallest to the largest.
  template <class S>
  void histogram(std::string_view tag, long step, std::span<const S> numbers) {
    checked(tag);
    if (numbers.empty()) detail::fail("EventFile: the histogram %s of no numbers", detail::shown(tag).c_str());
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (!std::isfinite(numbers[i]))
        detail::fail("EventFile: number %zu of the histogram %s is %g", i, detail::shown(tag).c_str(),
                     double(numbers[i]));
    const auto [smallest, largest] = std::minmax_element(numbers.begin(), numbers.end());
    const double min = double(*smallest), max = double(*largest), width = max / buckets - min / buckets;
    std::vector<double> limits, counts(width > 0 ? buckets : 1);
    for (std::size_t i = 1; i < counts.size(); ++i) limits.push_back(min + width * double(i));
    limits.push_back(max);
    double sum = 0, squares = 0;
    for (const S n : numbers) {
      sum += double(n), squares += double(n) * double(n);
      const double place = width > 0 ? (double(n) / 2 - min / 2) / (width / 2) : 0;  // no overflow
      counts[std::min(std::size_t(place), counts.size() - 1)] += 1;
    }
    const auto count = double(numbers.size());
    const auto histo =
        detail::ProtobufWriter().fixed(1, min).fixed(2, max).fixed(3, count).fixed(4, sum).fixed(5, squares);
    add(step, detail::ProtobufWriter().text(1, tag).text(
                  5, detail::ProtobufWriter(histo).list(6, limits).list(7, counts).str()));
  }

 private:
  static constexpr int buckets = 30;
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  static double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  /// TensorBoard reads the files of a directory in the order of their names, and wants "tfevents" in each.
  static std::string name() {
    char seconds[24];
    std::snprintf(seconds, sizeof seconds, "%010ld", long(now()));
    return std::string("events.out.tfevents.") + seconds + ".heed." + detail::unique_name('.');
  }
  static std::string_view checked(std::string_view tag) {
    if (tag.empty()) detail::fail("EventFile: an empty tag");
    return tag;
  }
  static detail::ProtobufWriter event(long step) {
    return detail::ProtobufWriter().fixed(1, now()).varint(2, std::uint64_t(step));
  }
  void add(long step, const detail::ProtobufWriter& value) {
    write(event(step).text(5, detail::ProtobufWriter().text(1, value.str()).str()));
  }
  void write(const detail::ProtobufWriter& event) {
    const auto masked = [](std::string_view bytes) {
      const std::uint32_t crc = detail::crc32c(bytes);
      return (crc >> 15 | crc << 17) + 0xa282ead8u;
    };
    const std::string length = detail::ProtobufWriter().bytes(std::uint64_t(event.str().size())).str();
    const std::string record = length + detail::ProtobufWriter().bytes(masked(length)).str() + event.str() +
                               detail::ProtobufWriter().bytes(masked(event.str())).str();
    if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() || std::fflush(file_.get()) != 0)
      detail::fail_system(path_, "cannot be written");
  }

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace heed
