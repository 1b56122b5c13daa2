#include "heed/io/curve_file.hpp"

#include "support/complaints.hpp"
#include "support/files.hpp"

using namespace heed;
using support::check_complaint;
using support::Folder;
using support::require_file_error;

TEST_CASE("a curve file is lines that are there as soon as they are written and is read as it was") {
  const Folder folder;
  const auto path = folder / "new" / "curve.csv";
  const double inf = std::numeric_limits<double>::infinity();
  CurveWriter curve(path, {"steps", "mean return"});
  CHECK(support::read(path) == "steps,mean return\n");
  curve.row({1000, 0.1});
  CHECK(support::read(path) == "steps,mean return\n1000,0.1\n");
  curve.row({2000, -inf});
  curve.row({1.5e12, std::nan("")});
  curve.row({3000, -1.25e-7});
  CHECK(support::read(path) == "steps,mean return\n1000,0.1\n2000,-inf\n1.5e+12,nan\n3000,-1.25e-07\n");
  const CurveTable table = read_curve(path);
  CHECK(table.columns == std::vector<std::string>{"steps", "mean return"});
  CHECK(table.rows() == 4);
  CHECK(table["steps"] == std::vector<double>{1000, 2000, 1.5e12, 3000});
  CHECK(table["mean return"][0] == 0.1);
  CHECK(table["mean return"][1] == -inf);
  CHECK(std::isnan(table["mean return"][2]));
  CHECK(table["mean return"][3] == -1.25e-7);
  check_complaint("CurveTable: there is no column 'loss', only steps mean return", [&] { table["loss"]; });
}

TEST_CASE("a curve file goes on where it stopped under the same names") {
  const Folder folder;
  const auto path = folder / "curve.csv";
  const auto append = [&](const std::vector<std::string>& columns, double step) {
    CurveWriter(path, columns, CurveStart::append).row({step, 0.5});
  };
  append({"steps", "return"}, 1);
  append({"steps", "return"}, 2);
  CHECK(support::read(path) == "steps,return\n1,0.5\n2,0.5\n");
  support::write(path, "steps,return\r\n1,0.5\r\n2,0");  // stopped within a line
  append({"steps", "return"}, 3);
  CHECK(support::read(path) == "steps,return\r\n1,0.5\r\n3,0.5\n");
  CHECK(read_curve(path)["steps"] == std::vector<double>{1, 3});
  support::write(path, "");
  append({"steps", "return"}, 4);
  CHECK(support::read(path) == "steps,return\n4,0.5\n");
  for (const char* text : {"steps,loss\n1,2\n", "steps,return,loss\n", "steps,return", "\n1,2\n"}) {
    const std::string bytes = text;
    support::write(path, bytes);
    const std::string first = bytes.substr(0, bytes.find('\n'));
    require_file_error(path, "its first line is '" + first + "', but rows of 'steps,return' are to follow", [&] {
      append({"steps", "return"}, 5);
    });
    CHECK(support::read(path) == bytes);
  }
  require_file_error(folder.path, "cannot be written",
                     [&] { CurveWriter(folder.path, {"steps"}, CurveStart::append); });
  CurveWriter anew(path, {"steps", "return"});
  CHECK(support::read(path) == "steps,return\n");
}

TEST_CASE("a curve file refuses bad names and rows and stays as it was") {
  const Folder folder;
  const auto path = folder / "curve.csv";
  check_complaint("CurveWriter: no columns", [&] { CurveWriter(path, {}); });
  for (const char* name : {"", "a,b", "a\"", "a\n"})
    check_complaint("CurveWriter: a column named '", [&] { CurveWriter(path, {"steps", name}); });
  CHECK(folder.names().empty());
  CurveWriter curve(path, {"steps", "return"});
  check_complaint("CurveWriter: a row of 1 numbers, but there are 2 columns", [&] { curve.row({1}); });
  check_complaint("CurveWriter: a row of 0 numbers", [&] { curve.row({}); });
  CHECK(support::read(path) == "steps,return\n");
  require_file_error(folder.path, "cannot be written", [&] { CurveWriter(folder.path, {"steps"}); });
}

TEST_CASE("a curve file that is broken is refused by line and one that was cut is read so far as it goes") {
  const Folder folder;
  const auto path = folder / "curve.csv";
  const auto refused = [&](const std::string& bytes, const std::string& error) {
    support::write(path, bytes);
    require_file_error(path, error, [&] { read_curve(path); });
  };
  refused("", "no line with the names of its columns");
  refused("steps", "no line with the names of its columns");
  refused("a,b\n1,2\n3\n", "line 3 has 1 fields, but there are 2 columns");
  refused("a,b\n1,2,3\n", "line 2 has 3 fields, but there are 2 columns");
  refused("a,b\n1,x\x1b\n", "line 2: 'x?' is no number");
  refused("a,b\n1,2 \n", "line 2: '2 ' is no number");
  refused("a,b\n1,\n", "line 2: '' is no number");
  refused("a,b\n1,1.5.5\n", "line 2: '1.5.5' is no number");
  require_file_error(folder / "none", "cannot be opened", [&] { read_curve(folder / "none"); });
  support::write(path, "a,b\r\n1,2\r\n3,4");
  CHECK(read_curve(path)["b"] == std::vector<double>{2});
}
