#pragma once
#include <cmath>
#include <fstream>
#include <limits>
#include <locale>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "heed/io/detail/file_error.hpp"

namespace heed {

/// What becomes of a curve that is there already: another takes its place, or it goes on.
enum class CurveStart { anew, append };

/// A learning curve as a CSV file: a line of column names, then a line of numbers for each row, on the disk as soon as it is
/// written. A file that is there already is replaced, or goes on if it has the same columns: a last line without its end is
/// cut off. A directory that is missing is made.
///
///   heed::CurveWriter curve("curve.csv", {"steps", "mean_return"});
///   curve.row({double(trainer.steps()), trainer.mean_return()});
class CurveWriter {
 public:
  /// Writes the names. Throws where they do not fit a CSV file, or where that cannot be written.
  CurveWriter(const std::filesystem::path& path, std::vector<std::string> columns, CurveStart start = CurveStart::anew)
      : path_(path), columns_(std::move(columns)) {
    if (columns_.empty()) detail::fail("CurveWriter: no columns");
    std::string head;
    for (const std::string& name : columns_) {
      if (name.empty() || name.find_first_of(",\"\r\n") != std::string::npos)
        detail::fail("CurveWriter: a column named '%s', but a name is not empty and has no comma, quote or end of line",
                     detail::shown(name).c_str());
      head += (head.empty() ? "" : ",") + name;
    }
    std::error_code ignored;  // opening says what is wrong
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
    const bool goes_on = start == CurveStart::append && keep_lines(head);
    file_.open(path, goes_on ? std::ios::binary | std::ios::app : std::ios::binary);
    if (goes_on && !file_) detail::fail_system(path_, "cannot be opened");
    if (!goes_on) write(head);
  }
  /// Their names.
  const std::vector<std::string>& columns() const { return columns_; }

  /// A number for each column, to ten digits.
  void row(std::span<const double> numbers) {
    if (numbers.size() != columns_.size())
      detail::fail("CurveWriter: a row of %zu numbers, but there are %zu columns", numbers.size(), columns_.size());
    std::ostringstream line;
    line.imbue(std::locale::classic());
    line.precision(10);
    for (std::size_t i = 0; i < numbers.size(); ++i) line << (i == 0 ? "" : ",") << numbers[i];
    write(line.str());
  }
  /// The same of numbers in braces.
  void row(std::initializer_list<double> numbers) { row(std::span(numbers.begin(), numbers.size())); }

 private:
  /// Leaves whole lines. Whether there are any; the first must be the head.
  bool keep_lines(const std::string& head) const {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path_, error)) return false;
    std::ifstream file(path_, std::ios::binary);
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    if (all.empty()) return false;
    std::string first = all.substr(0, all.find('\n'));
    if (first.ends_with('\r')) first.pop_back();
    if (first != head || first.size() == all.size())
      detail::fail_file(path_, "its first line is '" + detail::shown(first) + "', but rows of '" + detail::shown(head) +
                                   "' are to follow");
    const std::size_t whole = all.rfind('\n') + 1;
    if (whole < all.size()) std::filesystem::resize_file(path_, whole, error);
    if (error) detail::fail_system(path_, "cannot be cut", error);
    return true;
  }
  void write(const std::string& line) {
    file_ << line << '\n' << std::flush;
    if (!file_) detail::fail_system(path_, "cannot be written");
  }
  std::filesystem::path path_;
  std::vector<std::string> columns_;
  std::ofstream file_;
};

/// What stands in a CSV file of numbers: names, and the numbers of each column.
struct CurveTable {
  std::vector<std::string> columns;          ///< their names
  std::vector<std::vector<double>> numbers;  ///< a vector a column

  /// How many numbers a column has.
  std::size_t rows() const { return numbers.empty() ? 0 : numbers[0].size(); }
  /// The column of that name; throws where there is none.
  const std::vector<double>& operator[](const std::string& name) const {
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i] == name) return numbers[i];
    std::string all;
    for (const std::string& column : columns) all += " " + column;
    detail::fail("CurveTable: there is no column '%s', only%s", detail::shown(name).c_str(),
                 detail::shown(all).c_str());
  }
};

namespace detail {

inline std::vector<std::string> comma_separated(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  std::vector<std::string> fields(1);
  for (const char c : line)
    if (c == ',')
      fields.emplace_back();
    else
      fields.back() += c;
  return fields;
}

/// Whether the text is a number; nan, inf and -inf are, too.
inline bool read_number(const std::string& text, double& value) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (text == "nan" || text == "-nan") return value = std::numeric_limits<double>::quiet_NaN(), true;
  if (text == "inf" || text == "-inf") return value = text[0] == '-' ? -inf : inf, true;
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  return bool(in >> std::noskipws >> value) && in.peek() == std::istringstream::traits_type::eof();
}

}  // namespace detail

/// Reads what CurveWriter writes. A last line without its end, which a program that was stopped may leave, is left out.
inline CurveTable read_curve(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) detail::fail_system(path, "cannot be opened");
  CurveTable table;
  std::string line;
  if (!std::getline(file, line) || file.eof()) detail::fail_file(path, "no line with the names of its columns");
  table.columns = detail::comma_separated(line);
  table.numbers.resize(table.columns.size());
  for (long number = 2; std::getline(file, line) && !file.eof(); ++number) {
    const std::vector<std::string> fields = detail::comma_separated(line);
    const std::string where = "line " + std::to_string(number);
    if (fields.size() != table.columns.size())
      detail::fail_file(path, where + " has " + std::to_string(fields.size()) + " fields, but there are " +
                                  std::to_string(table.columns.size()) + " columns");
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (!detail::read_number(fields[i], table.numbers[i].emplace_back()))
        detail::fail_file(path, where + ": '" + detail::shown(fields[i]) + "' is no number");
  }
  if (file.bad()) detail::fail_system(path, "cannot be read");
  return table;
}

}  // namespace heed
