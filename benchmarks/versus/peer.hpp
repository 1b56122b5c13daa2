#pragma once
// A contender as the main program sees it: started in a process of its own, asked through a pipe.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "numbers.hpp"

namespace versus {

class Peer {
 public:
  using Settings = std::vector<std::pair<std::string, std::string>>;
  std::string name;

  /// Settings are environment variables of the contender alone.
  Peer(std::string name_, const std::string& program, const Settings& settings) : name(std::move(name_)) {
    int questions[2], answers[2];
    if (pipe(questions) != 0 || pipe(answers) != 0) throw std::runtime_error("no pipe to " + name);
    // Otherwise contenders started later would hold these open, too, and this one would never see its input end.
    for (const int end : {questions[0], questions[1], answers[0], answers[1]}) fcntl(end, F_SETFD, FD_CLOEXEC);
    process_ = fork();
    if (process_ < 0) throw std::runtime_error("no process for " + name);
    if (process_ == 0) {
      dup2(questions[0], 0);
      dup2(answers[1], 1);
      for (const auto& [variable, value] : settings) setenv(variable.c_str(), value.c_str(), 1);
      execl(program.c_str(), program.c_str(), nullptr);
      _exit(127);
    }
    close(questions[0]);
    close(answers[1]);
    to_ = fdopen(questions[1], "w");
    from_ = fdopen(answers[0], "r");
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    fclose(to_);
    fclose(from_);
    waitpid(process_, nullptr, 0);
  }

  std::vector<std::string> ask(const std::string& question) {
    say(question);
    std::vector<std::string> lines;
    for (std::string line = read(); line != "."; line = read()) lines.push_back(line);
    return lines;
  }
  std::vector<Piece> numbers(std::size_t candidate) {
    say("numbers " + std::to_string(candidate));
    std::vector<Piece> all;
    for (std::string line = read(); line != "."; line = read()) {
      const std::size_t space = line.find(' ');
      Piece piece{line.substr(0, space), std::vector<float>(std::stoul(line.substr(space + 1)))};
      if (fread(piece.values.data(), sizeof(float), piece.values.size(), from_) != piece.values.size())
        throw std::runtime_error(name + " ended amid its numbers");
      all.push_back(std::move(piece));
    }
    return all;
  }
  /// Of each of so many runs.
  double seconds(std::size_t candidate, long count) {
    const auto lines = ask("run " + std::to_string(candidate) + " " + std::to_string(count));
    return std::stod(lines.at(0)) / double(count);
  }

 private:
  void say(const std::string& question) {
    fprintf(to_, "%s\n", question.c_str());
    fflush(to_);
  }
  std::string read() {
    std::string line;
    for (int c; (c = getc(from_)) != '\n'; line += char(c))
      if (c == EOF) throw std::runtime_error(name + " ended");
    return line;
  }
  pid_t process_;
  FILE *to_, *from_;
};

}  // namespace versus
