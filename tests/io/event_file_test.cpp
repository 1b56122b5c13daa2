#include "heed/io/event_file.hpp"

#include <map>

#include "heed/io/training_log.hpp"
#include "heed/networks/transformer_policy.hpp"
#include "support/basics.hpp"
#include "support/complaints.hpp"
#include "support/files.hpp"

using namespace heed;
using support::check_complaint;
using support::Folder;

namespace {

/// CRC-32C bit by bit, from its definition: the remainder of a division of polynomials.
std::uint32_t crc32c(const std::string& bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool out = (crc ^ (static_cast<unsigned char>(c) >> bit)) & 1;
      crc >>= 1;
      if (out) crc ^= 0x82f63b78;
    }
  return ~crc;
}

template <class T>
T get(const std::string& bytes, std::size_t at) {
  T value;
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);  // the test runs on machines that are little-endian
  return value;
}

/// The events of a file, with each of its checksums checked.
std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> all;
  const auto masked = [](const std::string& bytes) {
    const std::uint32_t crc = crc32c(bytes);
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8;
  };
  for (std::size_t at = 0; at < file.size();) {
    const auto length = std::size_t(get<std::uint64_t>(file, at));
    REQUIRE(get<std::uint32_t>(file, at + 8) == masked(file.substr(at, 8)));
    all.push_back(file.substr(at + 12, length));
    REQUIRE(get<std::uint32_t>(file, at + 12 + length) == masked(all.back()));
    at += 16 + length;
  }
  return all;
}

/// The fields of a message by number: varints and fixed numbers as their bytes.
std::multimap<int, std::string> fields(const std::string& message) {
  std::multimap<int, std::string> all;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = get<unsigned char>(message, at++);
      value |= std::uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const auto key = varint();
    const int type = int(key & 7);
    std::string bytes;
    if (type == 0) {
      bytes = support::bytes<std::uint64_t>({varint()});
    } else {
      REQUIRE((type == 1 || type == 2 || type == 5));
      const std::size_t length = type == 1 ? 8 : type == 5 ? 4 : std::size_t(varint());
      REQUIRE(at + length <= message.size());
      bytes = message.substr(at, length);
      at += length;
    }
    all.emplace(int(key >> 3), bytes);
  }
  return all;
}
template <class T>
T number(const std::multimap<int, std::string>& of, int field) {
  REQUIRE(of.count(field) == 1);
  REQUIRE(of.find(field)->second.size() == sizeof(T));
  return get<T>(of.find(field)->second, 0);
}
std::string text(const std::multimap<int, std::string>& of, int field) {
  REQUIRE(of.count(field) == 1);
  return of.find(field)->second;
}
std::vector<double> list(const std::multimap<int, std::string>& of, int field) {
  const std::string bytes = text(of, field);
  std::vector<double> all;
  for (std::size_t at = 0; at < bytes.size(); at += 8) all.push_back(get<double>(bytes, at));
  return all;
}

