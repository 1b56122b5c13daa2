#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

/// One training: what is read from the configuration file, and where its curve and its progress go.
struct Run {
  const nlohmann::json& task;    ///< the file
  const nlohmann::json& policy;  ///< one of its policies
  std::uint64_t seed;
  std::filesystem::path curve;                                     ///< a CSV file to be
  std::function<void(double done, const std::string& text)> show;  ///< progress
  long steps() const { return task.at("steps").get<long>(); }
  long evaluation() const { return task.at("evaluation").get<long>(); }
};

/// What came of it.
struct Result {
  double score = 0;     ///< what the table shows
  double seconds = 0;   ///< of training
  double training = 0;  ///< mean return of the last training episodes
  double second = 0;    ///< a second figure, where the task has one
};

/// By the name that a file gives its world. Each file of this directory adds its own.
using Worlds = std::map<std::string, Result (*)(const Run&)>;
void add_discrete(Worlds& worlds);
void add_continuous(Worlds& worlds);
void add_agents(Worlds& worlds);
void add_pixels(Worlds& worlds);
void add_signal(Worlds& worlds);
