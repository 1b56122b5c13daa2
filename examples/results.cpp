// Trains the policies of the tasks in examples/results/*.json over the seeds: curves, and the table of the README.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <future>
#include <heed/pictures/progress.hpp>
#include <mutex>
#include <thread>

#include "results/report.hpp"
#include "results_options.hpp"

namespace {

struct Task {
  std::string name;
  nlohmann::json config;
  std::vector<std::vector<Result>> results;  // of each policy, of each seed
};
struct Job {
  Task* task;
  std::size_t policy, seed;
};

/// Of the directory of configurations, in the order that they say.
std::vector<Task> read_tasks(const ResultsOptions& options) {
  std::vector<Task> tasks;
  for (const auto& file : std::filesystem::directory_iterator(options.from)) {
    const std::string name = file.path().stem();
    const bool wanted = options.tasks.empty() || std::count(options.tasks.begin(), options.tasks.end(), name) > 0;
    if (file.path().extension() != ".json" || !wanted) continue;
    std::ifstream text(file.path());
    Task task{name, nlohmann::json::parse(text), {}};
    if (options.steps > 0) task.config["steps"] = options.steps;
    task.results.assign(task.config.at("policies").size(), std::vector<Result>(options.seeds));
    tasks.push_back(std::move(task));
  }
  if (tasks.empty() || (!options.tasks.empty() && tasks.size() != options.tasks.size()))
    throw std::runtime_error(std::string("there is not each of these tasks in ").append(options.from));
  const auto place = [](const Task& task) { return task.config.at("place").get<int>(); };
  std::sort(tasks.begin(), tasks.end(), [&](const Task& a, const Task& b) { return place(a) < place(b); });
  return tasks;
}

void run(const ResultsOptions& options, std::vector<Task>& tasks) {
  Worlds worlds;
  add_discrete(worlds), add_continuous(worlds), add_agents(worlds), add_pixels(worlds), add_signal(worlds);
  std::vector<Job> jobs;
  for (Task& task : tasks)
    for (std::size_t policy = 0; policy < task.results.size(); ++policy)
      for (std::size_t seed = 0; seed < options.seeds; ++seed) jobs.push_back({&task, policy, seed});

  heed::Progress progress;
  std::mutex mutex;
  std::atomic<std::size_t> next = 0, ended = 0;
  const auto work = [&] {
    for (std::size_t i; (i = next++) < jobs.size();) {
      const auto& [task, policy, seed] = jobs[i];
      const nlohmann::json& settings = task->config.at("policies")[policy];
      std::string name = task->name;
      name.append("_").append(settings.at("network")).append("_").append(std::to_string(options.first_seed + seed));
      const auto show = [&](double done, const std::string& text) {
        const std::scoped_lock lock(mutex);
        progress.show((double(ended) + done) / double(jobs.size()), std::string(name).append(": ").append(text));
      };
      const std::filesystem::path curve = options.out / (name + ".csv");
      const Result result =
          worlds.at(task->config.at("world"))({task->config, settings, options.first_seed + seed, curve, show});
      task->results[policy][seed] = result;
      ++ended;
      const std::scoped_lock lock(mutex);
      progress.end();
      std::fprintf(stderr, "%-40s %8.3f  in %.2f s\n", name.c_str(), result.score, result.seconds);
    }
  };
  std::vector<std::future<void>> threads;
  const unsigned long cores = std::max(std::thread::hardware_concurrency(), 1u);
  for (std::size_t i = 0; i < (options.jobs > 0 ? options.jobs : cores); ++i)
    threads.push_back(std::async(std::launch::async, work));
  for (auto& thread : threads) thread.get();  // what one throws is thrown here
}

}  // namespace

int main(int argc, char** argv) {
  const ResultsOptions options = read_results_options(argc, argv);
  try {
    std::filesystem::create_directories(options.out);
    std::vector<Task> tasks = read_tasks(options);
    run(options, tasks);
    std::string table = table_head();
    for (const Task& task : tasks) table += row(task.config, task.results);
    std::ofstream(options.out / "results.md") << table;
    std::fputs(table.c_str(), stdout);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "results: %s\n", error.what());
    return 1;
  }
}
