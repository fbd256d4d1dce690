// teacher.openai with a server in a process of its own: what 64 slow requests under way cost of a core, and how many
// kept answers it replays a second. `bench_teacher [FOLDER]`; FOLDER is made anew.
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

#include "http_server.h"
#include "openai.h"

namespace {

using nlohmann::json;
using retort::testing::HttpRequest;
using retort::testing::HttpResponse;
using retort::testing::HttpServer;

constexpr std::size_t batch = 640;
constexpr int replays = 20;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Answers after three seconds; writes its address to `pipe` and serves until it is killed.
[[noreturn]] void serve(int pipe) {
  const HttpServer server([](const HttpRequest&) {
    std::this_thread::sleep_for(std::chrono::seconds(3));
    return HttpResponse{
        200, R"({"choices":[{"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}]})", ""};
  });
  std::string address = server.base_url();
  address.resize(64, ' ');
  if (::write(pipe, address.data(), address.size()) != 64) ::_exit(1);
  for (;;) ::pause();
}

std::string requests(std::size_t count) {
  json all = json::array();
  for (std::size_t i = 0; i < count; ++i)
    all.push_back({{"messages", {{{"role", "user"}, {"content", "turn on lamp " + std::to_string(i)}}}}});
  return all.dump();
}

/// The number of answers.
std::size_t ask(retort::openai::OpenAi& teacher, const std::string& texts) {
  std::size_t answers = 0;
  teacher.complete("", texts, [&](std::size_t, const std::string&) { ++answers; }, [] { return false; });
  return answers;
}

void measure(const std::string& address, const std::filesystem::path& folder) {
  retort::openai::Settings settings;
  settings.base_urls = {address};
  settings.concurrency = 64;
  settings.store = folder / "answers";
  settings.records = folder / "records";
  retort::openai::OpenAi teacher(settings);
  const std::string texts = requests(batch);
  auto begin = std::chrono::steady_clock::now();
  double cpu = cpu_seconds();
  std::size_t answers = ask(teacher, texts);
  double wall = seconds_since(begin);
  std::printf("%zu requests of 3 s, up to 64 under way: %.1f s, %.2f %% of a core\n", answers, wall,
              100 * (cpu_seconds() - cpu) / wall);
  begin = std::chrono::steady_clock::now();
  cpu = cpu_seconds();
  answers = 0;
  for (int i = 0; i < replays; ++i) answers += ask(teacher, texts);
  wall = seconds_since(begin);
  std::printf("%zu kept answers: %.0f a second, %.0f a second of CPU\n", answers, static_cast<double>(answers) / wall,
              static_cast<double>(answers) / (cpu_seconds() - cpu));
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("no_proxy", "127.0.0.1", 1);
  const std::filesystem::path folder = argc > 1 ? argv[1] : "bench_teacher.tmp";
  std::filesystem::remove_all(folder);
  int ends[2];
  if (::pipe(ends) != 0) return 1;
  const pid_t server = ::fork();
  if (server < 0) return 1;
  if (server == 0) serve(ends[1]);
  std::string address(64, '\0');
  if (::read(ends[0], address.data(), address.size()) != 64) return 1;
  measure(address.substr(0, address.find(' ')), folder);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  return 0;
}
