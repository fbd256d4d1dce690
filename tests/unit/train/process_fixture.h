// Tests of several processes: the test program starts itself again with the environment of torchrun.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace retort::train::testing {

inline std::string free_port() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ::close(listener);
  return std::to_string(ntohs(address.sin_port));
}

/// Starts this program for the test `test` as process `rank` of `size`, with `more` ("NAME=value") in its environment;
/// returns its id.
inline pid_t start_process(const std::string& test, int rank, int size, const std::string& port,
                           const std::vector<std::string>& more) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  for (const std::string& own : {"RANK=" + std::to_string(rank), "WORLD_SIZE=" + std::to_string(size),
                                 std::string("MASTER_ADDR=127.0.0.1"), "MASTER_PORT=" + port})
    environment.push_back(own);
  environment.insert(environment.end(), more.begin(), more.end());
  std::vector<std::string> arguments = {"/proc/self/exe", "--gtest_filter=" + test, "--gtest_brief=1"};
  const auto pointers = [](std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  };
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  pid_t child = 0;
  EXPECT_EQ(
      ::posix_spawn(&child, self.c_str(), nullptr, nullptr, pointers(arguments).data(), pointers(environment).data()),
      0);
  return child;
}

inline int exit_code(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace retort::train::testing