struct Value {
  long step;
  std::string tag;
  std::multimap<int, std::string> value;
};
/// What a file says behind its first event.
std::vector<Value> values(const std::filesystem::path& path) {
  std::vector<Value> all;
  const auto events = records(support::read(path));
  REQUIRE(!events.empty());
  CHECK(text(fields(events[0]), 3) == "brain.Event:2");
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto event = fields(events[i]);
    const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    CHECK(std::abs(number<double>(event, 1) - now) < 60);
    if (i == 0) continue;
    const auto value = fields(text(fields(text(event, 5)), 1));
    all.push_back({long(number<std::uint64_t>(event, 2)), text(value, 1), value});
  }
  return all;
}
/// The one file that a directory has.
std::filesystem::path only_file(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> all;
  for (const auto& file : std::filesystem::directory_iterator(directory)) all.push_back(file.path());
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace

TEST_CASE("the checksum of event files is CRC-32C") {
  CHECK(detail::crc32c("123456789") == 0xe3069283);            // the check value of its catalogue
  CHECK(detail::crc32c(std::string(32, '\0')) == 0x8a9136aa);  // RFC 3720, B.4
  CHECK(detail::crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  CHECK(detail::crc32c("") == 0);
}

TEST_CASE("an event file has scalars by tag and step as soon as they are written") {
  const Folder folder;
  EventFile events(folder / "runs" / "1");
  CHECK(events.path() == only_file(folder / "runs" / "1"));
  CHECK(events.path().filename().string().starts_with("events.out.tfevents."));
  CHECK(values(events.path()).empty());
  events.scalar("return", 0, 0.1);
  events.scalar("return", 300, -std::numeric_limits<double>::infinity());
  events.scalar(std::string(200, 'x'), 1L << 40, 1e30);
  const auto all = values(events.path());
  REQUIRE(all.size() == 3);
  CHECK(all[0].tag == "return");
  CHECK(all[0].step == 0);
  CHECK(number<float>(all[0].value, 2) == 0.1f);
  CHECK(all[1].step == 300);
  CHECK(number<float>(all[1].value, 2) == -std::numeric_limits<float>::infinity());
  CHECK(all[2].tag == std::string(200, 'x'));
  CHECK(all[2].step == 1L << 40);
  EventFile second(folder / "runs" / "1");
  CHECK(second.path() != events.path());
}

TEST_CASE("a histogram counts every number once in a bucket that holds it") {
  const Folder folder;
  EventFile events(folder / "runs");
  const Tokens<float> normal = support::random<float>(1, 5000, 1);
  std::vector<float> numbers(normal.data(), normal.data() + normal.size());
  numbers.push_back(2);  // the largest lies at the last limit
  events.histogram("a", 7, std::span<const float>(numbers));
  const std::vector<double> equal(10, 0.3), ends{-1e308, 1e308};
  events.histogram("b", 8, std::span<const double>(equal));
  events.histogram("c", 9, std::span<const double>(ends));
  const auto all = values(events.path());
  REQUIRE(all.size() == 3);
  const auto histo = fields(text(all[0].value, 5));
  const auto limits = list(histo, 6), counts = list(histo, 7);
  REQUIRE(limits.size() == 30);
  REQUIRE(counts.size() == 30);
  double sum = 0, squares = 0, min = 2, total = 0;
  for (const float n : numbers) sum += n, squares += double(n) * n, min = std::min(min, double(n));
  CHECK(number<double>(histo, 1) == min);
  CHECK(number<double>(histo, 2) == 2);
  CHECK(number<double>(histo, 3) == 5001);
  CHECK(number<double>(histo, 4) == Approx(sum));
  CHECK(number<double>(histo, 5) == Approx(squares));
  for (std::size_t i = 0; i < 30; ++i) {
    CHECK(limits[i] == Approx(min + (2 - min) * double(i + 1) / 30));
    const double low = i == 0 ? min : limits[i - 1];
    double inside = 0;
    for (const float n : numbers) inside += (double(n) >= low && double(n) < limits[i]) || (i == 29 && n == 2);
    CHECK(std::abs(counts[i] - inside) <= 1);  // one that lies on a limit
    total += counts[i];
  }
  CHECK(total == 5001);
  const auto one = fields(text(all[1].value, 5));
  CHECK(list(one, 6) == std::vector<double>{0.3});
  CHECK(list(one, 7) == std::vector<double>{10});
  const auto wide = fields(text(all[2].value, 5));
  CHECK(list(wide, 7).front() == 1);
  CHECK(list(wide, 7).back() == 1);
  CHECK(list(wide, 6).back() == 1e308);
}

TEST_CASE("an event file refuses what is no number or has no name and stays as it was") {
  const Folder folder;
  EventFile events(folder / "runs");
  const std::vector<double> none, bad{1, 2, std::nan("")};
  check_complaint("EventFile: the histogram a of no numbers",
                  [&] { events.histogram("a", 1, std::span<const double>(none)); });
  check_complaint("EventFile: number 2 of the histogram a is nan",
                  [&] { events.histogram("a", 1, std::span<const double>(bad)); });
  check_complaint("EventFile: an empty tag", [&] { events.scalar("", 1, 1); });
  check_complaint("EventFile: an empty tag", [&] { events.histogram("", 1, std::span<const double>(bad)); });
  CHECK(values(events.path()).empty());
  support::write(folder / "file", "");
  support::require_file_error(folder / "file", "cannot be made", [&] { EventFile(folder / "file"); });
}

TEST_CASE("a training log is a CSV file and events where they are asked for") {
  using Net = TransformerPolicy<float>;
  const Folder folder;
  Agent<Net> agent({.observation = 2, .actions = 2, .width = 4, .heads = 2, .layers = 2}, 1);
  Activations<float> a(agent.layout);
  a.begin(agent.net.time, {3, 0, 5});
  agent.net.forward(agent.p, support::random<float>(2, 8, 1), a);
  TrainingLog log(folder / "curve.csv", {"steps", "return", "loss"});
  const auto all_of_it = [&](long step) {
    log.row({double(step), 0.5, 2});
    log.weights(step, agent);
    log.attention(step, agent.net, agent.p, a);
  };
  all_of_it(1);
  CHECK(folder.names() == std::vector<std::string>{"curve.csv"});
  log.events(folder / "runs");
  all_of_it(2);
  CHECK(support::read(folder / "curve.csv") == "steps,return,loss\n1,0.5,2\n2,0.5,2\n");
  const auto all = values(only_file(folder / "runs"));
  const auto& entries = agent.layout.entries();
  REQUIRE(all.size() == 2 + entries.size() + 2);
  CHECK(all[0].tag == "return");
  CHECK(all[1].tag == "loss");
  CHECK(number<float>(all[1].value, 2) == 2);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(all[i + 2].tag == "weights/" + entries[i].name);
    CHECK(number<double>(fields(text(all[i + 2].value, 5)), 3) == double(entries[i].size()));
  }
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const Value& entropy = all[all.size() - 2 + layer];
    CHECK(entropy.tag == "attention_entropy/layers." + std::to_string(layer));
    CHECK(entropy.step == 2);
    const auto histo = fields(text(entropy.value, 5));
    CHECK(number<double>(histo, 3) == 16);  // eight steps, two heads
    CHECK(number<double>(histo, 1) == 0);   // a first step sees itself alone
    CHECK(number<double>(histo, 2) <= std::log(5.0) + 1e-6);
  }
  check_complaint("CurveWriter: a row of 2 numbers, but there are 3 columns", [&] { log.row({1, 2}); });
  for (const double step : {std::nan(""), 2.5, 9e15, -1e300})
    check_complaint("is no whole number below 9e15", [&] { log.row({step, 1, 2}); });
  CHECK(support::read(folder / "curve.csv") == "steps,return,loss\n1,0.5,2\n2,0.5,2\n");
  TrainingLog(folder / "curve.csv", {"steps", "return", "loss"}, CurveStart::append).row({3, 1, 2});
  CHECK(support::read(folder / "curve.csv") == "steps,return,loss\n1,0.5,2\n2,0.5,2\n3,1,2\n");
  CHECK(values(only_file(folder / "runs")).size() == all.size());
}
